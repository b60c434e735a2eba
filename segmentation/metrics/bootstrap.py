"""How sure a score is: 95 % intervals from resamples of the images, or of blocks of neighbouring frames.

Everything follows from the counts of each sample; nothing is counted again. N samples, R resamples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import NamedTuple

import numpy as np
from scipy import stats

from segmentation.metrics.scores import mean_of_defined

LEVEL = 0.95
ENOUGH = 0.9  # share of the resamples in which a score has to be defined for an interval


@dataclass(frozen=True)
class Resamples:
    """How often each resample holds each sample, `weights` `[R, N]`, int32.

    A resample was put together from `blocks` blocks, each up to `length` neighbouring samples of one group; with
    length 1 these are single samples.
    """

    weights: np.ndarray
    blocks: int
    length: int


class Interval(NamedTuple):
    """A score and where it lies with 95 % confidence; `defined` is the share of the resamples that have it.

    `low` and `high` are NaN where less than 90 % have it (a class in one or two images), or where there was one block.
    """

    value: float
    low: float
    high: float
    defined: float


class Difference(NamedTuple):
    """B - A and where it lies with 95 % confidence, as in `Interval`; `above` is the share of the resamples in which
    the score of B is above that of A, equal ones counted half.
    """

    value: float
    low: float
    high: float
    defined: float
    above: float


class Scored(NamedTuple):
    """Every score of the data by name, and of each resample, `drawn` `[R, number of scores]`."""

    values: Mapping[str, np.ndarray]
    drawn: np.ndarray


def resample(groups: Sequence[str], length: int = 1, number: int = 2000, seed: int = 0) -> Resamples:
    """Resamples of N samples by blocks of up to `length` neighbours in their group (a video), in the order given.

    With length 1, or where each group is one sample, these are the samples themselves: the bootstrap of Efron (1979).
    Frames of a video resemble their neighbours; blocks of them (Künsch 1989) keep that, and are as wide as it makes
    the result uncertain. A block goes on at the start of its video when the video ends (circular: Politis and Romano
    1992), so that the frames at the ends are drawn as often as others and the scores of the resamples lie around that
    of the data. Where a group is no longer than a block, the block is the group. Blocks come from all groups alike,
    every sample is drawn equally often, and a resample has N samples on average.
    """
    group, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    shares = 1 / np.minimum(length, sizes)[group]  # of a block: in a longer one a sample is drawn from more starts
    blocks = round(shares.sum())
    generator, chances = np.random.default_rng(seed), shares / shares.sum()
    weights = np.empty((number, len(group)), np.int32)
    for row in weights:
        row[:] = np.bincount(generator.choice(len(group), blocks, p=chances), minlength=len(group))
    if length > 1:
        for members in np.split(np.argsort(group, kind="stable"), np.cumsum(sizes)[:-1]):
            weights[:, members] = _circular_sums(weights[:, members], min(length, len(members)))
    return Resamples(weights, blocks, length)


def intervals(found: Scored, resamples: Resamples) -> dict[str, Interval]:
    """Every score with its interval."""
    values, drawn = found
    rows = np.stack([np.stack(list(values.values())), *_bounds(drawn, resamples)], axis=-1)
    return {name: Interval(*row) for name, row in zip(values, rows.tolist(), strict=True)}


def paired_differences(a: Scored, b: Scored, resamples: Resamples) -> dict[str, Difference]:
    """Every score's difference B - A, of the same samples in the same order.

    Both were scored on the same resamples, so that what is hard for both makes no difference.
    """
    drawn = b.drawn - a.drawn
    values = np.stack([b.values[name] - a.values[name] for name in a.values])
    above = mean_of_defined((np.sign(drawn).T + 1) / 2)
    rows = np.stack([values, *_bounds(drawn, resamples), above], axis=-1)
    return {name: Difference(*row) for name, row in zip(a.values, rows.tolist(), strict=True)}


def resampled_sums(array: np.ndarray, resamples: Resamples) -> np.ndarray:
    """The sums over each resample, `[R, ...]`, of an array `[N, ...]`; float64, exact for counts."""
    flat = array.reshape(len(array), -1).astype(np.float64)
    weights = np.array_split(resamples.weights, max(1, len(resamples.weights) // 256))  # as float64 a part at a time
    sums = np.concatenate([part.astype(np.float64) @ flat for part in weights])
    return sums.reshape(-1, *array.shape[1:])


def percentile_interval(values: np.ndarray, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Low and high `[...]` of the values `[R, ...]` of a score in resamples of so many blocks; NaN is left out of the
    values, and given where less than 90 % of them are defined or a resample is a single block.

    The expanded percentile interval (Hesterberg 2015): resamples of n blocks vary by sqrt((n - 1) / n) too little, and
    what few blocks tell has the tails of Student's t. So the percentiles lie further out than 2.5 and 97.5: at 2.40 and
    97.60 for 200 images, at 1.59 and 98.41 for 20 blocks.
    """
    if blocks < 2:
        return np.full(values.shape[1:], nan), np.full(values.shape[1:], nan)
    defined = np.isfinite(values).sum(axis=0)
    ordered = np.sort(values, axis=0)  # NaN comes last
    outer = float(stats.norm.cdf(stats.t.ppf((1 - LEVEL) / 2, blocks - 1) * sqrt(blocks / (blocks - 1))))
    low, high = (_at_share(ordered, defined, share) for share in (outer, 1 - outer))
    enough = defined >= ENOUGH * len(values)
    return np.where(enough, low, nan), np.where(enough, high, nan)


def _at_share(ordered: np.ndarray, defined: np.ndarray, share: float) -> np.ndarray:
    """The quantile of the first `defined` `[...]` of the values `[R, ...]`, between two of them in proportion."""
    position = share * np.maximum(defined - 1, 0)
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, np.maximum(defined - 1, 0))
    low, high = (np.take_along_axis(ordered, place[None], axis=0)[0] for place in (below, above))
    return low + (position - below) * (high - low)


def _bounds(drawn: np.ndarray, resamples: Resamples) -> tuple[np.ndarray, ...]:
    """Low, high and the defined share of each column."""
    return *percentile_interval(drawn, resamples.blocks), np.isfinite(drawn).mean(axis=0)


def _circular_sums(starts: np.ndarray, length: int) -> np.ndarray:
    """How many blocks of `length` cover each place `[R, M]` of a circle, from how many start there."""
    around = np.concatenate([starts[:, starts.shape[1] - length + 1 :], starts], axis=1)
    sums = np.pad(np.cumsum(around, axis=1), ((0, 0), (1, 0)))
    return sums[:, length:] - sums[:, :-length]
