"""The entry scripts as processes: what a user types and what comes back."""

from pathlib import Path

import pytest

from segmentation.runtime.files import read_json
from tests.conftest import SMALL, Run


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (
            ["trainer.epoch=3", "trainer.epochs=-1", "optimizer.lr=0"],
            ["trainer.epoch:", "trainer.epochs=-1", "optimizer.lr=0"],
        ),
        (["trainer.precision=fp8", "trainer.monitor=val/iou"], ["trainer.precision=fp8", "val/iou"]),
        (["model=resnet"], ["model/resnet", "deeplabv3plus"]),
        (["trainer.epochs=3=4="], ["trainer.epochs"]),
        (["dataset=david"], ["Images/Video_XXX", "mediatum"]),
        (["dataset.split_seed=${oc.env:NOT_SET}"], ["NOT_SET"]),
    ],
)
def test_what_a_user_can_mend_is_told_without_a_traceback(
    arguments: list[str], named: list[str], run_script: Run, tmp_path: Path
) -> None:
    result = run_script("train.py", *arguments)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stdout + result.stderr
    for name in named:
        assert name in result.stderr
    assert not list(tmp_path.rglob("*.pt"))


def test_evaluation_without_a_run_says_what_is_needed(run_script: Run, tmp_path: Path) -> None:
    result = run_script("evaluate.py")
    assert result.returncode == 1
    assert result.stderr.startswith("error: run=FOLDER is needed")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_sweep_leaves_complete_run_folders_in_one_folder(run_script: Run, tmp_path: Path) -> None:
    drawn = (
        "dataset=demo",
        "dataset.videos=3",
        "dataset.frames=2",
        "dataset.size=[48,64]",
        "dataset.split={train:2,val:1,test:0}",
    )
    result = run_script(
        *("train.py", "-m", "model=unet,fpn", "optimizer.lr=1e-3,1e-4", "trainer.max_steps=4", *drawn, *SMALL),
        "trainer.epochs=9",
    )
    assert result.returncode == 0, result.stderr
    (sweep,) = (tmp_path / "outputs" / "default").iterdir()
    runs = sorted(path for path in sweep.iterdir() if path.is_dir())
    assert [run.name for run in runs] == ["0", "1", "2", "3"]
    for run in runs:
        assert read_json(run / "summary.json")["steps"] == 4
        for name in ("config.yaml", "splits.json", "history.json", "train.log", "curves.png", "checkpoints/best.pt"):
            assert (run / name).is_file(), name
    assert (tmp_path / "data" / "demo" / "Labels" / "Video_002").is_dir()
