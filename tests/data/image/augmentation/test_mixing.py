"""Images say what their masks say, so that one look at both shows whether they moved together."""

from collections.abc import Callable

import numpy as np
import pytest

from segmentation.data.image.augmentation.crops import Pair
from segmentation.data.image.augmentation.mixing import classmix, copy_paste, cutmix, mosaic

SIZE = (12, 16)
IGNORE = 255


class Fixed:
    """A generator whose next numbers are these; what it is asked for is noted."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)

    def random(self) -> float:
        return self.numbers.pop(0)

    def integers(self, low: int, high: int | None = None) -> int:
        value = int(self.numbers.pop(0))
        assert (0 if high is None else low) <= value < (low if high is None else high)
        return value


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def pair_of(mask: np.ndarray) -> Pair:
    return np.ascontiguousarray(mask[..., None].repeat(3, axis=2)), mask


def flat(value: int) -> Pair:
    return pair_of(np.full(SIZE, value, np.uint8))


def ids(seed: int, low: int = 0, high: int = 4) -> Pair:
    """Some of it ignored."""
    mask = rng(seed).integers(low, high, SIZE, dtype=np.uint8)
    mask[0, :5] = IGNORE
    return pair_of(mask)


def assert_together(made: Pair) -> None:
    image, mask = made
    assert image.shape == (*SIZE, 3)
    np.testing.assert_array_equal(image[..., 0], mask)


Mix = Callable[[Pair, Pair, np.random.Generator], Pair]
MIXES: dict[str, Mix] = {
    "mosaic": lambda pair, partner, random: mosaic([pair, partner, pair, partner], IGNORE, random),
    "cutmix": cutmix,
    "classmix": lambda pair, partner, random: classmix(pair, partner, IGNORE, random),
    "copy_paste": lambda pair, partner, random: copy_paste(pair, partner, np.array([1, 2]), random),
}


@pytest.mark.parametrize("name", MIXES)
def test_image_and_mask_stay_together_and_inputs_as_they_were(name: str) -> None:
    for seed in range(50):
        pair, partner = ids(seed), ids(seed + 1000)
        for part in (*pair, *partner):
            part.flags.writeable = False
        assert_together(MIXES[name](pair, partner, rng(seed)))


@pytest.mark.parametrize("name", MIXES)
@pytest.mark.parametrize("partner_is_deep", [False, True])
def test_images_of_bytes_and_of_floats_are_brought_together(name: str, partner_is_deep: bool) -> None:
    for seed in range(10):
        pair, partner = ids(seed), ids(seed + 1000)
        made = MIXES[name](
            pair if partner_is_deep else floats(pair), floats(partner) if partner_is_deep else partner, rng(seed)
        )
        assert made[0].dtype == np.float32
        np.testing.assert_allclose(made[0][..., 0] * 255, made[1], atol=1e-3)


def floats(pair: Pair) -> Pair:
    return pair[0].astype(np.float32) / np.float32(255), pair[1]


@pytest.mark.parametrize("name", MIXES)
def test_what_is_ignored_becomes_no_class(name: str) -> None:
    """Images are 0 where they are not ignored: a bright pixel was ignored before and is so still."""
    for seed in range(50):
        pair, partner = (
            (np.where(mask == IGNORE, 200, 0).astype(np.uint8)[..., None], mask) for _, mask in (ids(seed), ids(7))
        )
        image, mask = MIXES[name](pair, partner, rng(seed))
        assert (mask[image[..., 0] == 200] == IGNORE).all()
        assert set(np.unique(mask)) <= {0, 1, 2, 3, IGNORE}


@pytest.mark.parametrize("name", MIXES)
def test_the_generator_decides(name: str) -> None:
    pair, partner = ids(0), ids(1)
    made = [MIXES[name](pair, partner, rng(seed))[1].tobytes() for seed in range(30)]
    assert len(set(made)) > 5
    assert made == [MIXES[name](pair, partner, rng(seed))[1].tobytes() for seed in range(30)]


def test_mosaic_by_hand() -> None:
    """Around row 3 and column 10; each quarter is flat, so which window it is does not matter."""
    _, mask = mosaic([flat(value) for value in range(4)], IGNORE, Fixed(3, 10, *[0] * 8))  # type: ignore[arg-type]
    expected = np.zeros(SIZE, np.uint8)
    expected[:3, 10:], expected[3:, :10], expected[3:, 10:] = 1, 2, 3
    np.testing.assert_array_equal(mask, expected)


def test_the_middle_of_a_mosaic_lies_in_the_middle_half() -> None:
    for seed in range(100):
        _, mask = mosaic([flat(value) for value in range(4)], IGNORE, rng(seed))
        assert 3 <= (mask[:, 0] == 0).sum() <= 9
        assert 4 <= (mask[0] == 0).sum() <= 12


def test_windows_of_a_mosaic_are_not_scaled() -> None:
    place = np.arange(np.prod(SIZE), dtype=np.uint8).reshape(SIZE)
    _, mask = mosaic([pair_of(place)] * 4, IGNORE, Fixed(6, 8, 2, 3, 0, 0, 6, 8, 1, 1))  # type: ignore[arg-type]
    np.testing.assert_array_equal(mask[:6, :8], place[2:8, 3:11])
    np.testing.assert_array_equal(mask[:6, 8:], place[:6, :8])
    np.testing.assert_array_equal(mask[6:, :8], place[6:, 8:])
    np.testing.assert_array_equal(mask[6:, 8:], place[1:7, 1:9])


def test_cutmix_by_hand() -> None:
    """A quarter of the area: half of each side, from row 2 and column 5."""
    _, mask = cutmix(flat(0), flat(1), Fixed(0.25, 2, 5))  # type: ignore[arg-type]
    expected = np.zeros(SIZE, np.uint8)
    expected[2:8, 5:13] = 1
    np.testing.assert_array_equal(mask, expected)


def test_the_rectangles_of_cutmix_have_all_sizes() -> None:
    shares = [cutmix(flat(0), flat(1), rng(seed))[1].mean() for seed in range(400)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)
    assert min(shares) < 0.05
    assert max(shares) > 0.95


def test_classmix_takes_half_of_the_classes_with_all_their_pixels() -> None:
    partner = np.zeros(SIZE, np.uint8)
    partner[:, 4:8], partner[:, 8:12], partner[:, 12:], partner[0] = 1, 2, 3, IGNORE
    seen = set()
    for seed in range(60):
        _, mask = classmix(flat(9), pair_of(partner), IGNORE, rng(seed))
        pasted = set(np.unique(mask)) - {9}
        assert len(pasted) == 2
        np.testing.assert_array_equal(mask, np.where(np.isin(partner, list(pasted)), partner, 9))
        seen.add(frozenset(pasted))
    assert len(seen) == 6


def test_classmix_of_three_classes_takes_one_and_of_one_none() -> None:
    three = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint8) % 3
    assert len(set(np.unique(classmix(flat(9), pair_of(three), IGNORE, rng(0))[1])) - {9}) == 1
    np.testing.assert_array_equal(classmix(flat(9), flat(1), IGNORE, rng(0))[1], flat(9)[1])
    np.testing.assert_array_equal(classmix(flat(9), flat(IGNORE), IGNORE, rng(0))[1], flat(9)[1])


def with_object() -> Pair:
    mask = np.full(SIZE, 3, np.uint8)
    mask[1, 2:4], mask[1, 4], mask[5, 5] = 1, 2, IGNORE
    return pair_of(mask)


@pytest.mark.parametrize(
    ("flip", "down", "right", "places"),
    [
        (0.9, 0, 0, {(1, 2): 1, (1, 3): 1, (1, 4): 2}),
        (0.9, 3, 4, {(4, 6): 1, (4, 7): 1, (4, 8): 2}),
        (0.9, -1, -3, {(0, 0): 1, (0, 1): 2}),
        (0.1, 0, 0, {(1, 13): 1, (1, 12): 1, (1, 11): 2}),
        (0.1, 0, 4, {(1, 15): 2}),
        (0.9, -2, 0, {}),
    ],
)
def test_copy_paste_by_hand(flip: float, down: int, right: int, places: dict[tuple[int, int], int]) -> None:
    """Classes 1 and 2 of the partner alone, mirrored (or not) and moved; what leaves the picture is gone."""
    made = copy_paste(flat(9), with_object(), np.array([1, 2]), Fixed(flip, down, right))  # type: ignore[arg-type]
    expected = np.full(SIZE, 9, np.uint8)
    for place, value in places.items():
        expected[place] = value
    np.testing.assert_array_equal(made[1], expected)
    assert_together(made)
