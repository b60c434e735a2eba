"""Every score that the counts of an evaluation hold, of all samples and of resamples of them."""

from collections.abc import Callable, Sequence

import numpy as np

from segmentation.metrics.bootstrap import Resamples, Scored, resampled_sums
from segmentation.metrics.boundary import boundary_scores
from segmentation.metrics.calibration import calibration_error
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.scores import CONFUSIONS, Counts, mean_of_defined, scores_of
from segmentation.metrics.threshold import auroc, average_precision


def scored_kept(kept: KeptCounts, resamples: Resamples) -> Scored:
    """Every score of `kept_scores`, of the data and of each resample."""
    drawn = kept_scores(kept, lambda array: resampled_sums(array, resamples))
    return Scored(kept_scores(kept), np.stack(list(drawn.values()), axis=-1))


def kept_scores(
    kept: KeptCounts, sum_of: Callable[[np.ndarray], np.ndarray] = lambda array: array.sum(axis=0)
) -> dict[str, np.ndarray]:
    """Every score `[...]` by name; `sum_of` makes of counts `[N, *]` sums over samples `[..., *]`.

    Those of `scores_of`, by area too where areas were counted, and where there are counts for them `boundary_mIoU`,
    `boundary_mF1`, `boundary_IoU/<class>` and `boundary_F1/<class>`; `ECE`, the lower the better; `AUROC` and
    `average_precision`.
    """
    counts = {name: Counts.of(kept.arrays[name]) for name in CONFUSIONS if name in kept.arrays}
    scores = scores_of({name: Counts(*map(sum_of, of_samples)) for name, of_samples in counts.items()}, kept.names)
    if "boundary" in kept.arrays:
        scores |= _boundary_scores(sum_of(kept.arrays["boundary"]), kept.names)
    if "confidence" in kept.arrays:
        scores["ECE"] = calibration_error(sum_of(kept.arrays["confidence"]))
    if "foreground" in kept.arrays:
        foreground = sum_of(kept.arrays["foreground"])
        scores |= {"AUROC": auroc(foreground), "average_precision": average_precision(foreground)}
    return scores


def _boundary_scores(sums: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    found = boundary_scores(sums)
    scores = {"boundary_mIoU": mean_of_defined(found.iou), "boundary_mF1": mean_of_defined(found.f1)}
    for score, values in {"boundary_IoU": found.iou, "boundary_F1": found.f1}.items():
        of_class = np.moveaxis(values, -1, 0)
        scores |= {f"{score}/{name}": value for name, value in zip(names, of_class, strict=True)}
    return scores
