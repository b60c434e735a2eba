"""The examples in docs/data.md: each real data set beside the project trains and evaluates by configuration alone."""

import subprocess
from pathlib import Path

import pytest

from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.training.train import train
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import ROOT, SMALL, Compose
from tests.data.image.david_files import SHARED_DATA

PLACE = "dataset.root=PATH/"  # as the page has it, the name of the data's folder after it
RUN = ("dataset.image_size=[96,96]", "trainer.val_batch_size=16", "trainer.max_steps=2", "trainer.average_start=1")
SHORT = (*SMALL, *RUN, "model=unet")


def examples() -> dict[str, list[str]]:
    """What `python train.py` gets, by the folder of the data."""
    lines = (ROOT / "docs" / "data.md").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    commands = [words(line)[2:] for line in lines if line.startswith("python train.py") and PLACE in line]
    return {place.removeprefix(PLACE): command for command in commands for place in command if place.startswith(PLACE)}


def words(line: str) -> list[str]:
    """As a shell has them, which takes braces apart that are not in quotes."""
    done = subprocess.run(["bash", "-c", f"printf '%s\n' {line}"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_page_has_an_example_of_each() -> None:
    assert examples().keys() == {"camvid", "magnetic_tile", "kolektor_yolo", "nuts_coco", "carla_david"}


@pytest.mark.parametrize("name", examples())
def test_a_real_data_set_trains_and_evaluates(name: str, composed: Compose, tmp_path: Path) -> None:
    root = SHARED_DATA / name
    if not root.is_dir():
        pytest.skip(f"{root} is not here")
    command = [f"dataset.root={root}" if word.startswith(PLACE) else word for word in examples()[name]]
    folder = RunFolder(tmp_path)
    train(composed(*command, *SHORT), folder.path)
    assert read_json(folder.history)[-1]["step"] == 2
    score = evaluate_run(composed(f"run={folder.path}", name="evaluate"))
    assert score == max(epoch["val/mIoU"] for epoch in read_json(folder.history))
    assert 0 < score < 1
