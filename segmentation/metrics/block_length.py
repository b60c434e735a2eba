"""How many neighbouring frames of a video are like one: the length of a block of the bootstrap."""

from collections.abc import Sequence
from math import ceil, log10, sqrt

import numpy as np

from segmentation.metrics.scores import Counts, mean_of_defined, ratio


def influence(counts: Counts) -> np.ndarray:
    """How the mIoU moves with the weight of each of N samples, `[N]`, from counts `[N, C]`; sums to 0.

    To first order the mIoU is a sum over the samples of this (the infinitesimal jackknife, Efron 1981), so what
    neighbours have in common in it is what makes the mIoU uncertain.
    """
    hits, union = counts.hits, counts.truth + counts.predicted - counts.hits
    whole = union.sum(axis=0)
    by_class = ratio(hits - ratio(hits.sum(axis=0), whole) * union, np.broadcast_to(whole, union.shape))
    return np.nan_to_num(mean_of_defined(by_class))


def block_length(series: np.ndarray, groups: Sequence[str]) -> int:
    """How many neighbouring samples of a group a block should hold, from a series `[N]` with mean 0, such as
    `influence`, in the order of the samples; 1 where every group is a single sample.

    The rule of Politis and White (2004), as corrected by Patton, Politis and White (2009), for circular blocks: what
    samples of a group have in common at each distance says how long blocks have to be; at most 3 sqrt(N) and N / 3.
    """
    samples, (_, group, sizes) = len(series), np.unique(groups, return_inverse=True, return_counts=True)
    if samples < 2 or sizes.max() == 1:
        return 1
    order = np.argsort(group, kind="stable")
    insignificant_run = max(5, ceil(sqrt(log10(samples))))
    furthest = ceil(sqrt(samples)) + insignificant_run
    common = _autocovariance(series[order], group[order], furthest)
    if common[0] == 0:
        return 1
    noise = 2 * sqrt(log10(samples) / samples)
    reach = _reach(np.abs(common[1:] / common[0]) >= noise, insignificant_run)
    distances = np.arange(min(2 * max(reach, 1), furthest) + 1)
    weighted = common[distances] * np.clip(2 * (1 - distances / distances[-1]), 0, 1)  # the flat-top kernel
    slope, spectrum = 2 * distances @ weighted, 2 * weighted.sum() - weighted[0]
    if spectrum <= 0:  # neighbours that make up for each other: single frames give too wide an interval, if any
        return 1
    longest = ceil(min(3 * sqrt(samples), samples / 3))
    return int(np.clip(round((1.5 * (slope / spectrum) ** 2 * samples) ** (1 / 3)), 1, longest))


def _autocovariance(series: np.ndarray, group: np.ndarray, furthest: int) -> np.ndarray:
    """The mean product of samples of one group at each distance, `[furthest + 1]`; 0 where no two are that far."""
    means = np.zeros(furthest + 1)
    means[0] = np.mean(series**2)
    for distance in range(1, min(furthest, len(series) - 1) + 1):
        together = group[distance:] == group[:-distance]
        if together.any():
            means[distance] = np.mean((series[distance:] * series[:-distance])[together])
    return means


def _reach(significant: np.ndarray, run: int) -> int:
    """The distance, counted from 1, that is followed by a run of insignificant ones; else the last significant one."""
    last = 0
    for distance in np.flatnonzero(significant) + 1:
        if distance > last + run:
            break
        last = int(distance)
    return last
