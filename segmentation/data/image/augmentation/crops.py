"""Crops of an image and its mask: anywhere, or so that they hold a pixel of a class."""

from dataclasses import dataclass

import numpy as np

from segmentation.data.image.files import Size

Pair = tuple[np.ndarray, np.ndarray]  # image [H, W, channels], mask [H, W]
FILL = 0  # what stands where there is no image; the mask says that it is ignored


@dataclass(frozen=True)
class Crop:
    """Training samples are windows of `size` (height, width), cut after resizing; None: whole.

    With `rare_probability` a window holds a pixel of a rare class, where the sample has one.
    """

    size: Size | None = None
    rare_probability: float = 0.0

    def __post_init__(self) -> None:
        if self.size is not None:  # a list in a configuration
            object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))


def padded(image: np.ndarray, mask: np.ndarray, size: Size, ignore_index: int) -> Pair:
    """At least of `size`: what is missing is added below and to the right, ignored in the mask."""
    below, right = max(size[0] - mask.shape[0], 0), max(size[1] - mask.shape[1], 0)
    if not below and not right:
        return image, mask
    around = ((0, below), (0, right))
    return (
        np.pad(image, (*around, (0, 0)), constant_values=FILL),
        np.pad(mask, around, constant_values=ignore_index),
    )


def random_crop(pair: Pair, size: Size, ignore_index: int, rng: np.random.Generator) -> Pair:
    """A window of `size` anywhere in a pair, which is padded where it is smaller."""
    image, mask = padded(*pair, size, ignore_index)
    top = int(rng.integers(mask.shape[0] - size[0] + 1))
    left = int(rng.integers(mask.shape[1] - size[1] + 1))
    return _window(image, mask, top, left, size)


def crop_with_class(pair: Pair, size: Size, class_id: int, ignore_index: int, rng: np.random.Generator) -> Pair:
    """A window of `size` around a random pixel of the class, which the mask has; where in the window it lies is
    random as well.
    """
    places = np.flatnonzero(pair[1] == class_id)
    row, column = divmod(int(places[rng.integers(len(places))]), pair[1].shape[1])
    image, mask = padded(*pair, size, ignore_index)
    top, left = _start(row, size[0], mask.shape[0], rng), _start(column, size[1], mask.shape[1], rng)
    return _window(image, mask, top, left, size)


def _start(pixel: int, length: int, total: int, rng: np.random.Generator) -> int:
    """Of a stretch of `length` within `total` that holds the pixel."""
    return int(rng.integers(max(pixel - length + 1, 0), min(pixel, total - length) + 1))


def _window(image: np.ndarray, mask: np.ndarray, top: int, left: int, size: Size) -> Pair:
    rows, columns = slice(top, top + size[0]), slice(left, left + size[1])
    return image[rows, columns], mask[rows, columns]


def class_in(mask: np.ndarray, chances: np.ndarray, rng: np.random.Generator) -> int | None:
    """One of the classes in the mask, by their `chances` `[C]`; None if it has none of those with a chance."""
    present = np.bincount(mask.reshape(-1), minlength=len(chances))[: len(chances)] > 0
    weights = chances * present
    total = weights.sum()
    return int(rng.choice(len(chances), p=weights / total)) if total > 0 else None
