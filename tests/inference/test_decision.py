"""From probabilities to class ids, by hand: three classes at a few pixels."""

import doctest

import numpy as np
import pytest

from segmentation.inference import decision as module
from segmentation.inference.decision import said, sure


def at(*pixels: tuple[float, ...], dtype: type = np.float32) -> np.ndarray:
    """Probabilities `[C, 1, W]`: those of each pixel in a row."""
    return np.array(pixels, dtype).T[:, None]


def test_the_examples_are_true() -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_without_thresholds_it_is_the_likeliest_class() -> None:
    probabilities = np.random.default_rng(0).random((5, 7, 9), np.float32)
    for none in ((), (0, 0, 0, 0, 0)):
        assert np.array_equal(said(probabilities, none), probabilities.argmax(axis=0))
    assert said(at((0.4, 0.4, 0.2), (0.2, 0.4, 0.4))).tolist() == [[0, 1]], "of equal ones the first"


def test_a_class_below_its_threshold_leaves_the_pixel_to_the_next_that_reaches_its_own() -> None:
    pixels = at((0.5, 0.3, 0.2), (0.6, 0.3, 0.1), (0.55, 0.1, 0.35), (0.4, 0.25, 0.35))
    assert said(pixels, (0.6, 0.3, 0), otherwise=9).tolist() == [[1, 0, 2, 2]]
    assert said(pixels, (0.6, 0.3, 0.35), otherwise=9).tolist() == [[1, 0, 2, 2]]
    assert said(pixels, (0.6, 0.35, 0.4), otherwise=9).tolist() == [[9, 0, 9, 9]]
    assert said(pixels, (0.6, 0.35, 0.4), otherwise=1).tolist() == [[1, 0, 1, 1]]


@pytest.mark.parametrize(("threshold", "expected"), [(0.3, [0, 1, 1, 1]), (0.5, [0, 0, 1, 1]), (0.8, [0, 0, 0, 1])])
def test_of_two_classes_one_threshold_decides_between_both(threshold: float, expected: list[int]) -> None:
    pixels = at((0.9, 0.1), (0.7, 0.3), (0.5, 0.5), (0.1, 0.9))
    assert said(pixels, (0, threshold)).tolist() == [expected]
    assert said(pixels[::-1], (threshold, 0)).tolist() == [[1 - label for label in expected]]


def test_of_two_classes_two_thresholds_leave_a_gap() -> None:
    assert said(at((0.9, 0.1), (0.6, 0.4), (0.2, 0.8)), (0.7, 0.7)).tolist() == [[0, 255, 1]]


@pytest.mark.parametrize("precision", [np.float16, np.float32, np.float64])
def test_a_probability_of_just_the_threshold_reaches_it(precision: type) -> None:
    for threshold in (0.1, 0.3, 0.7, 0.9):
        pixels = at((threshold, 0, 0), dtype=precision)
        assert said(pixels, (threshold, 0.5, 0.5)).item() == 0
        assert sure(pixels, np.zeros((1, 1), np.uint8), [threshold] * 3).all()
    two = at((0.7, 0.3), dtype=precision)
    assert said(two, (0, 0.3)).item() == 1


@pytest.mark.parametrize(("classes", "otherwise", "dtype"), [(3, 255, "u1"), (300, 255, "u2"), (3, 1000, "u2")])
def test_labels_are_as_small_as_they_can_be(classes: int, otherwise: int, dtype: str) -> None:
    assert said(np.ones((classes, 2, 2)), (), otherwise).dtype == dtype
    assert said(np.ones((3, 2, 2)), (), -1).dtype == "i2"


def test_a_pixel_is_sure_by_the_confidence_of_its_class() -> None:
    pixels = at((0.9, 0.1, 0), (0.85, 0.1, 0.05), (0.3, 0.7, 0), (0.3, 0.7, 0), (1, 0, 0))
    labels = np.array([[0, 0, 1, 0, 255]], np.uint8)
    assert sure(pixels, labels, (0.9, 0.7, 0)).tolist() == [[True, False, True, False, False]]
    assert sure(pixels, labels.astype(int) - 256, (0, 0, 0)).tolist() == [[False] * 5], "below 0 there is no class"
