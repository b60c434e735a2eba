"""The page and the table of labels to look at."""

import base64
import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch.nn.functional as F
from torch import Tensor

from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.evaluation.label_errors import write_label_errors
from segmentation.build.data import build_source
from segmentation.build.feed import evaluation_loader
from segmentation.build.predictor import Predict
from segmentation.data.batch import Batch
from segmentation.data.image.draw import OUTLINE
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import Compose

ROAD, CAR = 7, 10  # of DAVID


@pytest.fixture
def source(small: Compose) -> ImageSource:
    return build_source(small().dataset)


def pictures_in(page: str) -> list[np.ndarray]:
    """BGR."""
    encoded = (base64.b64decode(data) for data in re.findall(r"data:image/jpeg;base64,([^\"]+)", page))
    return [np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) for data in encoded]


def yellow(picture: np.ndarray) -> int:
    """Pixels in the colour of outlines."""
    return int((np.abs(picture.astype(int) - OUTLINE[::-1]).max(axis=-1) < 30).sum())


def saying(small: Compose, source: ImageSource, key: str, box: tuple[slice, slice] | None) -> Predict:
    """Predictions that are the labels themselves, but in a box of the image `key` everything is a car."""

    def predict(samples: Sequence[ImageSample]) -> Iterator[tuple[Batch, Tensor]]:
        for batch in evaluation_loader(small(), source, samples):
            said = batch.target.long().clamp(max=len(source.classes) - 1)
            if box is not None and key in batch.keys:
                said[(batch.keys.index(key), *box)] = CAR
            yield batch, 9.0 * F.one_hot(said, len(source.classes)).permute(0, 3, 1, 2)

    return predict


def test_a_contradicted_region_is_in_the_table_and_on_the_page(
    small: Compose, source: ImageSource, tmp_path: Path
) -> None:
    key, box = source.samples[3].key, (slice(2, 17), slice(30, 50))
    suspects = write_label_errors(saying(small, source, key, box), source, source.samples, tmp_path / "val")
    with (tmp_path / "val-label-errors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(suspects) > 0
    first = suspects[0].region
    assert {row["key"] for row in rows} == {key}
    assert {row["prediction"] for row in rows} == {"car"}
    assert rows[0]["label"] == source.classes.names[first.label]
    assert (int(rows[0]["x"]), int(rows[0]["pixels"])) == (first.x, first.pixels)
    assert 30 <= first.x < 50
    assert 2 <= first.y < 17
    assert float(rows[0]["confidence"]) == pytest.approx(1, abs=0.01)
    page = (tmp_path / "val-label-errors.html").read_text()
    assert page.count("data:image/jpeg") == len(rows)
    assert yellow(pictures_in(page)[0]) > 100, "the region is outlined"
    assert f"1. {key}: labelled {rows[0]['label']}, predicted car" in page


def test_labels_that_nothing_contradicts_leave_an_empty_table(
    small: Compose, source: ImageSource, tmp_path: Path
) -> None:
    assert write_label_errors(saying(small, source, "", None), source, source.samples, tmp_path / "val-last") == []
    assert len((tmp_path / "val-last-label-errors.csv").read_text().splitlines()) == 1
    assert "Nowhere does the prediction contradict" in (tmp_path / "val-last-label-errors.html").read_text()


def test_evaluation_writes_them_beside_its_scores(scored: RunFolder, composed: Compose) -> None:
    evaluate_run(composed(f"run={scored.path}", "label_errors=true", name="evaluate"))
    written = sorted(path.name for path in scored.evaluation.iterdir())
    assert {"val-label-errors.csv", "val-label-errors.html", "val.json"} <= set(written)
