from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from segmentation.data.batch import Batch
from segmentation.data.image.augmentation.device import DeviceAugmentation, draw
from segmentation.data.image.augmentation.device_transforms import APPLY
from segmentation.data.image.augmentation.transforms import Transforms, transforms_of
from segmentation.data.sampler import sample_seed
from segmentation.errors import UserError

SIZE = (48, 64)
IGNORE = 255
COUNT = 12
Spec = Sequence[Mapping[str, Mapping[str, Any]]]


def image_of(seed: int, size: tuple[int, int] = SIZE, channels: int = 3) -> np.ndarray:
    """Something like a photograph: smooth, colourful, with some noise."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 256, (size[0] // 6, size[1] // 6, channels), dtype=np.uint8)
    smooth = cv2.resize(rough, size[::-1], interpolation=cv2.INTER_CUBIC).reshape(*size, channels).astype(int)
    return np.clip(smooth + rng.integers(-8, 9, smooth.shape), 0, 255).astype(np.uint8)


def mask_of(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    rough = np.random.default_rng(seed).integers(0, 5, (size[0] // 8, size[1] // 8), dtype=np.uint8)
    mask = cv2.resize(rough, size[::-1], interpolation=cv2.INTER_NEAREST)
    mask[:4, :9] = IGNORE
    return mask


def batch_of(count: int = COUNT, size: tuple[int, int] = SIZE, channels: int = 3) -> Batch:
    """On its device: int64 masks."""
    images = np.stack([image_of(index, size, channels) for index in range(count)])
    masks = np.stack([mask_of(index, size) for index in range(count)])
    inputs, target = torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(masks)
    return Batch(inputs, target.long(), tuple(map(str, range(count))))


def made(*spec: Mapping[str, Mapping[str, Any]]) -> Transforms:
    return transforms_of(spec, IGNORE)


def both(transforms: Transforms, batch: Batch) -> tuple[np.ndarray, ...]:
    """Images `[B, H, W, C]` and masks of a batch from the device and then from the CPU, of the same parameters."""
    number = 3
    augmented = DeviceAugmentation(transforms, 7)(batch, number)
    seeds = [sample_seed(7, number, place) for place in range(batch.size)]
    images, masks = batch.inputs.permute(0, 2, 3, 1).numpy(), batch.target.numpy().astype(np.uint8)
    pairs = [transforms(image, mask, seed) for image, mask, seed in zip(images, masks, seeds, strict=True)]
    ours = augmented.inputs.permute(0, 2, 3, 1).numpy(), augmented.target.numpy()
    return *ours, np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])


# The CPU's augmentation, by the same parameters. Bounds are levels of 255.

CASES: Mapping[str, tuple[Spec, int, float]] = {  # the transforms, the largest difference and the mean one
    "HorizontalFlip": ([{"HorizontalFlip": {"p": 0.5}}], 0, 0),
    "VerticalFlip": ([{"VerticalFlip": {"p": 0.5}}], 0, 0),
    "D4": ([{"D4": {"p": 0.8}}], 0, 0),
    "SquareSymmetry": ([{"SquareSymmetry": {"p": 1}}], 0, 0),
    "RandomCrop": ([{"RandomCrop": {"height": 20, "width": 33}}], 0, 0),
    "Affine zoom and place": (
        [{"Affine": {"scale": [0.5, 2], "translate_percent": [-0.2, 0.2], "keep_ratio": True, "p": 0.8}}],
        1,
        0.01,
    ),
    "Affine turned": ([{"Affine": {"rotate": [-60, 60], "scale": [0.8, 1.2], "shear": [-10, 10], "p": 1}}], 1, 0.01),
    "Affine mirrored": (
        [{"Affine": {"rotate": [-30, 30], "scale": [0.4, 1], "border_mode": cv2.BORDER_REFLECT_101, "p": 1}}],
        1,
        0.01,
    ),
    "Affine repeated": (
        [{"Affine": {"rotate": [-30, 30], "scale": [0.4, 1], "border_mode": cv2.BORDER_REPLICATE, "p": 1}}],
        1,
        0.01,
    ),
    "RandomBrightnessContrast": (
        [{"RandomBrightnessContrast": {"brightness_limit": 0.4, "contrast_limit": 0.4, "p": 0.8}}],
        1,
        0.6,
    ),
    "RandomGamma": ([{"RandomGamma": {"gamma_limit": [50, 200], "p": 0.8}}], 1, 0.6),
    "brightness": ([{"ColorJitter": {"contrast": [1, 1], "saturation": [1, 1], "hue": [0, 0], "p": 1}}], 1, 0.6),
    "contrast": ([{"ColorJitter": {"brightness": [1, 1], "saturation": [1, 1], "hue": [0, 0], "p": 1}}], 1, 0.6),
    "saturation": ([{"ColorJitter": {"brightness": [1, 1], "contrast": [1, 1], "hue": [0, 0], "p": 1}}], 1, 0.3),
    "hue": (
        [{"ColorJitter": {"brightness": [1, 1], "contrast": [1, 1], "saturation": [1, 1], "p": 1}}],
        13,
        2,
    ),  # OpenCV has 180 hues
    "ColorJitter": ([{"ColorJitter": {"hue": [-0.05, 0.05], "p": 0.8}}], 15, 2),
    "GaussianBlur": ([{"GaussianBlur": {"sigma_limit": [0.3, 2], "p": 0.8}}], 1, 0.05),
}


def size_for(name: str) -> tuple[int, int]:
    return (48, 48) if "D4" in name or "Square" in name else SIZE


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_cpus_augmentation(name: str) -> None:
    spec, most, mean = CASES[name]
    batch = batch_of(size=size_for(name))
    images, masks, cpu_images, cpu_masks = both(made(*spec), batch)
    difference = np.abs(images.astype(int) - cpu_images)
    assert difference.max() <= most
    assert difference.mean() <= mean
    np.testing.assert_array_equal(masks, cpu_masks)
    assert images.dtype == np.uint8
    assert not np.array_equal(images, batch.inputs.permute(0, 2, 3, 1).numpy()[:, : images.shape[1], : images.shape[2]])


@pytest.mark.parametrize("name", CASES)
def test_of_float_images_it_is_exactly_the_cpus(name: str) -> None:
    batch = batch_of(size=size_for(name))
    batch = batch._replace(inputs=batch.inputs.float() / 255)
    images, masks, cpu_images, cpu_masks = both(made(*CASES[name][0]), batch)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, cpu_images, atol=2e-4)
    np.testing.assert_array_equal(masks, cpu_masks)


LIGHT: Spec = (
    {"HorizontalFlip": {"p": 0.5}},
    {"Affine": {"scale": [0.8, 1.25], "translate_percent": [-0.06, 0.06], "keep_ratio": True, "p": 0.5}},
    {"RandomBrightnessContrast": {"brightness_limit": 0.2, "contrast_limit": 0.2, "p": 0.5}},
)


def test_a_whole_list_is_drawn_as_the_cpu_draws_it() -> None:
    spec = ({"RandomCrop": {"height": 32, "width": 40}}, *LIGHT, {"RandomGamma": {"p": 0.5}})
    images, masks, cpu_images, cpu_masks = both(made(*spec), batch_of())
    assert np.abs(images.astype(int) - cpu_images).max() <= 3
    np.testing.assert_array_equal(masks, cpu_masks)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_images_of_other_bands(channels: int) -> None:
    """OpenCV warps one or two bands of 8 bits to 1/32 of a pixel."""
    images, masks, cpu_images, cpu_masks = both(made(*LIGHT), batch_of(channels=channels))
    assert images.shape == (COUNT, *SIZE, channels)
    assert np.abs(images.astype(int) - cpu_images).max() <= 8
    np.testing.assert_array_equal(masks, cpu_masks)


def test_grey_images_have_no_hue_and_saturation() -> None:
    images, _, cpu_images, _ = both(made({"ColorJitter": {"p": 1}}), batch_of(channels=1))
    assert np.abs(images.astype(int) - cpu_images).max() <= 2


def test_turned_by_90_degrees_a_picture_that_is_not_square_keeps_its_shape() -> None:
    images, masks, cpu_images, cpu_masks = both(made({"D4": {"p": 1}}), batch_of())
    assert images.shape == cpu_images.shape == (COUNT, *SIZE, 3)
    assert np.abs(images.astype(int) - cpu_images).max() <= 1
    np.testing.assert_array_equal(masks, cpu_masks)


# Masks.


def test_masks_get_the_ignore_index_from_outside_and_no_new_class() -> None:
    spec: Spec = [{"Affine": {"scale": [0.3, 0.6], "rotate": [-40, 40], "p": 1}}]
    batch = batch_of()
    batch = batch._replace(target=torch.where(batch.target == IGNORE, 1, batch.target))
    augmented = DeviceAugmentation(made(*spec), 0)(batch, 0)
    for index in range(COUNT):
        assert set(augmented.target[index].unique().tolist()) <= {*batch.target[index].unique().tolist(), IGNORE}
        assert (augmented.target[index] == IGNORE).float().mean() > 0.5


def test_a_marked_pixel_moves_with_its_mask() -> None:
    """A bright square is where the mask has it, whatever is done to both."""
    image, mask = np.zeros((1, 1, 64, 64), np.uint8), np.zeros((1, 64, 64), np.int64)
    image[..., 20:29, 30:39], mask[..., 20:29, 30:39] = 255, 1
    batch = Batch(torch.from_numpy(image), torch.from_numpy(mask), ("a",))
    spec: Spec = [{"D4": {"p": 1}}, {"Affine": {"rotate": [-90, 90], "scale": [0.7, 1.5], "p": 1}}]
    augment = DeviceAugmentation(made(*spec), 0)
    for number in range(10):
        augmented = augment(batch, number)
        bright, marked = augmented.inputs[0, 0] > 127, augmented.target[0] == 1
        assert marked.any()
        assert (bright & marked).sum() > 0.85 * (bright | marked).sum()


# What is drawn.


def test_what_is_drawn_follows_from_seed_number_and_place() -> None:
    transforms, batch = made(*LIGHT, {"GaussNoise": {"p": 0.5}}), batch_of()
    first = DeviceAugmentation(transforms, 1)(batch, 5)
    again = DeviceAugmentation(transforms, 1)(batch, 5)
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.target, again.target)
    for seed, number in ((1, 6), (2, 5)):
        assert not torch.equal(DeviceAugmentation(transforms, seed)(batch, number).inputs, first.inputs)
    same = batch._replace(inputs=batch.inputs[:1].repeat(COUNT, 1, 1, 1))
    assert len({image.numpy().tobytes() for image in DeviceAugmentation(transforms, 1)(same, 5).inputs}) > COUNT // 2


def test_what_it_is_given_stays_as_it_is() -> None:
    spec = (*LIGHT, {"ColorJitter": {"p": 1}}, {"GaussNoise": {"p": 1}}, {"D4": {"p": 1}})
    for dtype in (torch.uint8, torch.float32):
        batch = batch_of()
        batch = batch._replace(inputs=batch.inputs.to(dtype) / (1 if dtype == torch.uint8 else 255)).to(
            torch.device("cpu")
        )
        inputs, target = batch.inputs.clone(), batch.target.clone()
        DeviceAugmentation(made(*spec), 0)(batch, 0)
        assert torch.equal(batch.inputs, inputs)
        assert torch.equal(batch.target, target)


def test_noise_has_the_mean_and_the_deviation_that_were_drawn() -> None:
    """There is no same noise: it is made where it is used."""
    transforms = made({"GaussNoise": {"std_range": [0.05, 0.1], "mean_range": [-0.1, 0.1], "p": 1}})
    grey = torch.full((6, 3, 100, 100), 0.5)
    augmented = DeviceAugmentation(transforms, 0)(Batch(grey, torch.zeros(6, 100, 100).long(), tuple("abcdef")), 0)
    for place, image in enumerate(augmented.inputs):
        (parameters,) = draw(transforms.steps, (100, 100, 3), sample_seed(0, 0, place))
        assert parameters is not None
        assert image.std().item() == pytest.approx(parameters["std"], rel=0.05)
        assert image.mean().item() - 0.5 == pytest.approx(parameters["mean"], abs=0.003)
    assert not torch.equal(augmented.inputs[0], augmented.inputs[1])
    assert not torch.equal(augmented.inputs[0, 0], augmented.inputs[0, 1])


def test_the_batch_comes_back_as_it_was_but_for_pixels() -> None:
    batch = batch_of()
    augmented = DeviceAugmentation(made(*LIGHT), 0)(batch, 0)
    assert augmented.keys == batch.keys
    assert augmented.inputs.dtype == batch.inputs.dtype
    assert augmented.inputs.is_contiguous(memory_format=torch.channels_last)
    assert augmented.target.dtype == torch.int64


def test_without_transforms_nothing_changes() -> None:
    batch = batch_of()
    assert torch.equal(DeviceAugmentation(made(), 0)(batch, 0).inputs, batch.inputs)


# What it does not know.


def test_unknown_transforms_and_options_are_told_in_one_line() -> None:
    spec: Spec = (
        {"MotionBlur": {}},
        {"Affine": {"fit_output": True, "fill": 3}},
        {"HorizontalFlip": {}},
        {"RandomShadow": {}},
        {"RandomCrop": {"height": 8, "width": 8, "p": 0.5}},
    )
    told = "MotionBlur, Affine.fill=3.0, Affine.fit_output=true, RandomShadow, RandomCrop.p=0.5;"
    with pytest.raises(UserError, match=f"^trainer.device_augmentation=true: [a-z ]+ {told} .*$"):
        DeviceAugmentation(made(*spec), 0)


def test_every_transform_it_knows_is_compared_with_the_cpus() -> None:
    tested = {name for spec, _, _ in CASES.values() for entry in spec for name in entry}
    assert tested == APPLY.keys() - {"GaussNoise"}
