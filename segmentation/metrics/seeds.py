"""Runs that differ in their seed alone, taken together: what another seed would change belongs to the uncertainty."""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from segmentation.metrics.bootstrap import Difference, Resamples, Scored, paired_differences


def group_differences(
    group_a: Sequence[Scored], group_b: Sequence[Scored], resamples: Resamples, seed: int = 0
) -> dict[str, Difference]:
    """Every score's difference B - A between groups of runs, each of them scored on the same resamples.

    A group's score is the mean of its runs'. The intervals hold what another choice of images and what other seeds
    would have given: of n seeds, each resample's mean moves by their standard error in that resample times a draw from
    Student's t of n - 1 degrees of freedom, so that few seeds, which say little of others, make wide intervals. A group
    of one run says nothing of other seeds.
    """
    random = np.random.default_rng([seed, 1])  # another stream than the one that drew the images
    a, b = (_mean_of(group, random) for group in (group_a, group_b))
    return paired_differences(a, b, resamples)


def _mean_of(runs: Sequence[Scored], random: np.random.Generator) -> Scored:
    n = len(runs)
    if n == 1:
        return runs[0]
    values = {name: np.mean([run.values[name] for run in runs], axis=0) for name in runs[0].values}
    drawn = np.stack([run.drawn for run in runs])
    error = drawn.std(axis=0, ddof=1) / sqrt(n)
    return Scored(values, drawn.mean(axis=0) + error * random.standard_t(n - 1, size=(len(error), 1)))
