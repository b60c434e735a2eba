"""What predict.py leaves beside the results: summary.csv, index.html, and metrics.json where there are labels."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segmentation.apps.prediction.output import OutputFolder, Row
from segmentation.apps.prediction.truth import metrics_of
from segmentation.classes import Classes
from segmentation.data.image.files import RGB, read_image
from segmentation.data.image.results.videos import SUFFIX
from segmentation.data.image.videos import VideoFile
from segmentation.errors import UserError
from segmentation.reports.predictions import PredictedInput, predictions_page, summary_csv
from segmentation.reports.words import Words
from segmentation.runtime.files import write_json, write_text

log = logging.getLogger("segmentation")
WIDTH = 480  # pixels of a picture on the page
HEADLINES = ("mIoU", "mDice", "pixel_accuracy", "mean_accuracy", "FWIoU")


def write_summary(
    folder: OutputFolder,
    rows: Sequence[Row],
    classes: Classes,
    about: Mapping[str, Any],
    faults: Sequence[str],
    words: Words,
) -> None:
    """Of the inputs that are complete; `about` is what they were predicted with."""
    scores = _written_metrics(folder.path, rows, classes)
    inputs = [_of_row(row) for row in rows]
    write_text(folder.path / "summary.csv", summary_csv(inputs, classes, words))
    html = predictions_page(
        f"Predictions: {folder.path.name}",
        inputs,
        classes,
        lambda each: _thumbnail(folder.path, each),
        [(name, str(value)) for name, value in about.items() if value not in (None, False, [], {})],
        scores,
        faults,
        words,
    )
    write_text(folder.path / "index.html", html)


def _written_metrics(folder: Path, rows: Sequence[Row], classes: Classes) -> dict[str, float] | None:
    confusions = {row["key"]: np.array(row["confusion"]) for row in rows if "confusion" in row}
    if not confusions:
        return None
    metrics = metrics_of(confusions, classes)
    write_json(folder / "metrics.json", metrics)
    scores = metrics["metrics"]
    log.info("mIoU %.4f of %d images -> %s", scores["mIoU"], len(confusions), folder / "metrics.json")
    return {name: scores[name] for name in (*HEADLINES, *(f"IoU/{name}" for name in classes.names))}


def _of_row(row: Row) -> PredictedInput:
    """A mesh has no size, its faces have areas."""
    results = {Path(name).parts[0]: name for name in row["files"] if not name.startswith("pseudo_labels/images")}
    if "faces" in row:
        faces, areas = np.array(row["faces"]), np.array(row["areas"])
        return PredictedInput(row["key"], None, faces, None, row["confidence"], results, areas)
    height, width = row["size"]
    counts = np.array(row["pixels"])
    return PredictedInput(row["key"], (height, width), counts, row.get("frames"), row["confidence"], results)


def _thumbnail(folder: Path, each: PredictedInput) -> np.ndarray | None:
    """Of the overlay, else of the colours; None of what is too large or not written."""
    name = each.results.get("overlay") or each.results.get("colour")
    if name is None or name.endswith(".tif"):
        return None
    path = folder / name
    try:
        if name.endswith(SUFFIX):
            shown = next(VideoFile.open(path, RGB, each.key).frames())
        else:
            shown = read_image(path, RGB, at_least=(1, WIDTH))
    except UserError:  # lost since it was written
        return None
    height = max(round(shown.shape[0] * WIDTH / shown.shape[1]), 1)
    smaller: np.ndarray = cv2.resize(shown, (WIDTH, height), interpolation=cv2.INTER_AREA)
    return smaller if shown.shape[1] > WIDTH else shown
