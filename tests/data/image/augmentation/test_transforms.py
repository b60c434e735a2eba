"""Every augmentation of conf/, so that a new one is held to the same."""

import random
from collections import Counter
from typing import Any

import albumentations
import numpy as np
import pytest

from segmentation.data.image.augmentation.transforms import (
    TRANSFORMS,
    Transforms,
    faults_in_transforms,
    fitted,
    transforms_of,
)
from segmentation.data.sampler import sample_seed
from segmentation.errors import UserError
from tests.data.image.augmentation.presets import NAMES, always, away_from_borders, entries_of, transforms
from tests.data.image.david_files import random_ids, random_image

SIZE = (60, 80)
SEEDS = range(40)


def kind_of(entry: dict[str, Any]) -> str:
    return str(next(iter(entry)))


def parameters_of(entry: dict[str, Any]) -> dict[str, Any]:
    return dict(next(iter(entry.values())))


RANDOM = [name for name in NAMES if entries_of(name)]
EACH = [pytest.param(entry, id=f"{name}-{kind_of(entry)}") for name in NAMES for entry in entries_of(name)]
MOVING = ("HorizontalFlip", "VerticalFlip", "Affine", "SquareSymmetry")
FILLING = [param for param in EACH if "Affine" in str(param.id) and "defects" not in str(param.id)]


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


def outcomes(made: Transforms, image: np.ndarray, mask: np.ndarray) -> set[bytes]:
    return {b"".join(part.tobytes() for part in made(image, mask, seed)) for seed in SEEDS}


def test_the_expected_augmentations_are_there() -> None:
    assert {"light", "strong", "none"} <= set(NAMES)
    assert {"light", "strong"} <= set(RANDOM)
    assert "none" not in RANDOM


def test_none_leaves_samples_as_they_are() -> None:
    image, mask = sample()
    for seed in SEEDS:
        same_image, same_mask = transforms("none")(image, mask, seed)
        np.testing.assert_array_equal(same_image, image)
        np.testing.assert_array_equal(same_mask, mask)


@pytest.mark.parametrize("name", NAMES)
def test_bytes_of_the_same_size_come_out_and_the_input_is_left_alone(name: str) -> None:
    image, mask = sample()
    made = transforms(name)
    for seed in SEEDS:
        new_image, new_mask = made(image, mask, seed)
        assert (new_image.shape, new_image.dtype) == ((*SIZE, 3), np.uint8)
        assert (new_mask.shape, new_mask.dtype) == (SIZE, np.uint8)
    assert all(np.array_equal(*pair) for pair in zip((image, mask), sample(), strict=True))


@pytest.mark.parametrize("name", RANDOM)
def test_the_same_seed_gives_the_same_whatever_came_before(name: str) -> None:
    image, mask = sample()
    used = transforms(name)
    expected = {seed: used(image, mask, seed) for seed in SEEDS}
    for seed in reversed(SEEDS):
        np.random.seed(seed)
        random.seed(seed)
        for again in (used, transforms(name)):
            for part, before in zip(again(image, mask, seed), expected[seed], strict=True):
                np.testing.assert_array_equal(part, before)


@pytest.mark.parametrize("name", RANDOM)
def test_the_global_random_states_are_left_alone(name: str) -> None:
    state, legacy = random.getstate(), np.random.get_state(legacy=False)
    made = transforms(name)
    for seed in SEEDS:
        made(*sample(), seed)
    assert random.getstate() == state
    np.testing.assert_equal(np.random.get_state(legacy=False), legacy)


@pytest.mark.parametrize("name", RANDOM)
def test_other_seeds_give_other_pictures(name: str) -> None:
    assert len(outcomes(transforms(name), *sample())) > len(SEEDS) * 0.7


@pytest.mark.parametrize("name", RANDOM)
def test_as_many_samples_stay_untouched_as_the_probabilities_say(name: str) -> None:
    """For light 0.5 * 0.5 * 0.5; draws that hang together would leave far more."""
    image, mask = random_image(0, (8, 8)), random_ids(0, (8, 8))
    made, seeds = transforms(name), range(400)
    untouched = sum(np.array_equal(made(image, mask, sample_seed(0, 0, seed))[0], image) for seed in seeds)
    expected = float(np.prod([1 - parameters_of(entry)["p"] for entry in entries_of(name)]))
    assert untouched / len(seeds) == pytest.approx(expected, abs=0.06)


def test_transforms_of_equal_probability_happen_independently() -> None:
    made = transforms_of(["HorizontalFlip", "VerticalFlip"], 255)
    image, mask = np.zeros((2, 2, 3), np.uint8), np.array([[0, 1], [2, 3]], np.uint8)
    corners = Counter(int(made(image, mask, sample_seed(0, 0, seed))[1][0, 0]) for seed in range(400))
    assert all(corners[corner] / 400 == pytest.approx(0.25, abs=0.07) for corner in range(4))


def test_parameters_of_two_transforms_are_drawn_independently() -> None:
    """Twice the same shift would always come to an even number of pixels."""
    shift = {"translate_px": {"x": (-4, 4), "y": (0, 0)}, "p": 1}
    made = transforms_of([{"Affine": shift}, {"Affine": shift}], 255)
    mask = np.zeros((1, 21), np.uint8)
    mask[0, 10] = 1
    image = np.repeat(mask[..., None], 3, axis=2)
    places = [int((made(image, mask, sample_seed(0, 0, seed))[1] == 1).argmax()) for seed in range(300)]
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
        bright = grey > 125 if kind_of(entry) in MOVING else grey > 0.7 * grey.min() + 0.3 * grey.max()
        centre, expected = np.argwhere(bright).mean(axis=0), np.argwhere(square).mean(axis=0)
        offsets.append(centre - expected)
    assert len(offsets) >= 50
    assert np.abs(offsets).max() < 1
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.1


@pytest.mark.parametrize("name", RANDOM)
def test_image_and_mask_move_together_through_all_of_it(name: str) -> None:
    made = transforms(name)
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
    made = transforms(name)
    ids = {int(value) for seed in SEEDS for value in np.unique(made(*_of_one_class(), seed)[1])}
    assert ids == ({3} if name == "defects" else {3, 255})


@pytest.mark.parametrize("name", RANDOM)
def test_fills_are_the_configured_ignore_index(name: str) -> None:
    made = transforms(name, "augmentation.ignore_index=13")
    assert {int(value) for seed in SEEDS for value in np.unique(made(*_of_one_class(), seed)[1])} <= {3, 13}


@pytest.mark.parametrize("entry", FILLING)
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


@pytest.mark.parametrize("entry", [param for param in EACH if not str(param.id).endswith(MOVING)])
def test_changes_of_light_leave_the_mask_alone(entry: dict[str, Any]) -> None:
    made = always(entry)
    image, mask = sample()
    for seed in SEEDS:
        np.testing.assert_array_equal(made(image, mask, seed)[1], mask)


def test_mirroring_by_hand() -> None:
    image, mask = sample()
    mirrored = always({"HorizontalFlip": {}})(image, mask, 0)
    np.testing.assert_array_equal(mirrored[0], image[:, ::-1])
    np.testing.assert_array_equal(mirrored[1], mask[:, ::-1])


def _of_one_class() -> tuple[np.ndarray, np.ndarray]:
    return np.full((*SIZE, 3), 255, np.uint8), np.full(SIZE, 3, np.uint8)


# A quarter turn of a picture that is not square.


def test_a_turned_picture_is_fitted_into_its_shape() -> None:
    """Of 8x4 the middle 2x4 has the shape of 4x8 and is enlarged to it."""
    mask = np.arange(8, dtype=np.uint8)[:, None].repeat(4, axis=1)
    image = np.repeat(mask[..., None] * 30, 3, axis=2)
    new_image, new_mask = fitted(image, mask, (4, 8))
    np.testing.assert_array_equal(new_mask, np.array([3, 3, 4, 4], np.uint8)[:, None].repeat(8, axis=1))
    assert new_image.shape == (4, 8, 3)
    assert new_image[0, 0].tolist() == [90] * 3
    assert new_image[3, 7].tolist() == [120] * 3


def test_all_eight_symmetries_of_a_square_come() -> None:
    square = np.arange(9, dtype=np.uint8).reshape(3, 3)
    made = transforms_of([{"SquareSymmetry": {"p": 1}}], 255)
    seen = {made(square[..., None].repeat(3, axis=2), square, seed)[1].tobytes() for seed in range(100)}
    turned = [np.rot90(flipped, quarter) for flipped in (square, square.T) for quarter in range(4)]
    assert seen == {np.ascontiguousarray(one).tobytes() for one in turned}


# Every transform that albumentations has for images and masks.

NEEDED: dict[str, dict[str, Any]] = {
    **{
        name: {"height": 40, "width": 56} for name in ("RandomCrop", "CenterCrop", "CropNonEmptyMaskIfExists", "Resize")
    },
    "LongestMaxSize": {"max_size": 50},
    "SmallestMaxSize": {"max_size": 50},
    "Crop": {"x_max": 50, "y_max": 40},
    "CropAndPad": {"percent": [-0.1, 0.2]},
    "RandomResizedCrop": {"size": [40, 56]},
    "RandomSizedCrop": {"size": [40, 56], "min_max_height": [30, 50]},
    "PadIfNeeded": {"min_height": 70, "min_width": 90},
    "PiecewiseAffine": {"nb_rows": 3, "nb_cols": 3},
}
FLAT, STEP = 4, 60  # classes in the encoded picture, and how much brighter each is than the one before


def encoded(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A mask of large blocks, and the image that says the same: brightness STEP times the id, less a fill of 0."""
    ids = np.random.default_rng(seed).integers(1, 1 + FLAT, (3, 4), dtype=np.uint8)
    mask = ids.repeat(20, axis=0).repeat(20, axis=1)
    return (mask * STEP)[..., None].repeat(3, axis=2), mask


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@pytest.mark.filterwarnings("ignore")
def test_whatever_the_transform_masks_follow_and_stay_ids(name: str) -> None:
    made = transforms_of([{name: {**NEEDED.get(name, {}), "p": 1}}], 255)
    only_light = issubclass(getattr(albumentations, name), albumentations.ImageOnlyTransform)
    compared = 0
    for seed in range(12):  # some fill masks with few seeds only
        image, mask = encoded(seed)
        new_image, new_mask = made(image, mask, seed)
        assert new_image.shape[:2] == new_mask.shape
        assert set(np.unique(new_mask)) <= {*np.unique(mask), 255}
        if only_light:
            np.testing.assert_array_equal(new_mask, mask)
        elif name != "PixelDropout":  # single pixels of the image go, the mask stays
            inner = away_from_borders(new_mask) & (new_mask != 255)
            agrees = np.abs(new_image[..., 0].astype(int) - new_mask.astype(int) * STEP) < STEP / 2
            assert agrees[inner].mean() > 0.99
            compared += int(inner.sum())
    assert only_light or name == "PixelDropout" or compared > 100


# Lists of transforms, as people write them.


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        (["HorizontalFlop"], r"transforms\[0\]: HorizontalFlop is no transform; did you mean HorizontalFlip\?"),
        ([{"Qwxz": {}}], "Qwxz is no transform; the names are those of albumentations"),
        ([{"HorizontalFlip": {"q": 1}}], r"transforms\[0\]\.HorizontalFlip\.q: there is no such key"),
        (["VerticalFlip", {"GaussNoise": {"var_limit": 5}}], r"transforms\[1\]\.GaussNoise\.var_limit: .*known are"),
        ([{"Affine": {"scal": 2}}], "did you mean scale"),
        ([{"HorizontalFlip": {"p": 2}}], r"transforms\[0\]\.HorizontalFlip: p "),
        ([{"GaussNoise": {"std_range": [0.5, 3]}}], "GaussNoise: std_range"),
        ([{"Affine": {"fill_mask": 0}}], "Affine.fill_mask: leave it out"),
        ([{"Affine": {"mask_interpolation": 1}}], "mask_interpolation: leave it out"),
        ([{"PixelDropout": {"mask_drop_value": 0}}], "mask_drop_value: leave it out"),
        ([{"RandomScale": {"area_for_downscale": "image_mask"}}], "class ids have no mean"),
        (["Normalize"], "Normalize cannot be used, the model scales by itself"),
        (["Morphological"], "Morphological cannot be used, it changes class ids"),
        (["GridElasticDeform"], "GridElasticDeform cannot be used, it fills masks with class 0"),
        (["RandomCrop3D"], "RandomCrop3D is no transform"),
        (["Compose"], "Compose is no transform"),
        ([{"HorizontalFlip": {}, "VerticalFlip": {}}], "expected a name, or one name with its parameters"),
        ([{"_target_": "albumentations.HorizontalFlip"}], "expected a name, or one name with its parameters"),
        ([3], "expected a name"),
        ("HorizontalFlip", "expected a list of transforms"),
    ],
)
def test_a_fault_is_told_in_one_line_with_its_place(entries: Any, fault: str) -> None:
    assert len(list(faults_in_transforms(entries, "transforms", 1.0))) == 1
    with pytest.raises(UserError, match=rf"^augmentation\.(?=transforms).*{fault}.*$"):
        transforms_of(entries, 255)


def test_all_faults_are_found() -> None:
    entries = ["HorizontalFlop", "VerticalFlip", {"Affine": {"scal": 1, "rotat": 2}}, {"VerticalFlip": {"p": -1}}]
    assert len(list(faults_in_transforms(entries, "transforms", 1.0))) == 4


def test_what_becomes_impossible_by_its_strength_is_told() -> None:
    entries = [{"GaussNoise": {"std_range": [0.1, 0.6]}}]
    assert list(faults_in_transforms(entries, "transforms", 1.5)) == []
    (fault,) = faults_in_transforms(entries, "transforms", 2.0)
    assert fault.startswith("transforms[0].GaussNoise at strength=2: std_range")


def test_holes_are_ignored_in_the_mask_unless_it_shall_not_know() -> None:
    image, mask = _of_one_class()
    for parameters, expected in (({}, {3, 255}), ({"fill_mask": None}, {3})):
        new_image, new_mask = transforms_of([{"CoarseDropout": {"p": 1, **parameters}}], 255)(image, mask, 0)
        assert set(np.unique(new_mask)) == expected
        assert (new_image == 0).any()


@pytest.mark.parametrize("name", ["aerial", "light", "none"])
@pytest.mark.parametrize(("bands", "dtype"), [(1, np.uint8), (5, np.uint8), (5, np.float32), (1, np.float32)])
def test_images_of_any_bands(name: str, bands: int, dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, bands)).astype(dtype) / dtype(
        255 if dtype is np.float32 else 1
    )
    made = transforms(name)
    for seed in range(10):
        new_image, new_mask = made(image.astype(dtype), sample()[1], seed)
        assert (new_image.shape, new_image.dtype, new_mask.shape) == (image.shape, dtype, SIZE)


def test_an_image_that_a_transform_cannot_deal_with_is_told_in_one_line() -> None:
    image = np.zeros((*SIZE, 5), np.uint8)
    with pytest.raises(UserError, match=r"^one of the transforms HueSaturationValue cannot .* 60x80x5 uint8: .*$"):
        transforms_of([{"HueSaturationValue": {"p": 1}}], 255)(image, sample()[1], 0)
    with pytest.raises(UserError, match=r"^one of the transforms .* it became 60x80 uint8$"):
        transforms_of([{"ToGray": {"p": 1, "num_output_channels": 1}}], 255)(*sample(), 0)
