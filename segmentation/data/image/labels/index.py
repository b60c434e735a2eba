"""Label pictures whose numbers stand for classes: an id at every pixel, or an object on a dark ground."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import cv2
import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.labels.palette import check_8_bits
from segmentation.data.image.source import StoredValue
from segmentation.data.remap import Remap
from segmentation.errors import UserError

NUMBERS = 2**16  # what a mask of 16 bits can hold


@dataclass(frozen=True)
class IndexDecoder:
    """Stored numbers to class ids by one lookup per pixel.

    `remap` holds pairs (stored number, class id or ignore index); without it each number is the id itself. Numbers
    that are no class become the ignore index.
    """

    classes: Classes
    remap: Remap = ()
    of_indices: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_8_bits(self.classes)

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """Integers `[H, W]`, or several channels that are all equal -> class ids `[H, W]` uint8. Else `UserError`."""
        numbers, table = _numbers(stored), _lookup_table(self.classes, self.remap)
        if numbers.dtype == np.uint8:
            return cv2.LUT(numbers, table[:256])  # half the time of numpy's
        if numbers.dtype == np.uint16:
            return np.take(table, numbers)
        holds = (numbers >= 0) & (numbers < NUMBERS)
        return np.where(holds, table[np.where(holds, numbers, 0)], np.uint8(self.classes.ignore_index))

    def unknown(self, stored: np.ndarray, ids: np.ndarray) -> dict[StoredValue, int]:
        """The numbers that are neither a class nor known to be ignored, with their numbers of pixels."""
        without_class = _numbers(stored)[ids == self.classes.ignore_index]
        numbers, counts = np.unique(without_class, return_counts=True)
        ignored = {self.classes.ignore_index, *(number for number, _ in self.remap)}
        return {
            (int(number),): int(count)
            for number, count in zip(numbers, counts, strict=True)
            if int(number) not in ignored
        }


@dataclass(frozen=True)
class BinaryDecoder:
    """The second of two classes is where a picture's value is `threshold` or above, the first one elsewhere.

    Raises `UserError` where there are not two classes.
    """

    classes: Classes
    threshold: float = 128
    of_indices: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_8_bits(self.classes)
        if len(self.classes) != 2:
            raise UserError(
                f"dataset.mask_format=binary with {len(self.classes)} classes ({', '.join(self.classes.names)}): "
                "expected two, dataset.classes=[background,object]"
            )

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """`[H, W]` or `[H, W, channels]` -> class ids `[H, W]` uint8."""
        return reaches(stored, self.threshold).astype(np.uint8)

    def unknown(self, stored: np.ndarray, ids: np.ndarray) -> dict[StoredValue, int]:
        return {}


def reaches(stored: np.ndarray, threshold: float) -> np.ndarray:
    """Where the brightest colour channel of a picture is `threshold` or above, `[H, W]` bool; transparency is none."""
    grey = stored if stored.ndim == 2 else stored[..., :3].max(axis=2)
    return grey if grey.dtype == bool else grey >= threshold


def _numbers(stored: np.ndarray) -> np.ndarray:
    """`[H, W]` integers."""
    colors = stored[..., :3] if stored.ndim == 3 else stored[..., None]
    if colors.ndim != 3 or stored.dtype.kind not in "uib" or (stored.ndim == 3 and (colors != colors[..., :1]).any()):
        shape = "x".join(map(str, stored.shape))
        raise UserError(
            f"a mask of {shape} {stored.dtype}: expected one whole number a pixel; for colours set "
            "dataset.mask_format=palette (of predict.py: labels_format=palette)"
        )
    return colors[..., 0].astype(np.uint8) if stored.dtype == bool else colors[..., 0]


@lru_cache(maxsize=16)  # 64 KiB
def _lookup_table(classes: Classes, remap: Remap) -> np.ndarray:
    table = np.full(NUMBERS, classes.ignore_index, np.uint8)
    for number, class_id in remap or enumerate(range(len(classes))):
        table[number] = class_id
    return table
