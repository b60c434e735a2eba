"""All that the kept counts of an evaluation tell: scores and their intervals, boundaries, calibration, thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segmentation.classes import Classes
from segmentation.metrics.block_length import block_length, influence
from segmentation.metrics.bootstrap import Interval, Resamples, intervals, percentile_interval, resample, resampled_sums
from segmentation.metrics.boundary import BoundaryCounts, boundary_scores
from segmentation.metrics.by_sample import Counter
from segmentation.metrics.calibration import (
    ConfidenceHistogram,
    PixelSample,
    TemperatureScaling,
    calibration_error,
    temperature_scaling,
)
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.scores import Counts, mean_of_defined, metrics_from, scores_from, scores_over_images
from segmentation.metrics.threshold import ForegroundHistogram, auroc, average_precision, best_threshold, scores_at

FURTHER = ("boundary", "confidence", "foreground")  # counts beside the confusion whose sums have scores
FITTED_TO = 50_000  # pixels are enough for a temperature


def counters(classes: Classes, width: float, tolerance: float, samples: int) -> dict[str, Counter]:
    """What `Summary` reads beside the confusion, of so many samples; `width` and `tolerance` as in `BoundaryCounts`."""
    void = classes.ignore_index
    counted: dict[str, Counter] = {
        "boundary": BoundaryCounts(void, width, tolerance),
        "confidence": ConfidenceHistogram(void),
        "pixels": PixelSample(void, min(256, -(-FITTED_TO // max(samples, 1)))),
    }
    return counted | ({"foreground": ForegroundHistogram(void)} if len(classes) == 2 else {})


@dataclass(frozen=True)
class Summary:
    """Of the counts of N samples in the order of the split; `number` resamples with this seed give the intervals.

    Temperature and threshold are chosen on `val`: these counts themselves if the split is val, else those of val, or
    None if val was not evaluated.
    """

    kept: KeptCounts
    val: KeptCounts | None
    number: int
    seed: int

    @cached_property
    def resamples(self) -> Resamples:
        """Single images, or blocks of neighbouring frames as long as what they have in common makes necessary."""
        length = block_length(influence(self._counts), self.kept.groups)
        return resample(self.kept.groups, length, self.number, self.seed)

    @cached_property
    def of_images(self) -> dict[str, np.ndarray]:
        """The scores of `scores_from` of each image by itself, `[N]`."""
        return scores_from(self._counts, self.kept.names)

    @cached_property
    def values(self) -> dict[str, float]:
        """Every score by its name without a split: those of `metrics_from` and `scores_over_images`, and

        `boundary_mIoU`, `boundary_mF1`, `boundary_IoU/<class>`, `boundary_F1/<class>`; `ECE`; of two classes also
        `AUROC` and `average_precision`. With `val` also the `temperature` that fits it best, with `ECE_scaled`, of a
        sample of pixels after division by it; and of two classes the `threshold` at which val has the best F1, with
        `F1_at_threshold`.
        """
        confusion = self.kept.arrays["confusion"].sum(axis=0)
        scores = metrics_from(confusion, self.kept.names) | scores_over_images(self._counts, self.kept.names)
        scores |= {name: float(value) for name, value in self._further(_summed(self.kept)).items()}
        if self.scaling:
            scores |= {"temperature": self.scaling.temperature, "ECE_scaled": self.scaling.ece_after}
        if self.val and "foreground" in self.kept.arrays:
            threshold = float(best_threshold(self.val.arrays["foreground"].sum(axis=0)).threshold)
            there = scores_at(self.kept.arrays["foreground"].sum(axis=0), threshold)
            scores |= {"threshold": threshold, "F1_at_threshold": float(there.f1)}
        return scores

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Of every score of `metrics_from`, of the boundaries', `ECE`, `AUROC` and `average_precision`."""
        found = intervals(self._counts, self.resamples, self.kept.names)
        names = [name for name in FURTHER if name in self.kept.arrays]
        drawn = self._further({name: resampled_sums(self.kept.arrays[name], self.resamples) for name in names})
        for name, scores in drawn.items():
            low, high = percentile_interval(scores, self.resamples.blocks)
            found[name] = Interval(self.values[name], float(low), float(high), float(np.isfinite(scores).mean()))
        return found

    @cached_property
    def scaling(self) -> TemperatureScaling | None:
        """None where val was not evaluated."""
        if self.val is None:
            return None
        fitted = temperature_scaling(self.val.arrays["pixels"])
        return temperature_scaling(self.kept.arrays["pixels"], fitted.temperature)

    @cached_property
    def _counts(self) -> Counts:
        return Counts.of(self.kept.arrays["confusion"])

    def _further(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The scores `[...]` of what is counted beside the confusion, from sums `[..., *]` over samples."""
        boundary = boundary_scores(sums["boundary"])
        scores = {"boundary_mIoU": mean_of_defined(boundary.iou), "boundary_mF1": mean_of_defined(boundary.f1)}
        scores |= _by_class("boundary_IoU", boundary.iou, self.kept.names)
        scores |= _by_class("boundary_F1", boundary.f1, self.kept.names)
        scores["ECE"] = calibration_error(sums["confidence"])
        if "foreground" in sums:
            scores |= {"AUROC": auroc(sums["foreground"]), "average_precision": average_precision(sums["foreground"])}
        return scores


def _summed(kept: KeptCounts) -> dict[str, np.ndarray]:
    return {name: kept.arrays[name].sum(axis=0) for name in FURTHER if name in kept.arrays}


def _by_class(score: str, values: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    return {f"{score}/{name}": value for name, value in zip(names, np.moveaxis(values, -1, 0), strict=True)}
