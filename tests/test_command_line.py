"""The entry scripts as processes: what a user types and what comes back."""

import sys
from pathlib import Path

import pytest

from segmentation.apps.command import faults_of_command_line
from segmentation.runtime.files import read_json
from tests.conftest import ROOT, SMALL, Run


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (
            ["trainer.epoch=3", "trainer.epochs=-1", "optimizer.lr=0"],
            ["trainer.epoch:", "trainer.epochs=-1", "optimizer.lr=0"],
        ),
        (["trainer.precision=fp8", "trainer.monitor=val/iou"], ["trainer.precision=fp8", "val/iou"]),
        (["model=resnett", "trainer.epochs=-1"], ["model=resnett: ", "trainer.epochs=-1"]),
        (["-m", "optimizer.lr=1e-3,abc", "trainer.epochs=1,0"], ["optimizer.lr=abc", "trainer.epochs=0"]),
        (["trainer.epochs=3=4="], ["trainer.epochs"]),
        (["dataset=david"], ["Images/Video_XXX", "mediatum"]),
        (["dataset.split_seed=${oc.env:NOT_SET}"], ["NOT_SET"]),
        (["-m", "trainer.epoch=1,2"], ["error: trainer.epoch: there is no such key; did you mean epochs?\n"]),
        (["trainer=null"], ["error: trainer=null: expected one of default;"]),
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


@pytest.mark.parametrize(
    ("command", "faults"),
    [
        ("train.py model.decoder_chanels=8", ["model.decoder_chanels: there is no such key; did you mean decoder_"]),
        ("train.py -m seed=1,2 trainer.epoch=3,4", ["trainer.epoch: there is no such key; did you mean epochs?"]),
        (
            "train.py -m model=deeplabv3plus,fpn model.decoder_channels=8,9",
            ["model.decoder_channels: there is no such"],
        ),
        ("train.py -m model=unet,null", ["model=null: expected one of deeplab"]),
        ("train.py model=null scheduler=5 trainer.epochs=0", ["model=null: ", "scheduler=5: ", "trainer.epochs=0: "]),
        ("train.py experiment=null", ["experiment=null: expected one of camvid_cpu, camvid_david"]),
        ("evaluate.py run=x chekpoint=best", ["chekpoint: there is no such key; did you mean checkpoint?"]),
        ("evaluate.py run=x dataset=david dataset.lables=x", ["dataset.lables: there is no such key; did you mean"]),
        ("export.py run=x formt=onnx", ["formt: there is no such key; did you mean format?"]),
        ("predict.py model=a.onnx input=b output=c overwite=true", ["overwite: there is no such key; did you mean"]),
        ("predict.py run=[a,b] input=c output=d smoothing.keep=0.5", []),
        ("pareto.py run=x image=9", ["image: there is no such key; did you mean images?"]),
        ("train.py model=unett", ["model=unett: there is no such model; did you mean unet?"]),
        ("train.py trainer={a:1}", ["trainer={a:1}: expected one of default"]),
        ("train.py seed=1", []),
        ("train.py -m seed=1,2 model=unet,fpn", []),
    ],
)
def test_what_hydra_refuses_is_told_in_our_words(
    command: str, faults: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, *arguments = command.split()
    monkeypatch.setattr(sys, "argv", [str(ROOT / script), *arguments])
    told = faults_of_command_line()
    assert len(told) == len(faults)
    for fault, expected in zip(told, faults, strict=True):
        assert fault.startswith(expected)
        assert "\n" not in fault


def test_a_refused_start_leaves_the_folder_of_another_run_as_it_was(run_script: Run, tmp_path: Path) -> None:
    files = {tmp_path / "run" / name: name for name in (".hydra/config.yaml", "train.log", "checkpoints/last.pt")}
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    result = run_script("train.py", "hydra.run.dir=run")
    assert result.returncode == 1
    assert "run holds a run already" in result.stderr
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == files


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
        assert "INFO device: " in (run / "train.log").read_text().splitlines()[0]
        assert sorted(path.name for path in (run / ".hydra").iterdir()) == [
            "config.yaml",
            "hydra.yaml",
            "overrides.yaml",
        ]
        assert "lr: ${" not in (run / "config.yaml").read_text()
    assert "- model=fpn" in (runs[2] / ".hydra" / "overrides.yaml").read_text()
    assert "ignore_index: ${dataset.ignore_index}" in (runs[2] / ".hydra" / "config.yaml").read_text()
    assert (tmp_path / "data" / "demo" / "Labels" / "Video_002").is_dir()
