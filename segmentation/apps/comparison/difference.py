"""One group of runs against another, on the same images: differences, their intervals, and a sentence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from segmentation.apps.comparison.compared import Group
from segmentation.apps.resampling import resampling
from segmentation.metrics.block_length import block_length, influence
from segmentation.metrics.bootstrap import Difference, Resamples, resample
from segmentation.metrics.kept_scores import scored_kept
from segmentation.metrics.seeds import group_differences
from segmentation.reports.words import Words

MAIN = "mIoU"  # the score that the sentence speaks of
LOWER_IS_BETTER = {"ECE"}
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
    """`other` against `baseline`, both scored on the same `resamples`."""

    baseline: Group
    other: Group
    differences: Mapping[str, Difference]
    resamples: Resamples

    @property
    def words(self) -> Words:
        return self.baseline.runs[0].words

    @property
    def of_seeds(self) -> bool:
        """Whether both are seeds of one configuration, whose difference is noise whatever the images say."""
        return self.baseline.runs[0].experiment == self.other.runs[0].experiment

    @property
    def beyond_noise(self) -> bool | None:
        """Whether the interval of the mIoU's difference leaves out 0; None where there is no interval, and of seeds of
        one configuration. With one seed each it is the noise of the images alone.
        """
        found = self.differences[MAIN]
        return None if self.of_seeds or math.isnan(found.low) else not found.low <= 0 <= found.high

    def better_share(self, score: str) -> float:
        """The share of the resamples in which `other` is the better one."""
        above = self.differences[score].above
        return 1 - above if score in LOWER_IS_BETTER else above

    def sentence(self) -> str:
        found, samples = self.differences[MAIN], self.words.samples
        if math.isnan(found.low):
            return f"Whether {self.other.name} differs from {self.baseline.name} cannot be told from these {samples}."
        amount = f"{abs(found.value):.4f} {'below' if found.value < 0 else 'above'}" if found.value else "equal to"
        return (
            f"The {MAIN} of {self.other.name} is {amount} that of {self.baseline.name}, {self._verdict()}: the 95 % "
            f"interval of the difference is {found.low:+.4f} to {found.high:+.4f}, and {self.other.name} is the better "
            f"one in {100 * found.above:.1f} % of the resamples."
        )

    def _verdict(self) -> str:
        """Names the noise: that of the images, which the interval holds, and of seeds, if there are several."""
        samples = self.words.samples
        if self.of_seeds:
            return f"as two seeds of one configuration may differ; what other {samples} would change"
        place = "beyond" if self.beyond_noise else "within"
        if not self._single:
            return f"which is {place} the noise of {samples} and seeds"
        of = "one seed each" if len(self._single) == 2 else f"of {self._single[0]} one seed"
        return f"which is {place} the noise of these {samples} ({of}: other seeds may differ by more)"

    @property
    def _single(self) -> list[str]:
        return [group.name for group in (self.baseline, self.other) if len(group.runs) == 1]

    def notes(self) -> list[str]:
        """What the intervals hold, and what they do not."""
        groups, samples = self.baseline.runs[0].kept.groups, self.words.samples
        told = [f"95 % {resampling(groups, self.resamples, samples)}, the same for both."]
        if self.of_seeds:
            return [*told, "Both are seeds of one configuration: the mean and the deviation of all are what counts."]
        if self._single:
            told.append(
                f"Of {' and '.join(self._single)} there is one seed{' each' if len(self._single) == 2 else ''}: what "
                f"another seed would change, often more than other {samples}, is not in the intervals; several runs "
                "that differ in their seed alone would tell."
            )
        if len(self._single) < 2:
            told.append(
                "The score of several seeds is their mean; the intervals hold what other seeds would have given. Two "
                "or three say little of others: they make wide intervals."
            )
        return told

    @cached_property
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
    a, b = ([scored_kept(run.kept, drawn) for run in group.runs] for group in (baseline, other))
    return Comparison(baseline, other, group_differences(a, b, drawn, seed), drawn)


def notes_on_all(comparisons: Sequence[Comparison]) -> list[str]:
    """The notes of all comparisons, each once."""
    told = list(dict.fromkeys(note for comparison in comparisons for note in comparison.notes()))
    if len(comparisons) > 1:
        told.append(f"Of {len(comparisons)} comparisons, one in 20 is beyond noise by chance where nothing differs.")
    return told


def _influence(group: Group) -> np.ndarray:
    return np.mean([influence(run.counts) for run in group.runs], axis=0)
