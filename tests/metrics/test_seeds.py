"""Groups of runs against each other: one run a group is the paired bootstrap, several hold what seeds change."""

import numpy as np
import pytest

from segmentation.metrics.bootstrap import Resamples, Scored, paired_differences, resample
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.kept_scores import kept_scores, scored_kept
from segmentation.metrics.seeds import group_differences

NAMES = ("road", "tree", "car")
IMAGES = tuple(f"image_{place}" for place in range(60))


def confusions(share_right: float, seed: int) -> KeptCounts:
    """Of 60 images of 1000 pixels of three classes, so many of each class right, more or less."""
    random = np.random.default_rng(seed)
    right = random.binomial(1000, share_right, size=(60, 3))
    matrices = np.zeros((60, 3, 3), np.int64)
    for index in range(3):
        matrices[:, index, index] = right[:, index]
        matrices[:, index, (index + 1) % 3] = 1000 - right[:, index]
    return KeptCounts(IMAGES, IMAGES, NAMES, {"confusion": matrices})


def all_scored(runs: list[KeptCounts], resamples: Resamples) -> list[Scored]:
    return [scored_kept(run, resamples) for run in runs]


def test_groups_of_one_run_are_the_paired_bootstrap() -> None:
    a, b, resamples = confusions(0.8, 1), confusions(0.82, 2), resample(IMAGES, number=200)
    (of_a, of_b) = all_scored([a, b], resamples)
    assert group_differences([of_a], [of_b], resamples) == paired_differences(of_a, of_b, resamples)


def test_the_same_runs_twice_differ_by_nothing() -> None:
    resamples = resample(IMAGES, number=200)
    runs = all_scored([confusions(0.8, 1), confusions(0.9, 2)], resamples)
    alone = group_differences(runs[:1], runs[:1], resamples)["mIoU"]
    assert (alone.value, alone.low, alone.high, alone.above) == (0, 0, 0, 0.5)
    assert group_differences(runs, runs, resamples)["mIoU"].value == 0


def test_the_difference_is_that_of_the_means() -> None:
    group_a, group_b = [confusions(0.7, 1), confusions(0.8, 2)], [confusions(0.85, 3)]
    resamples = resample(IMAGES, number=50)
    found = group_differences(all_scored(group_a, resamples), all_scored(group_b, resamples), resamples)["mIoU"].value
    of_each = [float(kept_scores(run)["mIoU"]) for run in (*group_a, *group_b)]
    assert found == pytest.approx(of_each[2] - (of_each[0] + of_each[1]) / 2)


KNOWN = 0.6  # the mean over all seeds there could be


def share_held(of_a: int, of_b: int, simulations: int = 600) -> float:
    """How often the interval of B - A holds 0, the truth, where seeds are the noise: of so many seeds, normal around
    one mean. 0 seeds: A is known. All simulations at once, each a score of its own.
    """
    random = np.random.default_rng(0)
    resamples = resample([f"image_{place}" for place in range(1000)], number=1000)

    def group(seeds: int) -> list[Scored]:
        each = random.normal(KNOWN, 0.02, (seeds, simulations)) if seeds else np.full((1, simulations), KNOWN)
        return [Scored({str(place): value for place, value in enumerate(run)}, np.tile(run, (1000, 1))) for run in each]

    found = group_differences(group(of_a), group(of_b), resamples)
    return float(np.mean([difference.low <= 0 <= difference.high for difference in found.values()]))


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_intervals_hold_what_other_seeds_would_give(seeds: int) -> None:
    """Of two seeds the interval between them alone holds it in half of the cases."""
    assert 0.93 <= share_held(0, seeds) <= 0.97


@pytest.mark.parametrize("seeds", [2, 3])
def test_intervals_between_two_groups_of_seeds_are_on_the_safe_side(seeds: int) -> None:
    """Two unknown spreads (Behrens and Fisher): the interval is a little too wide rather than too narrow."""
    assert 0.95 <= share_held(seeds, seeds) <= 1


def test_images_and_seeds_both_widen_the_interval() -> None:
    resamples = resample(IMAGES, number=2000)
    close = all_scored([confusions(0.8, 1), confusions(0.8, 2)], resamples)
    apart = all_scored([confusions(0.7, 3), confusions(0.9, 4)], resamples)
    near, wide = (group_differences(close, group, resamples)["pixel_accuracy"] for group in (close, apart))
    assert near.high - near.low < 0.2
    assert wide.low < -0.5 < wide.value < 0.5 < wide.high


def test_it_is_seeded() -> None:
    resamples = resample(IMAGES, number=100)
    group_a = all_scored([confusions(0.7, 1), confusions(0.8, 2)], resamples)
    group_b = all_scored([confusions(0.85, 3)], resamples)
    first, again, other = (group_differences(group_a, group_b, resamples, seed)["mIoU"] for seed in (0, 0, 1))
    assert first == again
    assert first != other
