"""Areas of label pictures, by hand: a digit is a class, `x` is ignored."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from segmentation.inference.regions import closed, largest_alone, opened, without_holes, without_specks
from tests.inference.label_pictures import IGNORED, drawn, shown

ANY = float("inf")


SPECKS = drawn(
    "0000000011",
    "0110000011",
    "0010022211",
    "0000022211",
    "0300000011",
    "0030000011",
)


def test_specks_are_given_to_what_surrounds_them() -> None:
    """Areas of three, six and, by a corner, two pixels; the twelve of class 1 at the edge are one area."""
    assert shown(without_specks(SPECKS, [0, 4, 4, 2])) == [
        "0000000011",
        "0000000011",
        "0000022211",
        "0000022211",
        "0300000011",
        "0030000011",
    ]
    assert shown(without_specks(SPECKS, [0, 3, 6, 3]))[4:] == ["0000000011", "0000000011"]
    assert shown(without_specks(SPECKS, [0, 3, 6, 3]))[:4] == shown(SPECKS)[:4]


def test_a_speck_between_two_classes_is_divided_in_the_middle() -> None:
    assert shown(without_specks(drawn("0002222111", "0002222111"), [0, 0, 9])) == ["0000011111", "0000011111"]


def test_specks_side_by_side_go_together_to_what_is_around_them() -> None:
    assert shown(without_specks(drawn("00000", "01200", "02100", "00000"), [5, 5, 5])) == ["00000"] * 4


def test_what_ignored_pixels_surround_is_ignored_and_they_are_no_speck() -> None:
    assert shown(without_specks(drawn("xxx00", "x1x00", "xxx0x"), [2, 2])) == ["xxx00", "xxx00", "xxx0x"]


def test_without_anything_large_enough_all_stays() -> None:
    labels = drawn("012", "120")
    assert shown(without_specks(labels, [9, 9, 9])) == shown(labels)


def test_of_a_class_the_largest_area_stays() -> None:
    labels = drawn(
        "0110000x",
        "0110011x",
        "0000011x",
        "1000011x",
    )
    assert shown(largest_alone(labels, 1)) == ["0000000x", "0000011x", "0000011x", "0000011x"]
    assert shown(largest_alone(labels, 0)) == shown(labels)
    assert shown(largest_alone(drawn("101"), 1)) == ["100"], "of equal ones the topmost, or leftmost"


RING = drawn(
    "1111110",
    "1001110",
    "1001x11",
    "1111121",
    "0011111",
)


def test_holes_are_filled_up_to_an_area() -> None:
    """A hole of four pixels, and one of two (the ignored pixel touches the class 2 by a corner, not by a side)."""
    assert shown(without_holes(RING, 1, 3, IGNORED)) == ["1111110", "1001110", "1001x11", "1111111", "0011111"]
    assert shown(without_holes(RING, 1, ANY, IGNORED)) == ["1111110", "1111110", "1111x11", "1111111", "0011111"]
    assert shown(without_holes(RING, 1, 0, IGNORED)) == shown(RING)


def test_a_hole_may_be_closed_by_corners_and_not_by_the_edge_of_the_image() -> None:
    assert shown(without_holes(drawn("0010", "0101", "0010"), 1, ANY, IGNORED)) == ["0010", "0111", "0010"]
    assert shown(without_holes(drawn("0100", "1000"), 1, ANY, IGNORED)) == ["0100", "1000"]
    assert shown(without_holes(drawn("1111", "1001"), 1, ANY, IGNORED)) == ["1111", "1001"]


def test_holes_agree_with_scipy() -> None:
    mask = np.random.default_rng(0).random((60, 70)) < 0.6
    expected = ndimage.binary_fill_holes(mask)
    assert np.array_equal(without_holes(mask.astype(np.uint8), 1, ANY, IGNORED), expected)


def test_opening_takes_what_a_disk_does_not_fit_into() -> None:
    """A cross fits into the block, except for two corners, and not into the tail of one pixel's height."""
    labels = drawn(
        "00000000222",
        "01110000222",
        "01111110222",
        "01110000222",
        "00000000222",
    )
    assert shown(opened(labels, 1, 1)) == [
        "00000000222",
        "00110000222",
        "01111000222",
        "00110000222",
        "00000000222",
    ]


def test_what_opening_takes_does_not_go_back_to_the_class() -> None:
    labels = np.zeros((9, 40), np.uint8)
    labels[2:7, 2:9] = labels[4, 9:38] = 1
    assert (opened(labels, 1, 2)[:, 12:] == 0).all()


def test_a_class_goes_on_beyond_the_edge_when_it_is_opened_and_ends_there_when_it_is_closed() -> None:
    edge = drawn("1100", "1100", "1100")
    assert shown(opened(edge, 1, 1)) == shown(edge)
    assert shown(closed(drawn("0010", "0010", "0010"), 1, 2, IGNORED)) == ["0010"] * 3


def test_closing_gives_gaps_to_the_class_but_not_what_is_ignored() -> None:
    labels = drawn(
        "0000000",
        "0110110",
        "0110x10",
        "0112110",
        "0000000",
    )
    assert shown(closed(labels, 1, 1, IGNORED)) == ["0000000", "0110110", "0111x10", "0112110", "0000000"]


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_a_disk_is_a_disk_at_the_edges_of_the_class_too(radius: int) -> None:
    """The same with SciPy, on a picture that is continued far enough: by what is at its edge, or by nothing."""
    mask = ndimage.gaussian_filter(np.random.default_rng(1).random((70, 60)), 2) > 0.5
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = rows**2 + columns**2 <= radius**2
    eroded = ndimage.binary_erosion(mask, disk, border_value=1)
    expected = ndimage.binary_dilation(eroded, disk)
    lost = mask & (opened(mask.astype(np.uint8), 1, radius) == 0)
    assert np.array_equal(mask & ~lost, expected)
    padded = ndimage.binary_closing(np.pad(mask, 3 * radius), disk)[3 * radius : -3 * radius, 3 * radius : -3 * radius]
    assert np.array_equal(closed(mask.astype(np.uint8), 1, radius, IGNORED) == 1, padded)


EVERY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "specks": partial(without_specks, least=[12, 12, 12, 12]),
    "largest": partial(largest_alone, index=2),
    "holes": partial(without_holes, index=1, most=30, ignore_index=IGNORED),
    "closed": partial(closed, index=1, radius=2, ignore_index=IGNORED),
}


def noise(seed: int) -> np.ndarray:
    """Areas of four classes of all sizes, with single pixels of one of them, some of it ignored."""
    rng = np.random.default_rng(seed)
    scores = [ndimage.gaussian_filter(rng.normal(size=(50, 65)), 1.2) for _ in range(4)]
    labels = np.argmax(scores, axis=0).astype(np.uint8)
    labels[rng.random(labels.shape) < 0.02] = 3
    labels[ndimage.gaussian_filter(rng.normal(size=labels.shape), 2) > 0.2] = IGNORED
    return labels


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("seed", range(5))
def test_done_twice_it_is_as_done_once(name: str, seed: int) -> None:
    once = EVERY[name](noise(seed))
    assert (once != noise(seed)).any()
    assert np.array_equal(EVERY[name](once), once)


@pytest.mark.parametrize("seed", range(5))
def test_only_the_asked_for_changes(seed: int) -> None:
    """What is ignored stays, and so does every class that neither loses nor gains; the picture given is not touched."""
    labels = noise(seed)
    before = labels.copy()
    changes: list[Callable[[np.ndarray], np.ndarray]] = [*EVERY.values(), partial(opened, index=1, radius=2)]
    for change in changes:
        changed = change(labels)
        assert (changed[before == IGNORED] == IGNORED).all()
        assert changed.dtype == labels.dtype
        assert np.array_equal(labels, before)
    assert (opened(labels, 1, 2)[before != 1] == before[before != 1]).all()
    assert (closed(labels, 1, 2, IGNORED)[before == 1] == 1).all()


def test_no_speck_is_left() -> None:
    for seed in range(20):
        labels = without_specks(noise(seed), [12] * 4)
        for index in range(4):
            numbers, count = ndimage.label(labels == index, np.ones((3, 3)))
            assert all(np.bincount(numbers.ravel())[1 : count + 1] >= 12)


@pytest.mark.parametrize("name", EVERY)
def test_a_picture_of_one_class_or_of_none_stays(name: str) -> None:
    for value in (0, 1, 2, IGNORED):
        labels = np.full((4, 5), value, np.uint8)
        assert np.array_equal(EVERY[name](labels), labels)
        assert np.array_equal(opened(labels, 1, 1), labels)
