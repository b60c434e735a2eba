"""The real data sets beside the project train for two steps and evaluate by configuration alone."""

from pathlib import Path

import pytest

from segmentation.apps.evaluate import evaluate_run
from segmentation.apps.train import train
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import SMALL, Compose
from tests.data.image.david_files import SHARED_DATA

# What `python train.py` gets, beside the size of the run; the first word is the folder of the data.
COMMANDS = {
    "camvid": "dataset=camvid",
    "magnetic_tile": "dataset=split_files dataset.mask_format=binary dataset.threshold=128 "
    "dataset.classes=[intact,defect]",
    "kolektor_yolo": "dataset=yolo",
    "nuts_coco": "dataset=coco",
    "carla_david": "dataset=david",
}
SHORT = (*SMALL, "dataset.image_size=[96,96]", "trainer.val_batch_size=16", "trainer.max_steps=2", "model=unet")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_real_data_set_trains_and_evaluates(name: str, composed: Compose, tmp_path: Path) -> None:
    root = SHARED_DATA / name
    if not root.is_dir():
        pytest.skip(f"{root} is not here")
    folder = RunFolder(tmp_path)
    train(composed(*COMMANDS[name].split(), f"dataset.root={root}", *SHORT), folder.path)
    score = evaluate_run(composed(f"run={folder.path}", name="evaluate"))
    assert score == max(epoch["val/mIoU"] for epoch in read_json(folder.history))
    assert 0 < score < 1
