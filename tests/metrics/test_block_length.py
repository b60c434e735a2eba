from math import sqrt

import numpy as np
import pytest

from segmentation.metrics.block_length import _autocovariance, block_length, influence
from segmentation.metrics.scores import Counts, metrics_from

NAMES = ("road", "car", "sky")


def related(random: np.random.Generator, length: int, strength: float) -> np.ndarray:
    """A stationary series of variance 1, in which neighbours have the correlation `strength`."""
    steps = random.standard_normal(length) * sqrt(1 - strength**2)
    values = np.empty(length)
    values[0] = random.standard_normal()
    for place in range(1, length):
        values[place] = strength * values[place - 1] + steps[place]
    return values - values.mean()


def test_influence_is_how_the_miou_moves_with_the_weight_of_an_image() -> None:
    confusion = np.random.default_rng(0).integers(0, 100, (6, 3, 3))
    confusion[2] = 0
    confusion[:, 2] = confusion[:, :, 2] = 0
    moves = influence(Counts.of(confusion))
    base = metrics_from(confusion.sum(axis=0), NAMES)["mIoU"]
    for place in range(6):
        heavier = confusion.sum(axis=0) + 1e-6 * confusion[place]
        assert moves[place] == pytest.approx((metrics_from(heavier, NAMES)["mIoU"] - base) / 1e-6, abs=1e-6)
    assert moves[2] == 0
    assert moves.sum() == pytest.approx(0, abs=1e-12)


def test_influence_of_nothing_is_none() -> None:
    assert influence(Counts.of(np.zeros((2, 3, 3)))).tolist() == [0, 0]


@pytest.mark.parametrize("strength", [0.5, 0.8, 0.9])
def test_correlated_frames_have_the_length_of_the_theory(strength: float) -> None:
    """Of a first-order autoregression the best length is (6 a^2 / (1 - a^2)^2 N)^(1/3) (Politis and White 2004)."""
    random = np.random.default_rng(0)
    lengths = [block_length(related(random, 1000, strength), ["video"] * 1000) for _ in range(20)]
    best = (6 * strength**2 / (1 - strength**2) ** 2 * 1000) ** (1 / 3)
    assert 0.7 * best < np.mean(lengths) < 1.2 * best


def test_unrelated_frames_need_no_blocks() -> None:
    random = np.random.default_rng(0)
    lengths = [block_length(related(random, 400, 0.0), ["video"] * 400) for _ in range(20)]
    assert np.mean(lengths) < 3


def test_only_frames_of_one_video_are_neighbours() -> None:
    """The same frames: as one video; each by itself; as two videos whose frames come in turn."""
    series = related(np.random.default_rng(1), 300, 0.9)
    one = block_length(series, ["video"] * 300)
    assert one > 8
    assert block_length(series, [f"frame {place}" for place in range(300)]) == 1
    in_turn = np.stack([series, -series], axis=1).ravel()
    apart = np.concatenate([series, -series])
    lengths = {
        block_length(in_turn, ["b", "a"] * 300),
        block_length(apart, ["b"] * 300 + ["a"] * 300),
    }
    assert len(lengths) == 1
    assert lengths.pop() >= one


def test_what_frames_have_in_common_by_hand() -> None:
    """Of videos 1, 2, 3 and 4, 6: neighbours 1 x 2, 2 x 3 and 4 x 6, over one frame 1 x 3, none further apart."""
    common = _autocovariance(np.array([1.0, 2, 3, 4, 6]), np.array([0, 0, 0, 1, 1]), 6)
    assert common.tolist() == pytest.approx([66 / 5, (2 + 6 + 24) / 3, 3, 0, 0, 0, 0])


def test_videos_that_differ_as_wholes_are_drawn_as_wholes() -> None:
    series = np.repeat(np.random.default_rng(0).standard_normal(20), 10)
    assert block_length(series - series.mean(), np.repeat(np.arange(20).astype(str), 10).tolist()) >= 10


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 12])
def test_few_or_equal_frames(samples: int) -> None:
    assert block_length(np.zeros(samples), ["video"] * samples) == 1
    ramp = np.arange(samples) - (samples - 1) / 2
    assert 1 <= block_length(ramp, ["video"] * samples) <= max(1, -(-samples // 3)), "at least three blocks"
