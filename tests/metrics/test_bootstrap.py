from itertools import product
from math import isnan, sqrt

import numpy as np
import pytest
from scipy import stats

from segmentation.metrics import bootstrap
from segmentation.metrics.block_length import block_length, influence
from segmentation.metrics.bootstrap import (
    Difference,
    Interval,
    Resamples,
    Scored,
    percentile_interval,
    resample,
    resampled_sums,
)
from segmentation.metrics.scores import Counts, metric_names, metrics_from, scores_from

NAMES = ("road", "car", "sky")


def keys(samples: int) -> list[str]:
    return [f"image {index}" for index in range(samples)]


def confusions(samples: int, seed: int = 0) -> np.ndarray:
    """Of images of which most hold two of three classes."""
    random = np.random.default_rng(seed)
    return random.integers(1, 1000, (samples, 3, 3)) * (random.random((samples, 3)) < 0.7)[:, :, None]


def scored(counts: Counts, resamples: Resamples) -> Scored:
    drawn = scores_from(Counts(*(resampled_sums(each, resamples) for each in counts)), NAMES)
    return Scored(scores_from(counts.total(), NAMES), np.stack(list(drawn.values()), axis=-1))


def intervals(counts: Counts, resamples: Resamples) -> dict[str, Interval]:
    return bootstrap.intervals(scored(counts, resamples), resamples)


def paired_differences(counts_a: Counts, counts_b: Counts, resamples: Resamples) -> dict[str, Difference]:
    return bootstrap.paired_differences(scored(counts_a, resamples), scored(counts_b, resamples), resamples)


def test_images_are_drawn_with_replacement() -> None:
    resamples = resample(keys(50), number=4000)
    assert resamples.weights.shape == (4000, 50)
    assert (resamples.blocks, resamples.length) == (50, 1)
    assert np.all(resamples.weights.sum(axis=1) == 50)
    assert resamples.weights.mean(axis=0) == pytest.approx(np.ones(50), abs=0.08)
    assert resamples.weights.var() == pytest.approx(1 - 1 / 50, rel=0.03)


def test_draws_are_those_of_the_seed() -> None:
    first, again, other = (resample(keys(20), number=50, seed=seed).weights for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_blocks_go_around_their_video() -> None:
    """Eight frames in blocks of four: each resample is two runs of four on the circle, and all such pairs occur."""
    runs = [np.roll([1, 1, 1, 1, 0, 0, 0, 0], start) for start in range(8)]
    pairs = {tuple(first + second) for first, second in product(runs, runs)}
    resamples = resample(["video"] * 8, length=4, number=2000)
    assert resamples.blocks == 2
    assert {tuple(row) for row in resamples.weights} == pairs


def test_blocks_stay_in_their_video_and_all_frames_are_drawn_alike() -> None:
    """Frames of a long video and of two short ones, mixed: 6 / 3 + 1 + 1 blocks."""
    groups = ["long", "one", "long", "two", "long", "long", "two", "long", "long"]
    resamples = resample(groups, length=3, number=4000)
    assert (resamples.blocks, resamples.length) == (4, 3)
    assert resamples.weights.mean(axis=0) == pytest.approx(np.ones(9), abs=0.06)
    weights = {name: resamples.weights[:, [group == name for group in groups]] for name in ("long", "one", "two")}
    assert np.array_equal(weights["two"][:, 0], weights["two"][:, 1])
    runs = weights["long"].sum(axis=1) // 3
    assert np.all(runs + weights["one"][:, 0] + weights["two"][:, 0] == 4)
    circle = {tuple(np.roll([1, 1, 1, 0, 0, 0], start)) for start in range(6)}
    assert {tuple(row) for row in weights["long"][runs == 1]} == circle


def test_blocks_of_single_images_are_the_images() -> None:
    blocks, images = resample(keys(30), length=7, number=100), resample(keys(30), number=100)
    assert blocks.blocks == images.blocks == 30
    assert np.array_equal(blocks.weights, images.weights)


def test_sums_over_resamples_are_exact() -> None:
    resamples = resample(keys(5), number=600)
    counts = np.random.default_rng(0).integers(0, 2**45, (5, 2, 3))
    expected = [sum(int(w) * counts[index] for index, w in enumerate(row)) for row in resamples.weights]
    assert np.array_equal(resampled_sums(counts, resamples), np.array(expected))


def test_an_interval_is_of_the_scores_of_the_resamples() -> None:
    confusion, resamples = confusions(12), resample(keys(12), number=300)
    drawn = [metrics_from(np.tensordot(row, confusion, 1), NAMES) for row in resamples.weights]
    given = intervals(Counts.of(confusion), resamples)
    assert list(given) == metric_names(NAMES)
    whole = metrics_from(confusion.sum(axis=0), NAMES)
    outer = stats.norm.cdf(sqrt(12 / 11) * stats.t.ppf(0.025, 11))
    for name, interval in given.items():
        values = np.array([scores[name] for scores in drawn])
        low, high = np.quantile(values, [outer, 1 - outer])
        assert interval.value == whole[name]
        assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))
        assert interval.low < interval.value < interval.high
        assert interval.defined == 1


def test_percentiles_lie_further_out_where_there_are_few_blocks() -> None:
    values = np.random.default_rng(0).random((2001, 2))
    for blocks, share in ((200, 0.0240), (20, 0.0159)):
        low, high = percentile_interval(values, blocks)
        assert low == pytest.approx(np.quantile(values, share, axis=0), abs=1e-4)
        assert high == pytest.approx(np.quantile(values, 1 - share, axis=0), abs=1e-4)


def test_what_is_not_defined_is_left_out_until_too_few_are_left() -> None:
    values = np.random.default_rng(0).random((100, 3))
    values[:10, 0] = values[:11, 1] = values[:, 2] = np.nan
    low, high = percentile_interval(values, 1000)
    expected = percentile_interval(values[10:, 0], 1000)
    assert (low[0], high[0]) == expected
    assert np.isnan([low[1:], high[1:]]).all()


def test_a_class_in_one_image_and_one_in_none_have_no_interval() -> None:
    confusion = np.zeros((10, 3, 3), np.int64)
    confusion[:, 0, 0] = np.arange(50, 60)
    confusion[4, 1] = [2, 3, 0]
    given = intervals(Counts.of(confusion), resample(keys(10)))
    assert given["IoU/car"].value == 3 / 5
    assert isnan(given["IoU/car"].low)
    assert given["IoU/car"].defined == pytest.approx(1 - 0.9**10, abs=0.04)
    assert isnan(given["IoU/sky"].value)
    assert given["IoU/sky"].defined == 0
    assert given["mIoU"].low <= given["mIoU"].value <= given["mIoU"].high


def test_one_image_and_images_that_are_all_void_have_no_interval() -> None:
    one = intervals(Counts.of(confusions(1)), resample(["image"]))
    assert one["pixel_accuracy"].defined == 1
    void = intervals(Counts.of(np.zeros((3, 3, 3))), resample(keys(3)))
    assert all(isnan(interval.value) for interval in void.values())
    for interval in (*one.values(), *void.values()):
        assert isnan(interval.low)
        assert isnan(interval.high)


def test_a_model_beside_itself_is_no_better() -> None:
    counts = Counts.of(confusions(15))
    for difference in paired_differences(counts, counts, resample(keys(15), number=200)).values():
        assert difference == (0, 0, 0, 1, 0.5)


def test_a_difference_is_that_of_the_same_resamples() -> None:
    first, second, resamples = confusions(12, 1), confusions(12, 2), resample(keys(12), number=300)
    given = paired_differences(Counts.of(first), Counts.of(second), resamples)
    assert list(given) == metric_names(NAMES)

    def both(weights: np.ndarray) -> list[dict[str, float]]:
        return [metrics_from(np.tensordot(weights, confusion, 1), NAMES) for confusion in (first, second)]

    drawn = [both(row) for row in resamples.weights]
    a, b = both(np.ones(12))
    for name in ("mIoU", "kappa", "IoU/car"):
        values = np.array([scores_b[name] - scores_a[name] for scores_a, scores_b in drawn])
        assert given[name].value == b[name] - a[name]
        low, high = percentile_interval(values, 12)
        assert (given[name].low, given[name].high) == (pytest.approx(low), pytest.approx(high))
        assert given[name].above == (values > 0).mean()
    back = paired_differences(Counts.of(second), Counts.of(first), resamples)["mIoU"]
    assert (back.value, back.above) == (pytest.approx(-given["mIoU"].value), pytest.approx(1 - given["mIoU"].above))


def test_a_model_that_is_a_little_better_on_every_image_is_better() -> None:
    """The images differ by far more than the models: their intervals overlap, that of the difference is above 0."""
    worse = confusions(40)
    better = worse.copy()
    moved = worse[:, 0, 1] // 50
    better[:, 0, 0] += moved
    better[:, 0, 1] -= moved
    counts, resamples = (Counts.of(worse), Counts.of(better)), resample(keys(40))
    low, high = (intervals(each, resamples)["IoU/road"] for each in counts)
    assert high.low < low.high
    difference = paired_differences(*counts, resamples)["IoU/road"]
    assert 0 < difference.low < difference.value < difference.high
    assert difference.above == 1


PRESENT = np.array([1, 0.9, 0.6, 0.3, 0.1])  # share of the images that hold a class
PIXELS = np.array([60_000, 40_000, 15_000, 5_000, 2_000.0])  # of a class where it is, on average
FOUND = np.array([0.95, 0.9, 0.8, 0.65, 0.5])  # of these, on average
SIMULATED = ("a", "b", "c", "d", "e")


def taken_for_the_next(hits: np.ndarray, truth: np.ndarray) -> Counts:
    """What is missed of a class is taken for the class after it."""
    return Counts(hits, truth, hits + np.roll(truth - hits, 1, axis=-1))


def known_miou(pixels: np.ndarray, found: np.ndarray) -> float:
    """Of infinitely many images."""
    return float(scores_from(taken_for_the_next(pixels * found, pixels), SIMULATED[: len(pixels)])["mIoU"])


def test_intervals_hold_the_truth() -> None:
    """In 2,000 data sets of 200 images, with classes of any size that are in all images or in one of ten, and images
    that differ in how well they are segmented."""
    data_sets, images = 2000, 200
    random = np.random.default_rng(0)
    resamples = resample(keys(images), number=1000)
    truth = known_miou(PRESENT * PIXELS, FOUND)
    held = []
    for _ in range(data_sets // 100):
        shape = (images, 100, len(PIXELS))
        pixels = np.floor((random.random(shape) < PRESENT) * random.gamma(1.5, PIXELS / 1.5, shape))
        counts = taken_for_the_next(np.round(pixels * random.beta(4 * FOUND, 4 * (1 - FOUND), shape)), pixels)
        drawn = Counts(*(resampled_sums(each, resamples) for each in counts))
        low, high = percentile_interval(scores_from(drawn, SIMULATED)["mIoU"], resamples.blocks)
        held.append((low <= truth) & (truth <= high))
    assert 0.93 <= np.mean(held) <= 0.97


def frames(random: np.random.Generator, videos: int, length: int, strength: float) -> Counts:
    """Of three classes; neighbouring frames of a video have the correlation `strength` in what they show and in how
    well it is segmented."""
    state = np.empty((videos, length, 2, 3))
    state[:, 0] = random.standard_normal((videos, 2, 3))
    steps = random.standard_normal(state.shape) * sqrt(1 - strength**2)
    for place in range(1, length):
        state[:, place] = strength * state[:, place - 1] + steps[:, place]
    shown, seen = np.moveaxis(state.reshape(-1, 2, 3), 1, 0)
    pixels = np.floor(PIXELS[:3] * np.exp(0.5 * shown - 0.125))
    return taken_for_the_next(np.round(pixels * (FOUND[2:] + 0.3 * (stats.norm.cdf(seen) - 0.5))), pixels)


def test_blocks_of_frames_hold_the_truth_where_single_frames_do_not() -> None:
    """Four videos of 100 frames in which a frame has nine tenths of the one before it, 100 times."""
    random = np.random.default_rng(0)
    truth = known_miou(PIXELS[:3], FOUND[2:])
    groups = np.repeat(["a", "b", "c", "d"], 100).tolist()
    drawn: dict[int, Resamples] = {}
    held, widths = [], []
    for _ in range(100):
        counts = frames(random, 4, 100, 0.9)
        lengths = (1, block_length(influence(counts), groups))
        for length in lengths:
            if length not in drawn:
                drawn[length] = resample(groups, length, number=300)
        pair = [intervals(counts, drawn[length])["mIoU"] for length in lengths]
        held.append([interval.low <= truth <= interval.high for interval in pair])
        widths.append([interval.high - interval.low for interval in pair])
    single, in_blocks = np.mean(held, axis=0)
    assert np.mean([of_blocks > 2 * of_single for of_single, of_blocks in widths]) > 0.9
    assert single < 0.5
    assert 0.85 < in_blocks < 0.99
