"""The page of an evaluation: what it found, with pictures of the images that it found worst and best."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.apps.evaluation import FURTHER, resampling
from segmentation.build.predictor import Predict
from segmentation.classes import Classes
from segmentation.data.image.draw import ImageDrawing
from segmentation.data.image.source import ImageSample
from segmentation.metrics.bootstrap import Interval
from segmentation.metrics.calibration import reliability
from segmentation.metrics.scores import Counts, scores_from
from segmentation.metrics.summary import Summary
from segmentation.metrics.threshold import threshold_scores
from segmentation.reports.evaluation import (
    BinaryFacts,
    BoundaryFacts,
    CalibrationFacts,
    EvaluationFacts,
    HeadlineScore,
    evaluation_page,
)
from segmentation.reports.pictures import Picture
from segmentation.runtime.console import progress_bar
from segmentation.runtime.files import read_json, write_text
from segmentation.runtime.run_folder import RunFolder, read_written

EXTREMES, OF_A_CLASS = 12, 3  # pictures of the worst images, and of the best; of the worst of each class
HEADLINE = ("mIoU", "pixel_accuracy", "mean_accuracy", "mDice", "FWIoU", "kappa", *FURTHER)
OVER_IMAGES = ("mIoU", "pixel_accuracy", "mDice")
COLUMNS = ("IoU", "Dice", "precision", "recall")
CURVE_POINTS = 250


def write_page(
    path: Path,
    folder: RunFolder,
    classes: Classes,
    summary: Summary,
    about: Mapping[str, Any],
    samples: Sequence[ImageSample],
    predict: Predict,
) -> None:
    """The model is asked again for the images that are shown: the predictions of all would not fit into memory."""
    worst, best, by_class = _chosen(summary)
    captions = _captions(summary)
    places = {*worst, *best, *(place for places in by_class.values() for place in places)}
    drawn = _drawn(classes, [samples[place] for place in sorted(places)], predict)

    def pictures(chosen: Iterable[int]) -> list[Picture]:
        return [(captions[place], drawn[samples[place].key]) for place in chosen]

    environment = dict(read_written(folder.environment, read_json))
    split = str(about["split"])
    facts = EvaluationFacts(
        title=f"{folder.path.resolve().name}: {split}",
        split=split,
        about=_told(about),
        headline=[
            HeadlineScore(name.replace("_", " "), summary.values[name], _bounds(summary.intervals[name]))
            for name in HEADLINE
            if name in summary.values
        ],
        resampling=f"95 % {resampling(summary)}.",
        classes=classes,
        over_images={
            name: (summary.values[f"image_mean/{name}"], summary.values[f"image_std/{name}"]) for name in OVER_IMAGES
        },
        by_class={score: _of_classes(summary, score) for score in COLUMNS},
        iou_intervals=[_bounds(summary.intervals[f"IoU/{name}"]) for name in classes.names],
        confusion=summary.kept.arrays["confusion"].sum(axis=0),
        history=read_json(folder.history) if folder.history.is_file() else [],
        epoch=about["epoch"],
        worst=pictures(worst),
        best=pictures(best),
        worst_by_class={name: pictures(places) for name, places in by_class.items()},
        command=environment.pop("command", ""),
        environment=environment,
        boundary=_boundary(summary, about["boundary_width"]),
        calibration=_calibration(summary, split),
        binary=_binary(summary, split) if "foreground" in summary.kept.arrays else None,
    )
    write_text(path, evaluation_page(facts))


def _told(about: Mapping[str, Any]) -> dict[str, str]:
    told = {key: value for key, value in about.items() if key not in ("split", "tta") and value is not None}
    views = [f"{kind} {value}" for kind, value in about["tta"].items() if value]
    return {key.replace("_", " "): str(value) for key, value in {**told, "tta": ", ".join(views) or "none"}.items()}


def _chosen(summary: Summary) -> tuple[list[int], list[int], dict[str, list[int]]]:
    """Places of the worst images, of the best, and of those with the most pixels that are wrong by each class."""
    counts = Counts.of(summary.kept.arrays["confusion"])
    miou = scores_from(counts, summary.kept.names)["mIoU"]
    order = [int(place) for place in np.argsort(miou, kind="stable") if not np.isnan(miou[place])]
    each = min(EXTREMES, -(-len(order) // 2))
    wrong = counts.truth + counts.predicted - 2 * counts.hits
    by_class = {}
    for index, name in enumerate(summary.kept.names):
        most = np.argsort(-wrong[:, index], kind="stable")[:OF_A_CLASS]
        by_class[name] = [int(place) for place in most if wrong[place, index] > 0]
    return order[:each], order[::-1][:each], by_class


def _captions(summary: Summary) -> list[str]:
    scores = scores_from(Counts.of(summary.kept.arrays["confusion"]), summary.kept.names)
    return [
        f"{key}: mIoU {miou:.3f}, {accuracy:.1%} of the pixels right"
        for key, miou, accuracy in zip(summary.kept.keys, scores["mIoU"], scores["pixel_accuracy"], strict=True)
    ]


def _drawn(classes: Classes, samples: Sequence[ImageSample], predict: Predict) -> dict[str, np.ndarray]:
    drawing = ImageDrawing(classes)
    drawn: dict[str, np.ndarray] = {}
    with progress_bar("drawing", len(samples)) as bar:
        for batch, logits in predict(samples):
            drawn |= dict(drawing(batch, logits))
            bar.advance(batch.size)
    return drawn


def _bounds(found: Interval) -> tuple[float, float] | None:
    return None if np.isnan(found.low) else (found.low, found.high)


def _of_classes(summary: Summary, score: str) -> list[float]:
    return [summary.values[f"{score}/{name}"] for name in summary.kept.names]


def _boundary(summary: Summary, width: float) -> BoundaryFacts:
    told = f"{width:.0f} pixels" if width >= 1 else f"{100 * width:g} % of the diagonal"
    return BoundaryFacts(told, _of_classes(summary, "boundary_IoU"), _of_classes(summary, "boundary_F1"))


def _calibration(summary: Summary, split: str) -> CalibrationFacts:
    found = reliability(summary.kept.arrays["confidence"].sum(axis=0))
    curve = _points(found.confidence, found.accuracy)
    temperature = summary.values["temperature"]
    if np.isnan(temperature):
        return CalibrationFacts(summary.values["ECE"], curve)
    return CalibrationFacts(summary.values["ECE"], curve, temperature, split, summary.values["ECE_scaled"])


def _binary(summary: Summary, split: str) -> BinaryFacts:
    scores = threshold_scores(summary.kept.arrays["foreground"].sum(axis=0))
    return BinaryFacts(
        positive=summary.kept.names[1],
        auroc=summary.values["AUROC"],
        average_precision=summary.values["average_precision"],
        threshold=summary.values["best_threshold"],
        f1=summary.values["best_F1"],
        roc=_points(scores.false_positive_rate, scores.recall),
        precision_recall=_points(scores.recall, scores.precision),
        fitted_on=split,
    )


def _points(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """Those that are defined, thinned to what a chart can show."""
    defined = np.flatnonzero(~(np.isnan(x) | np.isnan(y)))
    step = max(1, len(defined) // CURVE_POINTS)
    return [(float(x[place]), float(y[place])) for place in defined[::step]]
