import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from segmentation.errors import UserError
from segmentation.runtime.checkpoint import save_checkpoint
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import LogFile, RunFolder, begin_log, read_written

CONTRACT = {
    "hydra": ".hydra",
    "config": "config.yaml",
    "splits": "splits.json",
    "environment": "environment.json",
    "classes": "classes.json",
    "events": "events.jsonl",
    "history": "history.json",
    "summary": "summary.json",
    "checkpoints": "checkpoints",
    "tensorboard": "tensorboard",
    "visualizations": "visualizations",
    "evaluation": "evaluation",
}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    for name in ("best", "epoch_007"):
        save_checkpoint(run.checkpoint(name), {"name": name})
    return run


@pytest.mark.parametrize("name", CONTRACT)
def test_files_lie_where_others_look_for_them(tmp_path: Path, name: str) -> None:
    assert getattr(RunFolder(tmp_path), name) == tmp_path / CONTRACT[name]


def test_a_checkpoint_is_found_by_its_name_or_its_path(folder: RunFolder, tmp_path: Path) -> None:
    assert folder.find_checkpoint("best") == folder.path / "checkpoints" / "best.pt"
    assert folder.find_checkpoint("epoch_007") == folder.checkpoint("epoch_007")
    elsewhere = tmp_path / "elsewhere.pt"
    save_checkpoint(elsewhere, {})
    assert folder.find_checkpoint(str(elsewhere)) == elsewhere


def test_the_runs_own_checkpoint_goes_before_a_file_of_that_name(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "best").write_text("by accident")
    monkeypatch.chdir(tmp_path)
    assert folder.find_checkpoint("best") == folder.checkpoint("best")


def test_a_checkpoint_that_is_not_there_is_one_error_that_lists_those_that_are(folder: RunFolder) -> None:
    with pytest.raises(UserError, match="best, epoch_007") as error:
        folder.find_checkpoint("last")
    assert "last" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_run_without_checkpoints_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint yet"):
        RunFolder(tmp_path).find_checkpoint("best")


def test_a_file_that_is_being_written_is_not_offered(folder: RunFolder) -> None:
    (folder.checkpoints / f".last.pt.{os.getpid()}.tmp").write_bytes(b"half")
    (folder.checkpoints / ".pending.pt").write_bytes(b"left by a crash")
    with pytest.raises(UserError) as error:
        folder.find_checkpoint("last")
    assert "pending" not in str(error.value)


def test_a_run_folder_is_one_with_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.yaml"):
        RunFolder.existing(tmp_path)
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    assert RunFolder.existing(str(tmp_path)) == RunFolder(tmp_path)


@pytest.mark.parametrize(("content", "state"), [(None, "missing"), ("{", "damaged")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None, state: str) -> None:
    path = tmp_path / "classes.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError) as error:
        read_written(path, read_json)
    assert str(error.value).startswith(f"{path} is {state}: ")
    assert "\n" not in str(error.value)


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[LogFile]:
    """At the root logger, as the configuration has it, of a folder whose log holds a line."""
    (tmp_path / "train.log").write_text("before\n")
    handler = LogFile(str(tmp_path / "train.log"))
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    handler.close()


def test_the_log_holds_every_line_once_the_run_has_begun(log_file: LogFile) -> None:
    log = logging.getLogger("segmentation")
    log.warning("first %d", 1)
    log_file.flush()  # Hydra flushes every handler when a job ends
    assert Path(log_file.baseFilename).read_text() == "before\n"
    begin_log()
    log.warning("second")
    begin_log()
    assert Path(log_file.baseFilename).read_text() == "before\nfirst 1\nsecond\n"


def test_a_start_that_is_refused_makes_no_log(tmp_path: Path) -> None:
    handler = LogFile(str(tmp_path / "new.log"))
    handler.handle(logging.makeLogRecord({"msg": "refused"}))
    handler.close()
    assert not (tmp_path / "new.log").exists()
