"""The page of an evaluation: what it found, with pictures of the images that it found worst and best."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.apps.evaluation.result import FURTHER
from segmentation.apps.resampling import resampling
from segmentation.build.predictor import Predict
from segmentation.build.sets import Draws
from segmentation.classes import Classes
from segmentation.metrics.bootstrap import Interval
from segmentation.metrics.calibration import reliability
from segmentation.metrics.scores import Counts
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
from segmentation.reports.words import Words
from segmentation.runtime.console import progress_bar
from segmentation.runtime.files import read_json, write_text
from segmentation.runtime.run_folder import RunFolder, read_written

EXTREMES, OF_A_CLASS = 12, 3  # pictures of the worst images, and of the best; of the worst of each class
HEADLINE = ("mIoU", "pixel_accuracy", "mean_accuracy", "mDice", "FWIoU", "kappa", *FURTHER)
OVER_IMAGES = ("mIoU", "pixel_accuracy", "mDice")
COLUMNS = ("IoU", "Dice", "precision", "recall", "area_IoU", "area_Dice")
CURVE_POINTS = 250


def write_page(
    path: Path,
    classes: Classes,
    summary: Summary,
    about: Mapping[str, Any],
    drawn: Mapping[str, np.ndarray],
    words: Words,
) -> None:
    """With the pictures that there are: `drawn` holds them by the keys of their samples."""
    worst, best, by_class = _chosen(summary)
    captions = _captions(summary, words.places)
    keys = summary.kept.keys

    def pictures(chosen: Iterable[int]) -> list[Picture]:
        return [(captions[place], drawn[keys[place]]) for place in chosen if keys[place] in drawn]

    folder, split = RunFolder(path.resolve().parents[1]), str(about["split"])
    environment = dict(about["environment"])
    if "boundary" not in summary.kept.arrays:
        about = {key: value for key, value in about.items() if not key.startswith("boundary_")}
    columns = [name for name in COLUMNS if f"{name}/{classes.names[0]}" in summary.values]
    facts = EvaluationFacts(
        title=f"{folder.path.name}: {path.stem}",
        split=split,
        about=_told(about, words.samples),
        words=words,
        headline=[
            HeadlineScore(_label(name, words.place), summary.values[name], _bounds(summary.intervals[name]))
            for name in HEADLINE
            if name in summary.values
        ],
        resampling=f"95 % {resampling(summary.kept.groups, summary.resamples, words.samples)}.",
        classes=classes,
        over_images={
            _label(name, words.place): (summary.values[f"image_mean/{name}"], summary.values[f"image_std/{name}"])
            for name in OVER_IMAGES
        },
        by_class={_label(score, words.place): _of_classes(summary, score) for score in columns},
        iou_intervals=[_bounds(summary.intervals[f"IoU/{name}"]) for name in classes.names],
        confusion=summary.kept.arrays["confusion"].sum(axis=0),
        history=read_written(folder.history, _read_history) if folder.history.is_file() else [],
        epoch=about["epoch"],
        worst=pictures(worst),
        best=pictures(best),
        worst_by_class={name: pictures(places) for name, places in by_class.items()},
        command=str(environment.pop("command", "")),
        environment={**environment, "trained by": _training_command(folder)},
        boundary=_boundary(summary, about) if "boundary" in summary.kept.arrays else None,
        calibration=_calibration(summary),
        areas=summary.kept.arrays["area"].sum(axis=(0, 2)).tolist() if "area" in summary.kept.arrays else None,
        binary=_binary(summary) if "foreground" in summary.kept.arrays else None,
    )
    write_text(path, evaluation_page(facts))


def pictures_for(summary: Summary, drawing: Draws, samples: Sequence[Any], predict: Predict) -> dict[str, np.ndarray]:
    """Of the samples that the page shows, by their keys, RGB `[h, w, 3]` uint8.

    The model is asked again for them: the predictions of all would not fit into memory.
    """
    worst, best, by_class = _chosen(summary)
    places = {*worst, *best, *(place for places in by_class.values() for place in places)}
    drawn: dict[str, np.ndarray] = {}
    with progress_bar("drawing", len(places)) as bar:
        for batch, logits in predict([samples[place] for place in sorted(places)]):
            drawn |= dict(drawing(batch, logits))
            bar.advance(batch.size)
    return drawn


def _read_history(path: Path) -> list[dict[str, Any]]:
    """Raises whatever a file makes it raise that is no history."""
    rows: list[dict[str, Any]] = read_json(path)
    if not all("epoch" in row for row in rows):
        raise ValueError
    return rows


def _training_command(folder: RunFolder) -> str:
    return str(read_written(folder.environment, read_json).get("command", "")) if folder.environment.is_file() else ""


def _label(score: str, place: str) -> str:
    """As people read it: of meshes `pixel_accuracy` is the face accuracy, `area_mIoU` the mIoU by area."""
    name = score.removeprefix("area_").replace("pixel", place).replace("_", " ")
    return f"{name} by area" if score.startswith("area_") else name


def _told(about: Mapping[str, Any], samples: str) -> dict[str, str]:
    apart = ("split", "tta", "environment")
    told = {key: value for key, value in about.items() if key not in apart and value is not None}
    views = [f"{kind} {value}" for kind, value in about["tta"].items() if value]
    told["tta"] = ", ".join(views) or "none"
    return {key.replace("images", samples).replace("_", " "): str(value) for key, value in told.items()}


def _chosen(summary: Summary) -> tuple[list[int], list[int], dict[str, list[int]]]:
    """Places of the worst images, of the best, and of those with the most pixels that are wrong by each class."""
    counts, miou = Counts.of(summary.kept.arrays["confusion"]), summary.of_images["mIoU"]
    order = [int(place) for place in np.argsort(miou, kind="stable") if not np.isnan(miou[place])]
    each = min(EXTREMES, -(-len(order) // 2))
    wrong = counts.truth + counts.predicted - 2 * counts.hits
    by_class = {}
    for index, name in enumerate(summary.kept.names):
        most = np.argsort(-wrong[:, index], kind="stable")[:OF_A_CLASS]
        by_class[name] = [int(place) for place in most if wrong[place, index] > 0]
    return order[:each], order[::-1][:each], by_class


def _captions(summary: Summary, places: str) -> list[str]:
    scores = summary.of_images
    return [
        f"{key}: mIoU {miou:.3f}, {accuracy:.1%} of the {places} right"
        for key, miou, accuracy in zip(summary.kept.keys, scores["mIoU"], scores["pixel_accuracy"], strict=True)
    ]


def _bounds(found: Interval) -> tuple[float, float] | None:
    return None if np.isnan(found.low) else (found.low, found.high)


def _of_classes(summary: Summary, score: str) -> list[float]:
    return [summary.values[f"{score}/{name}"] for name in summary.kept.names]


def _length(length: float) -> str:
    return f"{length:g} pixels" if length >= 1 else f"{100 * length:g} % of the diagonal"


def _boundary(summary: Summary, about: Mapping[str, Any]) -> BoundaryFacts:
    return BoundaryFacts(
        _length(about["boundary_width"]),
        _length(about["boundary_tolerance"]),
        _of_classes(summary, "boundary_IoU"),
        _of_classes(summary, "boundary_F1"),
    )


def _calibration(summary: Summary) -> CalibrationFacts:
    curve, scaling = _curve(summary.kept.arrays["confidence"].sum(axis=0)), summary.scaling
    if scaling is None or np.isnan(scaling.temperature):
        return CalibrationFacts(summary.values["ECE"], curve)
    return CalibrationFacts(
        summary.values["ECE"], curve, scaling.temperature, scaling.ece_after, _curve(scaling.counts)
    )


def _curve(counts: np.ndarray) -> list[tuple[float, float]]:
    found = reliability(counts)
    return _points(found.confidence, found.accuracy)


def _binary(summary: Summary) -> BinaryFacts:
    scores = threshold_scores(summary.kept.arrays["foreground"].sum(axis=0))
    return BinaryFacts(
        positive=summary.kept.names[1],
        auroc=summary.values["AUROC"],
        average_precision=summary.values["average_precision"],
        roc=_points(scores.false_positive_rate, scores.recall),
        precision_recall=_points(scores.recall, scores.precision),
        threshold=summary.values.get("threshold"),
        f1=summary.values.get("F1_at_threshold"),
    )


def _points(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """Those that are defined, thinned to what a chart can show."""
    defined = np.flatnonzero(~(np.isnan(x) | np.isnan(y)))
    step = max(1, len(defined) // CURVE_POINTS)
    return [(float(x[place]), float(y[place])) for place in defined[::step]]
