"""Two samples of classes a, b and c: a has 6 of 16 pixels, all in the first sample of 8; b has 2 and 8; c has none."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from segmentation.data.class_weights import METHODS, class_weights

COUNTS = np.array([[6, 2, 0], [0, 8, 0]])


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def test_none_is_no_weights() -> None:
    assert class_weights(COUNTS, "none") is None


def test_inverse_by_hand() -> None:
    """1 / (6/16) = 2.6667 and 1 / (10/16) = 1.6, over their mean 2.1333."""
    assert class_weights(COUNTS, "inverse") == pytest.approx([1.25, 0.75, 0])


def test_median_frequency_by_hand() -> None:
    """f = 6/8 = 0.75 (a's own sample alone) and 10/16 = 0.625; their median is 0.6875."""
    assert class_weights(COUNTS, "median") == pytest.approx([0.6875 / 0.75, 1.1, 0])


def test_enet_by_hand() -> None:
    """ln(1.02 + 0.375) = 0.332894 and ln(1.02 + 0.625) = 0.497740."""
    assert class_weights(COUNTS, "enet") == pytest.approx([1 / 0.332894, 1 / 0.497740, 0], rel=1e-5)


def test_enet_stays_between_its_bounds() -> None:
    weights = class_weights(np.array([[10**9, 1]]), "enet")
    assert weights == pytest.approx([1 / np.log(2.02), 1 / np.log(1.02)], rel=1e-5)


def test_equal_classes_weigh_the_same() -> None:
    counts = np.full((3, 4), 5)
    assert class_weights(counts, "inverse") == pytest.approx([1, 1, 1, 1])
    assert class_weights(counts, "median") == pytest.approx([1, 1, 1, 1])


def test_pixels_beyond_32_bits() -> None:
    """12 thousand masks of a million pixels: 3/4 of the first class, 1/4 of the second."""
    counts = np.tile(np.array([[750_000, 250_000]], np.int64), (12_000, 1))
    assert class_weights(counts, "inverse") == pytest.approx([0.5, 1.5])
    assert class_weights(counts, "median") == pytest.approx([0.5 / 0.75, 2.0])


@pytest.mark.parametrize("method", [method for method in METHODS if method != "none"])
def test_masks_without_any_class_weigh_nothing(method: str) -> None:
    assert class_weights(np.zeros((2, 3), np.int64), method) == [0, 0, 0]


@pytest.mark.parametrize("method", [method for method in METHODS if method != "none"])
def test_weights_are_plain_numbers(method: str) -> None:
    weights = class_weights(COUNTS, method)
    assert weights is not None
    assert {type(weight) for weight in weights} == {float}
