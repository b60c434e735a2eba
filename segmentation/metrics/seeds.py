"""Runs that differ in their seed alone, taken together: what another seed would change belongs to the uncertainty."""

from collections.abc import Sequence

import numpy as np

from segmentation.metrics.bootstrap import Difference, Resamples, Scored, differences, scored
from segmentation.metrics.scores import Counts


def group_differences(
    group_a: Sequence[Counts], group_b: Sequence[Counts], resamples: Resamples, names: Sequence[str], seed: int = 0
) -> dict[str, Difference]:
    """Every score's difference B - A between groups of runs, from the counts `[N, C]` of each run on the same samples.

    A group's score is the mean of its runs'. Every resample takes the same images for all runs and, of a group of n
    runs, n of them with replacement, so that the intervals hold what another choice of images and what other seeds
    would have given. A group of one run says nothing of other seeds: for two such groups this is `paired_differences`.
    """
    random = np.random.default_rng(seed)
    a, b = (_mean_of([scored(run, resamples, names) for run in group], random) for group in (group_a, group_b))
    return differences(a, b, resamples)


def _mean_of(runs: Sequence[Scored], random: np.random.Generator) -> Scored:
    """Means of n runs drawn from n vary by sqrt((n - 1) / n) too little, which is put right: with two or three seeds it
    matters.
    """
    if len(runs) == 1:
        return runs[0]
    values = {name: np.mean([run.values[name] for run in runs], axis=0) for name in runs[0].values}
    drawn = np.stack([run.drawn for run in runs])
    n, number = len(runs), drawn.shape[1]
    times = random.multinomial(n, [1 / n] * n, size=number)
    middle = drawn.mean(axis=0)
    of_seeds = np.einsum("rn,nrs->rs", times / n, drawn)
    return Scored(values, middle + np.sqrt(n / (n - 1)) * (of_seeds - middle))
