"""A run that was stopped, by a signal or by a kill, goes on to the same bits as one that was not."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from segmentation.apps.training.train import train
from segmentation.errors import UserError
from segmentation.runtime.checkpoint import load_checkpoint
from segmentation.runtime.files import read_json
from tests.conftest import ROOT, SMALL, Compose, Run

EPOCHS = 4
TIMES = {"epoch_seconds", "images_per_second", "data_wait_fraction", "peak_memory_mb"}


def assert_same(first: Any, second: Any, path: str = "") -> None:
    """Bit by bit, through containers; what depends on the clock aside."""
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), path
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), path
        for key in first.keys() - TIMES:
            assert_same(first[key], second[key], f"{path}/{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), path
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            assert_same(one, other, f"{path}/{index}")
    else:
        assert first == second or (first != first and second != second), path


def assert_same_run(first: Path, second: Path) -> None:
    for name in ("last", "best", "average"):
        one, other = (load_checkpoint(folder / "checkpoints" / f"{name}.pt") for folder in (first, second))
        assert_same(one, other, name)
    assert_same(read_json(first / "history.json"), read_json(second / "history.json"))


@pytest.mark.parametrize("scheduler", ["cosine", "plateau"])
@pytest.mark.parametrize("stopped_after", [1, 3])
def test_stopped_after_an_epoch_and_resumed_equals_uninterrupted(
    small: Compose, tmp_path: Path, stopped_after: int, scheduler: str
) -> None:
    """DeepLabV3+ has dropout, `light` draws at random, workers differ: all of it must fall into place."""
    how = (f"scheduler={scheduler}", f"trainer.epochs={EPOCHS}", "trainer.max_checkpoints=2", "optimizer.lr=3e-3")
    train(small(*how), tmp_path / "whole")

    kept = train_and_stop_after(stopped_after, small(*how), tmp_path / "parts")
    assert len(read_json(tmp_path / "parts" / "history.json")) == stopped_after == kept
    torch.manual_seed(999)  # a new process would be anywhere
    train(small(*how, "trainer.resume=auto", "trainer.num_workers=1"), tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def train_and_stop_after(epochs: int, cfg: Any, folder: Path) -> int:
    """Ctrl-C in the middle of the epoch that follows; returns the epochs that were kept."""
    from segmentation.engine import loop

    original = loop.train_epoch
    seen: list[int] = []

    def interrupted(*arguments: Any) -> Any:
        if len(seen) == epochs:
            raise KeyboardInterrupt
        seen.append(1)
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "train_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(cfg, folder)
    assert read_json(folder / "summary.json")["ended"] == "interrupted"
    return int(load_checkpoint(folder / "checkpoints" / "last.pt")["progress"]["epoch"])


def test_a_killed_process_goes_on_with_auto(tiny_root: Path, tmp_path: Path, run_script: Run) -> None:
    data = ["dataset=david", f"dataset.root={tiny_root}", "dataset.split={train:2,val:1,test:1}"]
    arguments = [*data, *SMALL, f"trainer.epochs={EPOCHS}", "model.encoder_name=mobilenet_v2"]
    whole = run_script("train.py", *arguments, "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr

    command = [sys.executable, "-u", str(ROOT / "train.py"), *arguments, "hydra.run.dir=killed"]
    for kill, epoch in ((signal.SIGTERM, 1), (signal.SIGKILL, 2)):
        with subprocess.Popen(
            [*command, "trainer.resume=auto", "trainer.num_workers=1"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(f"epoch {epoch}/{EPOCHS} train"):
                    os.killpg(process.pid, kill)  # all of its processes, as a cluster does
                    break
            process.stdout.read()
        assert process.returncode == (130 if kill is signal.SIGTERM else -signal.SIGKILL)
    resumed = run_script("train.py", *arguments, "hydra.run.dir=killed", "trainer.resume=auto")
    assert resumed.returncode == 0, resumed.stderr
    assert "goes on from" in resumed.stdout
    assert_same_run(tmp_path / "whole", tmp_path / "killed")

    scored = run_script("evaluate.py", "run=killed")
    assert scored.returncode == 0, scored.stderr
    best = read_json(tmp_path / "whole" / "summary.json")["best"]
    assert read_json(tmp_path / "killed" / "evaluation" / "val.json")["metrics"]["val/mIoU"] == best["val/mIoU"]


def test_a_checkpoint_named_by_path_goes_on_in_a_new_folder(small: Compose, tmp_path: Path) -> None:
    how = ("trainer.epochs=3", "trainer.max_checkpoints=3")
    train(small(*how), tmp_path / "first")
    checkpoint = tmp_path / "first" / "checkpoints" / "epoch_002.pt"
    train(small(*how, f"trainer.resume={checkpoint}"), tmp_path / "second")
    assert_same(
        *(load_checkpoint(tmp_path / name / "checkpoints" / "last.pt")["model"] for name in ("first", "second"))
    )
    assert [row["epoch"] for row in read_json(tmp_path / "second" / "history.json")] == [1, 2, 3]
    assert (tmp_path / "second" / "checkpoints" / "best.pt").is_file()


def test_training_can_be_prolonged(small: Compose, tmp_path: Path) -> None:
    train(small("trainer.epochs=1"), tmp_path)
    train(small("trainer.epochs=2", "trainer.resume=auto"), tmp_path)
    assert len(read_json(tmp_path / "history.json")) == 2


def test_a_finished_run_that_is_resumed_stays_as_it_is(small: Compose, tmp_path: Path) -> None:
    train(small("trainer.epochs=1"), tmp_path)
    before = (tmp_path / "checkpoints" / "last.pt").read_bytes()
    train(small("trainer.epochs=1", "trainer.resume=auto"), tmp_path)
    assert (tmp_path / "checkpoints" / "last.pt").read_bytes() == before


def test_a_finished_run_that_is_resumed_into_a_new_folder_is_whole_there(small: Compose, tmp_path: Path) -> None:
    train(small("trainer.epochs=1"), tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    train(small("trainer.epochs=1", f"trainer.resume={last}"), tmp_path / "there")
    assert_same_run(tmp_path / "run", tmp_path / "there")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        path.name for path in (tmp_path / "there").iterdir()
    }


def test_bad_resumes_are_one_line_and_lose_nothing(small: Compose, tmp_path: Path) -> None:
    train(small("trainer.epochs=1"), tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    shutil.copytree(tmp_path / "run", tmp_path / "without_last")
    (tmp_path / "without_last" / "checkpoints" / "last.pt").unlink()
    before = last.read_bytes()
    (tmp_path / "cut.pt").write_bytes(before[: len(before) // 2])
    for overrides, folder, named in (
        ([f"trainer.resume={tmp_path}/none.pt"], "new", "none.pt"),
        ([f"trainer.resume={tmp_path}/cut.pt"], "new", "cut.pt"),
        ([f"trainer.resume={tmp_path}/run/checkpoints/average.pt"], "new", "weights only"),
        ([f"trainer.resume={last}", "model=unet"], "new", "do not fit"),
        ([f"trainer.resume={last}", "optimizer=sgd"], "new", "keeps its optimizer"),
        ([f"trainer.resume={last}", "optimizer.lr=5e-4"], "new", "optimizer.lr"),
        ([f"trainer.resume={last}", "scheduler=plateau"], "new", "PlateauSchedule"),
        ([f"trainer.resume={last}", "trainer.monitor=train/loss", "trainer.monitor_mode=min"], "new", "is judged by"),
        ([f"trainer.resume={tmp_path}/run"], "new", "is a folder: name a file, .*last.pt"),
        (["trainer.resume=auto"], "without_last", "has no last.pt but average, best"),
        ([], "without_last", "holds a run already"),
        ([], "run", "holds a run already"),
        ([f"trainer.resume={last}"], "other", "holds another run already"),
    ):
        with pytest.raises(UserError, match=named) as error:
            train(small("trainer.epochs=1", *overrides), tmp_path / folder)
        assert "Traceback" not in str(error.value)
    assert last.read_bytes() == before


def test_a_folder_that_another_process_trains_in_is_refused(small: Compose, tmp_path: Path) -> None:
    hold = """
import sys
from pathlib import Path
from segmentation.runtime.run_folder import RunFolder

with RunFolder(Path(sys.argv[1])).held():
    print("held", flush=True)
    input()
"""
    command = [sys.executable, "-c", hold, str(tmp_path)]
    other = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with other:
        assert other.stdout is not None
        assert other.stdout.readline()
        with pytest.raises(UserError, match=r"another process is training in .*hydra\.run\.dir"):
            train(small("trainer.resume=auto"), tmp_path)
        other.kill()
    train(small("trainer.resume=auto", "trainer.max_steps=1"), tmp_path)


def test_auto_says_that_it_starts_from_the_beginning(
    small: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        train(small("trainer.max_steps=1", "trainer.resume=auto"), tmp_path)
    assert "starts from the beginning" in caplog.text
