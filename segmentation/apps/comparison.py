"""One group of runs against another, on the same images: differences, their intervals, and a sentence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from segmentation.apps.compared import Group
from segmentation.metrics.block_length import block_length, influence
from segmentation.metrics.bootstrap import Difference, resample
from segmentation.metrics.seeds import group_differences

MAIN = "mIoU"  # the score that the sentence speaks of
CHANGED = 8  # images that are named, of those that became better and of those that became worse


class Change(NamedTuple):
    """The pixel accuracy of an image, as the mean of each group's runs."""

    key: str
    baseline: float
    other: float

    @property
    def value(self) -> float:
        return self.other - self.baseline


@dataclass(frozen=True)
class Comparison:
    """`other` against `baseline`; a resample is made of blocks of `block_length` neighbouring frames (1: of images)."""

    baseline: Group
    other: Group
    differences: Mapping[str, Difference]
    block_length: int

    @property
    def beyond_noise(self) -> bool | None:
        """Whether the interval of the mIoU's difference leaves out 0; None where there is no interval."""
        found = self.differences[MAIN]
        return None if math.isnan(found.low) else not found.low <= 0 <= found.high

    def sentence(self) -> str:
        found = self.differences[MAIN]
        if math.isnan(found.low):
            return f"Whether {self.other.name} differs from {self.baseline.name} cannot be told from these images."
        amount = f"{abs(found.value):.4f} {'below' if found.value < 0 else 'above'}" if found.value else "equal to"
        verdict = "beyond noise" if self.beyond_noise else "within noise"
        return (
            f"The {MAIN} of {self.other.name} is {amount} that of {self.baseline.name}, which is {verdict}: the 95 % "
            f"interval of the difference is {found.low:+.4f} to {found.high:+.4f}, and {self.other.name} is the better "
            f"one in {100 * found.above:.1f} % of the resamples."
        )

    def notes(self) -> list[str]:
        """What the intervals hold, and what they do not."""
        kept = self.baseline.runs[0].kept
        told = [f"The intervals come from resamples of {len(kept.keys)} images, the same for both."]
        videos = len(set(kept.groups))
        if videos < len(kept.keys):
            told.append(
                f"The images are frames of {videos} {'video' if videos == 1 else 'videos'} and resemble their "
                f"neighbours: resampled in blocks of {self.block_length}. The intervals say nothing of other videos."
            )
        single = [group.name for group in (self.baseline, self.other) if len(group.runs) == 1]
        if single:
            told.append(
                f"Of {' and '.join(single)} there is one seed{' each' if len(single) == 2 else ''}: what another seed "
                "would change is not in the intervals; several runs that differ in their seed alone would tell."
            )
        if len(single) < 2:
            told.append(
                "The score of several seeds is their mean; every resample also draws among the seeds, so that their "
                "differences are in the intervals. Two or three seeds say little of others."
            )
        return told

    def changes(self) -> list[Change]:
        """The images whose pixel accuracy changed most: those that became better, then those that became worse."""
        before, after = self.baseline.accuracies, self.other.accuracies
        order = [place for place in np.argsort(after - before, kind="stable") if after[place] != before[place]]
        order = [place for place in order if not math.isnan(after[place] - before[place])]
        worse = [place for place in order[:CHANGED] if after[place] < before[place]]
        better = [place for place in order[::-1][:CHANGED] if after[place] > before[place]]
        keys = self.baseline.runs[0].kept.keys
        return [Change(keys[place], float(before[place]), float(after[place])) for place in [*better, *worse]]


def compared(baseline: Group, other: Group, number: int, seed: int) -> Comparison:
    """With so many resamples; blocks as long as the difference of neighbouring frames makes necessary."""
    kept = baseline.runs[0].kept
    series = _influence(other) - _influence(baseline)
    length = block_length(series, kept.groups)
    drawn = resample(kept.groups, length, number, seed)
    counts_a, counts_b = ([run.counts for run in group.runs] for group in (baseline, other))
    return Comparison(baseline, other, group_differences(counts_a, counts_b, drawn, kept.names, seed), length)


def _influence(group: Group) -> np.ndarray:
    return np.mean([influence(run.counts) for run in group.runs], axis=0)
