"""Every augmentation of conf/, so that a new one is held to the same."""

import random
from collections import Counter
from typing import Any

import albumentations
import numpy as np
import pytest

from segmentation.data.image.transforms import Augmentation
from segmentation.data.sampler import sample_seed
from tests.data.image.augmentations import NAMES, always, augmentation, entries_of
from tests.data.image.david_files import random_ids, random_image

SIZE = (60, 80)
SEEDS = range(40)
RANDOM = [name for name in NAMES if entries_of(name)]
EACH = [
    pytest.param(entry, id=f"{name}-{entry['_target_'].split('.')[-1]}") for name in NAMES for entry in entries_of(name)
]
SPATIAL = [param for param in EACH if "fill_mask" in param.values[0]]  # type: ignore[operator]


def sample(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return random_image(seed, SIZE), random_ids(seed, SIZE)


def marked(seed: int, side: int = 13) -> tuple[np.ndarray, np.ndarray]:
    """A bright square somewhere on dark ground, and its mask: 1 on 0."""
    generator = np.random.default_rng(seed)
    top, left = (int(generator.integers(0, length - side)) for length in SIZE)
    mask = np.zeros(SIZE, np.uint8)
    mask[top : top + side, left : left + side] = 1
    return np.where(mask[..., None] == 1, np.uint8(230), np.full((*SIZE, 3), 20, np.uint8)), mask


def touches_border(mask: np.ndarray) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def outcomes(made: Augmentation, image: np.ndarray, mask: np.ndarray) -> set[bytes]:
    return {b"".join(part.tobytes() for part in made(image, mask, seed)) for seed in SEEDS}


def test_the_expected_augmentations_are_there() -> None:
    assert {"light", "strong", "none"} <= set(NAMES)
    assert {"light", "strong"} <= set(RANDOM)
    assert "none" not in RANDOM


def test_none_leaves_samples_as_they_are() -> None:
    image, mask = sample()
    for seed in SEEDS:
        same_image, same_mask = augmentation("none")(image, mask, seed)
        np.testing.assert_array_equal(same_image, image)
        np.testing.assert_array_equal(same_mask, mask)


@pytest.mark.parametrize("name", NAMES)
def test_bytes_of_the_same_size_come_out_and_the_input_is_left_alone(name: str) -> None:
    image, mask = sample()
    made = augmentation(name)
    for seed in SEEDS:
        new_image, new_mask = made(image, mask, seed)
        assert (new_image.shape, new_image.dtype) == ((*SIZE, 3), np.uint8)
        assert (new_mask.shape, new_mask.dtype) == (SIZE, np.uint8)
    assert all(np.array_equal(*pair) for pair in zip((image, mask), sample(), strict=True))


@pytest.mark.parametrize("name", RANDOM)
def test_the_same_seed_gives_the_same_whatever_came_before(name: str) -> None:
    image, mask = sample()
    used = augmentation(name)
    expected = {seed: used(image, mask, seed) for seed in SEEDS}
    for seed in reversed(SEEDS):
        np.random.seed(seed)
        random.seed(seed)
        for again in (used, augmentation(name)):
            for part, before in zip(again(image, mask, seed), expected[seed], strict=True):
                np.testing.assert_array_equal(part, before)


@pytest.mark.parametrize("name", RANDOM)
def test_the_global_random_states_are_left_alone(name: str) -> None:
    state, legacy = random.getstate(), np.random.get_state(legacy=False)
    made = augmentation(name)
    for seed in SEEDS:
        made(*sample(), seed)
    assert random.getstate() == state
    np.testing.assert_equal(np.random.get_state(legacy=False), legacy)


@pytest.mark.parametrize("name", RANDOM)
def test_other_seeds_give_other_pictures(name: str) -> None:
    assert len(outcomes(augmentation(name), *sample())) > len(SEEDS) * 0.7


@pytest.mark.parametrize("name", RANDOM)
def test_as_many_samples_stay_untouched_as_the_probabilities_say(name: str) -> None:
    """For light 0.5 * 0.5 * 0.5; draws that hang together would leave far more."""
    image, mask = random_image(0, (8, 8)), random_ids(0, (8, 8))
    made, seeds = augmentation(name), range(400)
    untouched = sum(np.array_equal(made(image, mask, sample_seed(0, 0, seed))[0], image) for seed in seeds)
    expected = float(np.prod([1 - entry["p"] for entry in entries_of(name)]))
    assert untouched / len(seeds) == pytest.approx(expected, abs=0.06)


def test_transforms_of_equal_probability_happen_independently() -> None:
    made = Augmentation([albumentations.HorizontalFlip(p=0.5), albumentations.VerticalFlip(p=0.5)])
    image, mask = np.zeros((2, 2, 3), np.uint8), np.array([[0, 1], [2, 3]], np.uint8)
    corners = Counter(int(made(image, mask, sample_seed(0, 0, seed))[1][0, 0]) for seed in range(400))
    assert all(corners[corner] / 400 == pytest.approx(0.25, abs=0.07) for corner in range(4))


def test_parameters_of_two_transforms_are_drawn_independently() -> None:
    """Twice the same shift would always come to an even number of pixels."""
    shift = {"translate_px": {"x": (-4, 4), "y": (0, 0)}, "p": 1}
    made = Augmentation([albumentations.Affine(**shift), albumentations.Affine(**shift)])
    mask = np.zeros((1, 21), np.uint8)
    mask[0, 10] = 1
    image = np.repeat(mask[..., None], 3, axis=2)
    places = [int(made(image, mask, sample_seed(0, 0, seed))[1].argmax()) for seed in range(300)]
    assert np.mean([place % 2 for place in places]) == pytest.approx(40 / 81, abs=0.1)


@pytest.mark.parametrize("entry", EACH)
def test_each_transform_changes_the_image(entry: dict[str, Any]) -> None:
    image, mask = sample()
    made = always(entry)
    assert sum(not np.array_equal(made(image, mask, seed)[0], image) for seed in SEEDS) > len(SEEDS) * 0.8


@pytest.mark.parametrize("entry", EACH)
def test_image_and_mask_move_together(entry: dict[str, Any]) -> None:
    """The centres of the bright square and of its mask stay within a pixel, and within a tenth of one on average."""
    made = always(entry)
    offsets = []
    for seed in range(120):
        image, mask = made(*marked(seed), seed)
        square = mask == 1
        if not square.any() or touches_border(square):
            continue
        grey = image.astype(float).mean(axis=2)
        bright = grey > (grey.min() + grey.max()) / 2 if entry.get("fill_mask") is None else grey > 125
        centre, expected = np.argwhere(bright).mean(axis=0), np.argwhere(square).mean(axis=0)
        offsets.append(centre - expected)
    assert len(offsets) >= 50
    assert np.abs(offsets).max() < 1
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.1


@pytest.mark.parametrize("name", RANDOM)
def test_image_and_mask_move_together_through_all_of_it(name: str) -> None:
    made = augmentation(name)
    seen = 0
    for seed in range(80):
        image, mask = made(*marked(seed), seed)
        square = mask == 1
        if not square.any() or touches_border(square):
            continue
        grey = np.where(mask == 255, np.nan, image.astype(float).mean(axis=2))
        inside, outside = np.nanmean(grey[square]), np.nanmean(grey[mask == 0])
        ground = mask == 0
        right = (grey[square] > (inside + outside) / 2).mean(), (grey[ground] < (inside + outside) / 2).mean()
        assert min(right) > 0.8, f"seed {seed}"
        seen += 1
    assert seen >= 25


@pytest.mark.parametrize("entry", EACH)
def test_labels_are_never_interpolated(entry: dict[str, Any]) -> None:
    """Between ids 10 and 200 lie many that a mean would give."""
    made = always(entry)
    mask = np.where(random_ids(0, SIZE, classes=2) == 0, 10, 200).astype(np.uint8)
    for seed in SEEDS:
        assert set(np.unique(made(random_image(0, SIZE), mask, seed)[1])) <= {10, 200, 255}


@pytest.mark.parametrize("name", RANDOM)
def test_no_class_appears_that_was_not_there(name: str) -> None:
    """Of a mask of class 3 alone nothing but class 3 and ignored pixels can come; class 0 least of all."""
    made = augmentation(name)
    ids = {int(value) for seed in SEEDS for value in np.unique(made(*_of_one_class(), seed)[1])}
    assert ids == {3, 255}


@pytest.mark.parametrize("name", RANDOM)
def test_fills_are_the_configured_ignore_index(name: str) -> None:
    made = augmentation(name, ignore_index=13)
    assert {int(value) for seed in SEEDS for value in np.unique(made(*_of_one_class(), seed)[1])} == {3, 13}


@pytest.mark.parametrize("entry", SPATIAL)
def test_what_comes_in_from_outside_is_ignored_and_all_else_is_not(entry: dict[str, Any]) -> None:
    """On a white image what was filled is black; along the seam the image is interpolated."""
    made = always(entry)
    filled = 0
    for seed in SEEDS:
        image, mask = made(*_of_one_class(), seed)
        assert (image[mask == 255] < 200).all()
        assert (image[mask == 3] > 55).all()
        filled += int((mask == 255).any())
    assert filled > len(SEEDS) / 4


@pytest.mark.parametrize("entry", [param for param in EACH if param not in SPATIAL and "Flip" not in str(param.id)])
def test_changes_of_light_leave_the_mask_alone(entry: dict[str, Any]) -> None:
    made = always(entry)
    image, mask = sample()
    for seed in SEEDS:
        np.testing.assert_array_equal(made(image, mask, seed)[1], mask)


def test_mirroring_by_hand() -> None:
    image, mask = sample()
    mirrored = always(entries_of("light")[0])(image, mask, 0)
    np.testing.assert_array_equal(mirrored[0], image[:, ::-1])
    np.testing.assert_array_equal(mirrored[1], mask[:, ::-1])


@pytest.mark.filterwarnings("ignore:Argument")
def test_an_argument_that_albumentations_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="var_limit"):
        Augmentation([albumentations.GaussNoise(var_limit=5)])


def _of_one_class() -> tuple[np.ndarray, np.ndarray]:
    return np.full((*SIZE, 3), 255, np.uint8), np.full(SIZE, 3, np.uint8)
