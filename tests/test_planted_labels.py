"""Wrong labels planted in real data are found, by a model of ten minutes' training; see `make soak`."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.runs.opened import classes_of
from segmentation.apps.training.train import train
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import Compose
from tests.data.image.david_files import SHARED_DATA
from tests.planted_labels import Planted, planted

TEN_MINUTES = "trainer.epochs=28"  # on two cores
LOOKED_AT = 60  # regions that a person would look at
CLASSES = 11


@pytest.mark.soak
def test_wrong_labels_in_camvid_come_first(composed: Compose, tmp_path: Path) -> None:
    data = SHARED_DATA / "camvid"
    if not data.is_dir():
        pytest.skip(f"{data} is not here")
    folder = RunFolder(tmp_path / "run")
    train(composed("experiment=camvid_cpu", f"dataset.root={data}", TEN_MINUTES), folder.path)
    copy = tmp_path / "camvid"
    shutil.copytree(data, copy)
    regions = plant_in(copy, count=40, seed=0)
    options = (f"run={folder.path}", f"dataset.root={copy}", "label_errors=true")
    evaluate_run(composed(*options, name="evaluate"))
    with next(folder.evaluation.glob("*-label-errors.csv")).open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = classes_of(folder).names
    by_size = sorted(rows, key=lambda row: -int(row["pixels"]))
    found, found_by_size = (found_among(listed[:LOOKED_AT], regions, names) for listed in (rows, by_size))
    assert found >= 15
    assert found >= 2 * found_by_size


def plant_in(root: Path, count: int, seed: int) -> list[Planted]:
    """Wrong regions in the val masks of CamVid at `root`, one a mask."""
    files = {f"val/{path.stem}": path for path in sorted((root / "valannot").glob("*.png"))}
    masks = {key: np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)) for key, path in files.items()}
    regions = planted(masks, CLASSES, count, seed)
    for region in regions:
        masks[region.key][region.where] = region.painted
        cv2.imwrite(str(files[region.key]), masks[region.key])
    return regions


def found_among(rows: list[dict[str, str]], regions: list[Planted], names: Sequence[str]) -> int:
    """How many of the planted regions are among the listed ones."""
    return sum(any(is_found(row, region, names) for row in rows) for region in regions)


def is_found(row: dict[str, str], region: Planted, names: Sequence[str]) -> bool:
    """The listed region is labelled as this one is painted, more than half of its box is within this one's, and it is
    at least a quarter of it: what else is labelled so in the box is no find.
    """
    if row["key"] != region.key or row["label"] != names[region.painted]:
        return False
    if 4 * int(row["pixels"]) < region.where.sum():
        return False
    x, y, width, height = (int(row[column]) for column in ("x", "y", "width", "height"))
    left, top, across, down = cv2.boundingRect(region.where.astype(np.uint8))
    shared = max(min(x + width, left + across) - max(x, left), 0), max(min(y + height, top + down) - max(y, top), 0)
    return 2 * shared[0] * shared[1] > width * height
