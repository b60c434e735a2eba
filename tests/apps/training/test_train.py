"""What training leaves in the run folder beside what the loop writes."""

from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.training.train import train
from segmentation.errors import UserError
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import SMALL, Compose
from tests.data.image.layouts.every import LAYOUTS


def test_the_summary_counts_the_seconds_of_all_epochs_of_a_resumed_run(small: Compose, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for epochs in (1, 2, 2):  # the last has nothing left to do
        train(small(f"trainer.epochs={epochs}", "trainer.resume=auto"), folder.path)
        rows = read_json(folder.history)
        summary = read_json(folder.summary)
        assert len(rows) == epochs
        assert summary["seconds"] == pytest.approx(sum(row["epoch_seconds"] for row in rows))
    assert summary["last_process_seconds"] == {}


def test_a_run_with_a_damaged_configuration_is_not_gone_on_with(small: Compose, tmp_path: Path) -> None:
    train(small("trainer.epochs=1"), tmp_path)
    RunFolder(tmp_path).config.write_text("a: [1,\nb: {")
    with pytest.raises(UserError, match=r"config\.yaml is damaged") as error:
        train(small("trainer.epochs=2", "trainer.resume=auto"), tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", ["[[a]]", "[{a:1}]"])
def test_a_faulty_split_is_refused_before_the_folder_is_touched(small: Compose, tmp_path: Path, share: str) -> None:
    with pytest.raises(UserError, match="a list of names"):
        train(small(f"dataset.split={{train:{share},val:1}}"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_refused_start_leaves_the_split_file_as_it_was(small: Compose, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text("{}")
    resplit = (f"dataset.split_file={path}", "dataset.force_resplit=true", "trainer.max_steps=1")
    with pytest.raises(UserError, match="two images"):
        train(small(*resplit, "trainer.batch_size=1"), tmp_path / "run")
    assert path.read_text() == "{}"
    train(small(*resplit), tmp_path / "run")
    assert read_json(path)["train"]


def on_folders(composed: Compose, root: Path, *overrides: str) -> DictConfig:
    return composed(*LAYOUTS["folder"](root), *SMALL, "trainer.max_steps=1", *overrides)


def test_classes_that_the_data_tells_are_in_the_runs_configuration(composed: Compose, tmp_path: Path) -> None:
    cfg = on_folders(composed, tmp_path / "data", "dataset.classes=null", "trainer.monitor=val/IoU/stain")
    listed = tmp_path / "data" / "classes.txt"
    listed.write_text("background\ncrack\nstain\n", encoding="utf-8")
    folder = RunFolder(tmp_path / "run")
    train(cfg, folder.path)
    written = OmegaConf.load(folder.config).dataset.classes
    assert [entry.name for entry in written] == ["background", "crack", "stain"]
    listed.unlink()
    evaluate_run(composed(f"run={folder.path}", name="evaluate"))


def test_a_monitor_is_checked_when_the_data_has_told_its_classes(composed: Compose, tmp_path: Path) -> None:
    cfg = on_folders(composed, tmp_path / "data", "trainer.monitor=val/IoU/stane", "dataset.classes=a.txt")
    (tmp_path / "data" / "a.txt").write_text("background\ncrack\nstain\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"there is no such metric; did you mean val/IoU/stain\?"):
        train(cfg, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_void_that_is_ignored_stays_in_the_list_of_the_data(composed: Compose, tmp_path: Path) -> None:
    cfg = on_folders(composed, tmp_path / "data", "dataset.classes=a.txt", "dataset.ignore_void=true")
    (tmp_path / "data" / "a.txt").write_text("void\ncrack\nstain\n", encoding="utf-8")
    folder = RunFolder(tmp_path / "run")
    train(cfg, folder.path)
    score = evaluate_run(composed(f"run={folder.path}", name="evaluate"))
    assert score == read_json(folder.history)[0]["val/mIoU"]
    assert [entry["name"] for entry in read_json(folder.classes)["classes"]] == ["crack", "stain"]
