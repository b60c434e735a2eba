"""All that the kept counts of an evaluation tell: scores and their intervals, boundaries, calibration, thresholds."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segmentation.classes import Classes
from segmentation.metrics.block_length import block_length, influence
from segmentation.metrics.bootstrap import Interval, Resamples, intervals, resample
from segmentation.metrics.boundary import BoundaryCounts
from segmentation.metrics.by_sample import Counter
from segmentation.metrics.calibration import (
    ENOUGH,
    ConfidenceHistogram,
    PixelSample,
    TemperatureScaling,
    temperature_scaling,
)
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.kept_scores import kept_scores, scored_kept
from segmentation.metrics.scores import Counts, scores_from, scores_over_images
from segmentation.metrics.threshold import ForegroundHistogram, best_threshold, scores_at


def counters(classes: Classes, width: float, tolerance: float, samples: int) -> dict[str, Counter]:
    """What `Summary` reads beside the confusion, of so many samples; `width` and `tolerance` as in `BoundaryCounts`."""
    void = classes.ignore_index
    counted: dict[str, Counter] = {
        "boundary": BoundaryCounts(void, width, tolerance),
        "confidence": ConfidenceHistogram(void),
        "pixels": PixelSample(void, min(256, -(-ENOUGH // max(samples, 1)))),
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
        """Every score by its name without a split: those of `kept_scores` and of `scores_over_images`.

        With `val` also the `temperature` that fits it best, with `ECE_scaled`, of a sample of pixels after division by
        it; and of two classes the `threshold` at which val has the best F1, with `F1_at_threshold`.
        """
        scores = {name: float(value) for name, value in kept_scores(self.kept).items()}
        scores |= scores_over_images(self._counts, self.kept.names)
        if self.scaling:
            scores |= {"temperature": self.scaling.temperature, "ECE_scaled": self.scaling.ece_after}
        if self.val and "foreground" in self.kept.arrays:
            threshold = float(best_threshold(self.val.arrays["foreground"].sum(axis=0)).threshold)
            there = scores_at(self.kept.arrays["foreground"].sum(axis=0), threshold)
            scores |= {"threshold": threshold, "F1_at_threshold": float(there.f1)}
        return scores

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Of every score of `kept_scores`."""
        return intervals(scored_kept(self.kept, self.resamples), self.resamples)

    @cached_property
    def scaling(self) -> TemperatureScaling | None:
        """None where val was not evaluated."""
        if self.val is None:
            return None
        fitted = temperature_scaling(self.val.arrays["pixels"])
        return fitted if self.val is self.kept else temperature_scaling(self.kept.arrays["pixels"], fitted.temperature)

    @cached_property
    def _counts(self) -> Counts:
        return Counts.of(self.kept.arrays["confusion"])
