"""Scores of a dense prediction from counts: of a data set, of each image, or of each resample, all at once.

C classes; a confusion matrix is `[..., C, C]`, rows the truth and columns the prediction, in pixels (or faces), by area
in mm2.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

HEADLINES = (
    "pixel_accuracy",
    "mean_accuracy",
    "mIoU",
    "FWIoU",
    "mDice",
    "mean_precision",
    "mean_recall",
    "mean_F1",
    "kappa",
)
CONFUSIONS = ("confusion", "area")  # names of confusion matrices among counts: how many, and how large they are


class Counts(NamedTuple):
    """What every score follows from, `[..., C]` each, float64: pixels of each class that are right, that the truth has
    and that the prediction has. Exact up to 2**53; of areas that is 9,000 square kilometres.
    """

    hits: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray

    @classmethod
    def of(cls, confusion: ArrayLike) -> "Counts":
        """From confusion matrices `[..., C, C]`, of any number type."""
        cells = np.asarray(confusion, dtype=np.float64)
        return cls(np.diagonal(cells, axis1=-2, axis2=-1), cells.sum(axis=-1), cells.sum(axis=-2))

    def total(self) -> "Counts":
        """The counts of all samples together, the first dimension summed."""
        return Counts(*(counts.sum(axis=0) for counts in self))


def metrics_from(confusion: ArrayLike, names: Sequence[str]) -> dict[str, float]:
    """Every score that one confusion matrix `[C, C]` holds: `scores_from` as plain numbers."""
    return {name: float(value) for name, value in scores_from(Counts.of(confusion), names).items()}


def metric_names(names: Sequence[str], by_area: bool = False) -> list[str]:
    """Every key that `metrics_from` gives for these class names; `by_area` those of `scores_of` counts with areas."""
    scores = list(metrics_from(np.zeros((len(names), len(names))), names))
    return [*scores, *map(area_name, scores)] if by_area else scores


def area_name(score: str) -> str:
    """What a score is called where each place counts as much as its area: `area_mIoU`, `area_IoU/<class>`; that of
    `pixel_accuracy` is `area_accuracy`.
    """
    return f"area_{score.removeprefix('pixel_')}"


def scores_of(counts: Mapping[str, Counts], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Every score of the counts that `CONFUSIONS` names: `scores_from` `"confusion"`, and where there is `"area"` the
    same scores of it, each under its `area_name`.
    """
    scores = scores_from(counts["confusion"], names)
    if "area" in counts:
        scores |= {area_name(name): values for name, values in scores_from(counts["area"], names).items()}
    return scores


def scores_from(counts: Counts, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Every score of counts `[..., C]` of C named classes, `[...]` each, in [0, 1] (`kappa` in [-1, 1]) or NaN.

    Over all classes: `pixel_accuracy`; `mean_accuracy` (of the classes, that is their recall), `mIoU`, `mDice`,
    `mean_precision`, `mean_recall`, `mean_F1`: plain means over the classes; `FWIoU`: IoU weighted by each class's
    share of the truth; `kappa`: agreement beyond what chance gives (Cohen 1960). For each class: `IoU/<class>`,
    `Dice/<class>`, `precision/<class>`, `recall/<class>` and `F1/<class>`, which for dense classes is the Dice.

    A class neither in the truth nor predicted is NaN throughout, one that is only predicted has no recall (NaN), and
    NaN stays out of the means. A class in the truth that is never predicted has precision 0, as scikit-learn's
    `zero_division=0` has it. Where truth and prediction are of one and the same class chance alone agrees, and `kappa`
    is NaN. Where nothing was counted all is NaN.
    """
    hits, truth, predicted = counts
    union, both = truth + predicted - hits, truth + predicted
    iou, dice, recall = ratio(hits, union), ratio(2 * hits, both), ratio(hits, truth)
    precision = np.where((predicted == 0) & (truth > 0), 0.0, ratio(hits, predicted))
    pixels = truth.sum(axis=-1)

    scores = {
        "pixel_accuracy": ratio(hits.sum(axis=-1), pixels),
        "mean_accuracy": mean_of_defined(recall),
        "mIoU": mean_of_defined(iou),
        "FWIoU": ratio(np.nansum(truth * iou, axis=-1), pixels),
        "mDice": mean_of_defined(dice),
        "mean_precision": mean_of_defined(precision),
        "mean_recall": mean_of_defined(recall),
        "mean_F1": mean_of_defined(dice),
        "kappa": _kappa(counts),
    }
    for score, values in {"IoU": iou, "Dice": dice, "precision": precision, "recall": recall, "F1": dice}.items():
        of_class = np.moveaxis(values, -1, 0)
        scores |= {f"{score}/{name}": value for name, value in zip(names, of_class, strict=True)}
    return scores


def scores_over_images(counts: Counts, names: Sequence[str]) -> dict[str, float]:
    """Mean and standard deviation (of the population) over images of the scores that each image has by itself.

    `counts` are `[N, C]`. Every score of `scores_from` gives `image_mean/<score>` and `image_std/<score>`: absent
    classes are out of an image's own means, and images where a score is not defined, as where nothing was counted, are
    out of that score's mean and deviation.
    """
    means, deviations = {}, {}
    for name, values in scores_from(counts, names).items():
        mean = mean_of_defined(values)
        means[f"image_mean/{name}"] = float(mean)
        deviations[f"image_std/{name}"] = float(np.sqrt(mean_of_defined((values - mean) ** 2)))
    return means | deviations


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """The mean over the last dimension of the values that are defined, NaN where none is (`np.nanmean` would warn)."""
    defined = ~np.isnan(values)
    return ratio(values.sum(axis=-1, where=defined), defined.sum(axis=-1))


def _kappa(counts: Counts) -> np.ndarray:
    """1 - observed / expected disagreement, from whole numbers: nothing cancels where almost all is of one class."""
    pixels = counts.truth.sum(axis=-1)
    wrong = pixels - counts.hits.sum(axis=-1)
    by_chance = (counts.truth * (pixels[..., None] - counts.predicted)).sum(axis=-1)
    return 1 - ratio(wrong * pixels, by_chance)
