"""Squares with corners on pixel edges cover whole pixels: every number here is counted by hand."""

import pickle

import numpy as np
import pytest

from segmentation.data.polygons import Polygons, overhang, ring_of

SIZE = (10, 12)


def square(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)


def painted(*rings: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    patch = Polygons.of(rings).patch(size)
    mask = np.zeros(size, bool)
    height, width = patch.mask.shape
    mask[patch.top : patch.top + height, patch.left : patch.left + width] = patch.mask
    return mask


def test_a_square_covers_the_pixels_between_its_edges() -> None:
    mask = painted(square(2, 1, 6, 4))
    assert mask[1:4, 2:6].all()
    assert mask.sum() == 3 * 4


def test_a_pixel_belongs_to_what_covers_its_centre() -> None:
    mask = painted(square(2.4, 1.4, 6.6, 4.6))  # the centres from 2.5 to 6.5 and from 1.5 to 4.5
    assert mask[1:5, 2:7].all()
    assert mask.sum() == 4 * 5


def test_a_patch_is_no_larger_than_its_polygon() -> None:
    patch = Polygons.of([square(2, 1, 6, 4)]).patch((1000, 1000))
    assert (patch.top, patch.left) == (1, 2)
    assert patch.mask.shape[0] <= 5
    assert patch.mask.shape[1] <= 6


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_ring_within_a_ring_is_a_hole_and_one_in_the_hole_an_island(order: tuple[int, ...]) -> None:
    rings = [square(1, 1, 9, 9), square(3, 3, 7, 7), square(4, 4, 6, 6)]
    mask = painted(*(rings[place] for place in order))
    assert mask.sum() == 8 * 8 - 4 * 4 + 2 * 2
    assert mask[1, 1]
    assert not mask[3, 3]
    assert mask[4, 4]


def test_a_hole_may_touch_its_outline() -> None:
    assert painted(square(1, 1, 9, 9), square(1, 3, 5, 7)).sum() == 8 * 8 - 4 * 4


def test_two_holes() -> None:
    assert painted(square(1, 1, 9, 9), square(2, 2, 4, 4), square(5, 5, 8, 8)).sum() == 64 - 4 - 9


def test_rings_side_by_side_and_overlapping_in_part_are_united() -> None:
    assert painted(square(0, 0, 2, 2), square(5, 5, 8, 8)).sum() == 4 + 9
    assert painted(square(0, 0, 4, 4), square(2, 2, 6, 6)).sum() == 16 + 16 - 4


def test_a_ring_given_twice_is_no_hole() -> None:
    assert painted(square(1, 1, 4, 4), square(1, 1, 4, 4)).sum() == 9


def test_a_ring_that_runs_into_its_hole_over_a_bridge_keeps_it() -> None:
    """As exports write holes that know no second ring: outline, to the hole, around it, and back."""
    outer, hole = square(1, 1, 9, 9), square(3, 3, 7, 7)
    ring = np.concatenate([outer, outer[:1], hole, hole[:1]])
    assert painted(ring).sum() == 64 - 16


def test_what_is_outside_of_the_picture_is_cut_off() -> None:
    assert painted(square(-5, -5, 3, 2)).sum() == 3 * 2
    assert painted(square(10, 8, 40, 40)).sum() == 2 * 2
    assert painted(square(-3, -3, 30, 30)).sum() == SIZE[0] * SIZE[1]
    assert painted(square(20, 20, 30, 30)).sum() == 0


def test_polygons_are_small_to_send_and_equal_by_value() -> None:
    ring = np.random.default_rng(0).uniform(0, 100, (1000, 2))
    polygons = Polygons.of([ring])
    sent = pickle.dumps(polygons)
    assert len(sent) < 8 * 1000 + 300
    assert pickle.loads(sent) == polygons
    assert hash(pickle.loads(sent)) == hash(polygons)
    np.testing.assert_array_equal(polygons.rings()[0], ring.astype(np.float32))


def test_a_ring_of_numbers() -> None:
    assert ring_of([0, 0, 1, 0, 1, 2.5]).tolist() == [[0, 0], [1, 0], [1, 2.5]]


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ([1, 2, 3, 4, 5, 6, 7], "7 numbers"),
        ([1, 2, 3, 4], "2 points"),
        ([], "0 points"),
        ([1, 2, 3, 4, float("nan"), 6], "no finite"),
        ([1, 2, 3, "a", 5, 6], "something else than numbers"),
        ([[1, 2], [3, 4], [5, 6]], "no list of numbers"),
        ([1, 2, 1, 4, 1, 9], "without area"),
        (["x"], "something else than numbers"),
    ],
)
def test_what_is_no_polygon_is_told(numbers: list[float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ring_of(numbers)


def test_how_far_a_ring_leaves_the_picture() -> None:
    assert overhang(square(0, 0, 12, 10), SIZE) == 0
    assert overhang(square(1, 1, 14.5, 9), SIZE) == 2.5
    assert overhang(square(-3, 1, 5, 12), SIZE) == 3


@pytest.mark.parametrize("corners", [(12, 1, 15, 4), (-4, 1, 0, 4), (1, 10, 4, 20), (1, -9, 4, -1)])
def test_a_ring_outside_is_told(corners: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"outside the picture.*12x10"):
        overhang(square(*corners), SIZE)
