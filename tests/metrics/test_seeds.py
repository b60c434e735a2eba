"""Groups of runs against each other: one run a group is the paired bootstrap, several hold what seeds change."""

import numpy as np
import pytest

from segmentation.metrics.bootstrap import paired_differences, resample
from segmentation.metrics.scores import Counts, scores_from
from segmentation.metrics.seeds import group_differences

NAMES = ("road", "tree", "car")
IMAGES = [f"image_{place}" for place in range(60)]


def confusions(share_right: float, seed: int) -> Counts:
    """Of 60 images of 1000 pixels of three classes, so many of each class right, more or less."""
    random = np.random.default_rng(seed)
    right = random.binomial(1000, share_right, size=(60, 3))
    matrices = np.zeros((60, 3, 3), np.int64)
    for index in range(3):
        matrices[:, index, index] = right[:, index]
        matrices[:, index, (index + 1) % 3] = 1000 - right[:, index]
    return Counts.of(matrices)


def test_groups_of_one_run_are_the_paired_bootstrap() -> None:
    a, b, resamples = confusions(0.8, 1), confusions(0.82, 2), resample(IMAGES, number=200)
    assert group_differences([a], [b], resamples, NAMES) == paired_differences(a, b, resamples, NAMES)


def test_the_same_runs_twice_differ_by_nothing() -> None:
    runs, resamples = [confusions(0.8, 1), confusions(0.9, 2)], resample(IMAGES, number=200)
    alone = group_differences(runs[:1], runs[:1], resamples, NAMES)["mIoU"]
    assert (alone.value, alone.low, alone.high, alone.above) == (0, 0, 0, 0.5)
    assert group_differences(runs, runs, resamples, NAMES)["mIoU"].value == 0


def test_the_difference_is_that_of_the_means() -> None:
    group_a, group_b = [confusions(0.7, 1), confusions(0.8, 2)], [confusions(0.85, 3)]
    found = group_differences(group_a, group_b, resample(IMAGES, number=50), NAMES)["mIoU"].value
    of_each = [float(scores_from(run.total(), NAMES)["mIoU"]) for run in (*group_a, *group_b)]
    assert found == pytest.approx(of_each[2] - (of_each[0] + of_each[1]) / 2)


def test_the_interval_holds_what_seeds_change() -> None:
    """Two seeds 0.2 apart, images that vary by almost nothing: twice the worse seed is 0.1 below, times sqrt(2)."""
    close, apart = [confusions(0.8, 1), confusions(0.8, 2)], [confusions(0.7, 3), confusions(0.9, 4)]
    resamples = resample(IMAGES, number=4000)
    near, wide = (group_differences(close, group, resamples, NAMES)["pixel_accuracy"] for group in (close, apart))
    assert near.high - near.low < 0.02
    assert wide.low == pytest.approx(-0.2 / np.sqrt(2), abs=0.02)
    assert wide.high == pytest.approx(0.2 / np.sqrt(2), abs=0.02)
    assert wide.low < wide.value < wide.high


def test_it_is_seeded() -> None:
    group_a, group_b = [confusions(0.7, 1), confusions(0.8, 2)], [confusions(0.85, 3)]
    resamples = resample(IMAGES, number=100)
    first, again, other = (group_differences(group_a, group_b, resamples, NAMES, seed)["mIoU"] for seed in (0, 0, 1))
    assert first == again
    assert first != other
