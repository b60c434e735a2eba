"""Label pictures whose colours stand for classes."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import cv2
import numpy as np

from segmentation.classes import Classes, Color
from segmentation.data.image.source import StoredValue
from segmentation.errors import UserError

ALL_COLORS = 2**24


@dataclass(frozen=True)
class PaletteDecoder:
    """Colours to class ids by one lookup per pixel in a table of all 24-bit colours.

    `ignored` are known colours that stand for no class; they and unknown colours become `classes.ignore_index`.
    Raises `UserError` where that does not fit into the 8 bits of an id (the classes are below it then).
    """

    classes: Classes
    ignored: tuple[Color, ...] = ()
    of_indices: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_8_bits(self.classes)

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """`[H, W, 3]` BGR or `[H, W, 4]` BGRA, uint8 -> class ids `[H, W]` uint8. Else raises `UserError`."""
        return np.take(_lookup_table(self.classes), _packed(stored))

    def unknown(self, stored: np.ndarray, ids: np.ndarray) -> dict[StoredValue, int]:
        """The colours of a picture that are neither a class nor `ignored`, with their numbers of pixels.

        `ids` is what calling the decoder gave for the picture.
        """
        without_class = _packed(stored)[ids == self.classes.ignore_index]
        colors, counts = np.unique(without_class, return_counts=True)
        found: dict[StoredValue, int] = {
            _unpacked(int(color)): int(count) for color, count in zip(colors, counts, strict=True)
        }
        return {color: count for color, count in found.items() if color not in self.ignored}


def check_8_bits(classes: Classes) -> None:
    """Masks are uint8 all the way to the device. Raises `UserError` where the ignore index is not above all classes."""
    if not len(classes) <= classes.ignore_index <= 255:
        raise UserError(
            f"dataset.ignore_index={classes.ignore_index} with {len(classes)} classes: masks have 8-bit ids; "
            f"expected a number from {len(classes)} to 255, after all classes"
        )


def _packed(stored: np.ndarray) -> np.ndarray:
    """One 24-bit number a pixel: red * 2^16 + green * 2^8 + blue."""
    if stored.dtype != np.uint8 or stored.ndim != 3 or stored.shape[2] not in (3, 4):
        shape = "x".join(map(str, stored.shape))
        raise UserError(f"a label picture of {shape} {stored.dtype}: expected 8-bit RGB or RGBA colours")
    four_bytes = stored if stored.shape[2] == 4 else cv2.cvtColor(stored, cv2.COLOR_BGR2BGRA)
    return np.ascontiguousarray(four_bytes).view("<u4")[..., 0] & (ALL_COLORS - 1)


def _unpacked(color: int) -> Color:
    return color >> 16, color >> 8 & 255, color & 255


@lru_cache(maxsize=4)  # per process, 16 MiB: decoders stay small to send to spawned workers
def _lookup_table(classes: Classes) -> np.ndarray:
    table = np.full(ALL_COLORS, classes.ignore_index, np.uint8)
    for index, (red, green, blue) in enumerate(classes.colors):
        table[red << 16 | green << 8 | blue] = index
    return table
