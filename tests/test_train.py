"""Training and evaluation as a whole, from a composed configuration to a run folder."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.training.train import train
from segmentation.errors import UserError
from segmentation.runtime.checkpoint import load_checkpoint
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import ROOT, SMALL, Compose


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> RunFolder:
    """A run of three epochs that kept two checkpoints beside last, best and average."""
    root = request.getfixturevalue("tiny_root")
    overrides = ("dataset=david", f"dataset.root={root}", "dataset.split={train:2,val:1,test:1}", *SMALL)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose(
            "config", [*overrides, "trainer.epochs=3", "trainer.max_checkpoints=2", "trainer.log_every_n_steps=1"]
        )
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    train(cfg, folder.path)
    return folder


def test_a_run_leaves_a_complete_folder(run: RunFolder) -> None:
    expected = {
        *("config.yaml", "splits.json", "environment.json", "classes.json", "events.jsonl", "history.json"),
        *("summary.json", "curves.png", "checkpoints/last.pt", "checkpoints/best.pt", "checkpoints/average.pt"),
    }
    files = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
    assert expected <= files
    assert len(list(run.checkpoints.glob("epoch_*.pt"))) == 2
    assert not [name for name in files if name.endswith(".tmp") or "pending" in name]
    assert list(run.visualizations.glob("epoch_003/*.png"))
    assert len(list(run.visualizations.glob("training_samples/*.png"))) == 2
    assert list(run.tensorboard.glob("events.*"))


def test_history_and_events_tell_every_epoch_and_step(run: RunFolder) -> None:
    history = read_json(run.history)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert [row["step"] for row in history] == [2, 4, 6]
    for key in ("lr", "train/loss", "val/loss", "val/mIoU", "val/mDice", "val/IoU/road", "train/mIoU"):
        assert all(key in row for row in history), key
    for key in ("images_per_second", "data_wait_fraction", "peak_memory_mb", "epoch_seconds"):
        assert all(row[key] >= 0 for row in history), key
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2, 3, 4, 5, 6]
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2, 3]
    assert all("lr" in event and "images_per_second" in event for event in events if event["event"] == "step")


def test_the_summary_names_the_best_epoch_of_the_history(run: RunFolder) -> None:
    summary, history = read_json(run.summary), read_json(run.history)
    scores = [row["val/mIoU"] for row in history]
    assert summary["best_value"] == max(scores)
    assert summary["best_epoch"] == scores.index(max(scores)) + 1
    assert (summary["epochs"], summary["steps"], summary["ended"]) == (3, 6, "all steps done")


def test_the_splits_are_by_video_and_complete(run: RunFolder) -> None:
    splits = read_json(run.splits)
    videos = {part: {key.split("/")[0] for key in keys} for part, keys in splits.items()}
    assert [len(videos[part]) for part in ("train", "val", "test")] == [2, 1, 1]
    assert not videos["train"] & videos["val"] | videos["val"] & videos["test"]
    assert sum(len(keys) for keys in splits.values()) == 8


def test_checkpoints_hold_raw_and_ema_weights_that_differ(run: RunFolder) -> None:
    content = load_checkpoint(run.checkpoint("last"))
    name = next(name for name in content["model"] if name.endswith("weight"))
    assert not torch.equal(content["model"][name], content["ema"]["model"][name])
    assert content["ema"]["updates"] == 6


@pytest.mark.parametrize(("choice", "epoch"), [("best", None), ("last", 3)])
def test_evaluation_gives_the_training_runs_own_numbers(
    run: RunFolder, composed: Compose, choice: str, epoch: int | None
) -> None:
    score = evaluate_run(composed(f"run={run.path}", f"checkpoint={choice}", name="evaluate"))
    epoch = epoch or read_json(run.summary)["best_epoch"]
    row = read_json(run.history)[epoch - 1]
    result = read_json(run.evaluation / ("val.json" if choice == "best" else f"val-{choice}.json"))
    assert score == row["val/mIoU"]
    own = [key for key in row if key.startswith("val/")]
    assert "val/mIoU" in own
    for key in own:
        assert result["metrics"][key] == row[key], key


def test_other_choices_of_evaluation_get_files_of_their_own(run: RunFolder, composed: Compose) -> None:
    for overrides in (
        ["weights=raw"],
        ["checkpoint=average"],
        ["split=test"],
        [f"checkpoint={run.checkpoint('last')}"],
    ):
        evaluate_run(composed(f"run={run.path}", *overrides, name="evaluate"))
    names = {path.stem for path in run.evaluation.glob("*.json")}
    assert {"val-best-raw", "val-average", "test", "val-last"} <= names
    assert read_json(run.evaluation / "test.json")["images"] == 2


def test_data_that_moved_is_named_for_evaluation(
    run: RunFolder, composed: Compose, tiny_root: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    moved.symlink_to(tiny_root)
    score = evaluate_run(composed(f"run={run.path}", f"dataset.root={moved}", name="evaluate"))
    assert score == read_json(run.history)[read_json(run.summary)["best_epoch"] - 1]["val/mIoU"]


def test_another_data_set_with_the_same_classes_can_be_scored(
    run: RunFolder, composed: Compose, tiny_root: Path
) -> None:
    data = ("dataset=david", f"dataset.root={tiny_root}", "dataset.split={train:1,val:3,test:0}")
    evaluate_run(composed(f"run={run.path}", *data, name="evaluate"))
    assert read_json(run.evaluation / "val-best-tiny.json")["images"] == 6


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["run=nowhere"], "nowhere"),
        (["checkpoint=epoch_099"], "epoch_099"),
        (["split=validation"], "validation"),
        (["weights=swa"], "swa"),
        (["precision=fp8"], "fp8"),
        (["dataset=david", "dataset.root={root}", "dataset.ignore_void=true"], "void"),
        (["min_mIoU=1.01"], "min_mIoU"),
    ],
)
def test_an_impossible_evaluation_is_told_in_one_line(
    run: RunFolder, composed: Compose, tiny_root: Path, overrides: list[str], named: str
) -> None:
    given = [override.format(root=tiny_root) for override in overrides]
    with pytest.raises(UserError, match=named) as error:
        evaluate_run(composed(f"run={run.path}", *given, name="evaluate"))
    assert "\n" not in str(error.value)


def test_two_runs_with_one_seed_are_equal_and_with_another_differ(small: Compose, tmp_path: Path) -> None:
    def weights(name: str, *overrides: str) -> torch.Tensor:
        train(small("trainer.max_steps=2", *overrides), tmp_path / name)
        return load_checkpoint(tmp_path / name / "checkpoints" / "last.pt")["model"]["network.encoder.conv1.weight"]

    first = weights("a", "dataset.split_seed=0")
    assert torch.equal(first, weights("b", "dataset.split_seed=0", "trainer.num_workers=2"))
    assert not torch.equal(first, weights("c", "dataset.split_seed=0", "seed=1"))


def test_one_video_trains_without_validation_and_best_follows_the_training_loss(
    small: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = small("dataset.include=[Video_001]", "dataset.split={train:0.8,val:0.1,test:0.1}", "trainer.epochs=2")
    with caplog.at_level("INFO"):
        train(cfg, tmp_path)
    history = read_json(tmp_path / "history.json")
    losses = [row["train/loss"] for row in history]
    assert "val/mIoU" not in history[0]
    assert read_json(tmp_path / "summary.json")["best_epoch"] == losses.index(min(losses)) + 1
    assert "no validation split" in caplog.text


def test_class_weights_are_counted_from_the_training_masks(small: Compose, tmp_path: Path) -> None:
    train(small("loss=combined", "loss.parts.cross_entropy.class_weights=enet", "trainer.max_steps=1"), tmp_path)
    cfg = OmegaConf.load(tmp_path / "config.yaml")
    keys = read_json(tmp_path / "splits.json")["train"]
    colors = np.array([entry.color for entry in cfg.dataset.classes])
    pixels = np.zeros(13)
    for key in keys:
        stored = cv2.imread(str(Path(cfg.dataset.root) / "Labels" / f"{key}.png"))
        assert stored is not None
        mask = stored[..., ::-1]
        pixels += (mask[:, :, None] == colors).all(-1).sum((0, 1))
    expected = 1 / np.log(1.02 + pixels / pixels.sum())
    np.testing.assert_allclose(cfg.loss.parts.cross_entropy.class_weights, expected, rtol=1e-6)


def test_void_can_be_left_out(small: Compose, tmp_path: Path) -> None:
    train(small("dataset.ignore_void=true", "trainer.max_steps=1"), tmp_path)
    names = [entry["name"] for entry in read_json(tmp_path / "classes.json")["classes"]]
    assert len(names) == 12
    assert "void" not in names
    assert "val/IoU/void" not in read_json(tmp_path / "history.json")[0]


def test_fp16_trains_with_a_gradient_scaler(small: Compose, tmp_path: Path) -> None:
    train(small("trainer.precision=fp16", "trainer.max_steps=1"), tmp_path)
    assert load_checkpoint(tmp_path / "checkpoints" / "last.pt")["scaler"]["scale"] > 0


@pytest.mark.parametrize("batch", ["trainer.batch_size=1", "dataset.split={train:[],val:1}"])
def test_a_batch_that_batch_norm_cannot_use_or_no_data_is_refused(small: Compose, tmp_path: Path, batch: str) -> None:
    with pytest.raises(UserError) as error:
        train(small(batch), tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "checkpoints").exists()


def test_an_optimizer_option_out_of_range_is_one_line(small: Compose, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="beta"):
        train(small("optimizer.betas=[0.9,1.5]"), tmp_path)
