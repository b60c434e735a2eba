"""Temporal smoothing, by hand on videos of a few pixels."""

import numpy as np
import pytest

from segmentation.inference.smoothing import TemporalSmoothing


def frame(*colors: tuple[int, int, int]) -> np.ndarray:
    """Ten pixels of each colour."""
    return np.repeat(np.array(colors, np.uint8), 10, axis=0)[None]


ROAD, SKY = (90, 90, 90), (200, 220, 250)
STREET, FOREST = frame(ROAD, ROAD, SKY), frame((20, 80, 20), (50, 30, 10), SKY)


def said(first: float) -> np.ndarray:
    return np.array([[[first]], [[1 - first]]], np.float32)


def test_what_was_said_before_counts_less_and_less() -> None:
    smooth = TemporalSmoothing(keep=0.5)
    given = [smooth(said(value), STREET)[0, 0, 0] for value in (1.0, 0.0, 0.0, 1.0)]
    assert given == pytest.approx([1.0, 0.5, 0.25, 0.625])


def test_weights_of_the_average_are_as_told_and_probabilities_stay_such() -> None:
    smooth, values = TemporalSmoothing(keep=0.8), np.random.default_rng(0).random(6)
    given = [smooth(said(value), STREET) for value in values]
    weights = np.array([0.8**5, *(0.2 * 0.8 ** np.arange(4, -1, -1))])
    assert given[-1][0, 0, 0] == pytest.approx(float(weights @ values), rel=1e-6)
    assert all(np.allclose(both.sum(axis=0), 1) for both in given)


def test_a_cut_starts_anew_and_a_change_of_some_pixels_does_not() -> None:
    """Two of three pixels have another colour in the forest; one of three is a car's."""
    smooth = TemporalSmoothing(keep=0.5, cut=0.5)
    smooth(said(1.0), STREET)
    assert smooth(said(0.0), frame((200, 20, 20), ROAD, SKY))[0, 0, 0] == 0.5
    assert smooth(said(0.0), FOREST)[0, 0, 0] == 0.0
    assert smooth(said(1.0), FOREST)[0, 0, 0] == 0.5


def test_movement_is_no_cut() -> None:
    smooth = TemporalSmoothing(keep=0.5, cut=0.0)
    smooth(said(1.0), STREET)
    assert smooth(said(0.0), STREET[:, ::-1])[0, 0, 0] == 0.5


def test_a_picture_of_another_size_starts_anew() -> None:
    smooth = TemporalSmoothing(keep=0.5)
    smooth(np.full((2, 3, 4), 0.5, np.float32), STREET)
    assert np.array_equal(smooth(said(1.0), STREET), said(1.0))


def test_without_keeping_anything_frames_are_as_they_are() -> None:
    smooth = TemporalSmoothing(keep=0.0)
    for value in (0.2, 0.9, 0.4):
        assert np.array_equal(smooth(said(value), STREET), said(value))


def test_what_is_given_is_not_changed() -> None:
    smooth, first, second = TemporalSmoothing(keep=0.5), said(1.0), said(0.0)
    given = smooth(first, STREET)
    smooth(second, STREET)
    assert np.array_equal(first, said(1.0))
    assert np.array_equal(given, said(1.0))
    assert np.array_equal(second, said(0.0))
