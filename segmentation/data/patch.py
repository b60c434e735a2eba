"""The pixels of one object of a picture, without the picture around it."""

from typing import NamedTuple

import cv2
import numpy as np

Size = tuple[int, int]


class Patch(NamedTuple):
    """`mask` `[h, w]` bool, whose first pixel is in row `top` and column `left` of the picture."""

    mask: np.ndarray
    top: int
    left: int

    @classmethod
    def of(cls, mask: np.ndarray) -> "Patch":
        """From a mask `[H, W]` bool of the whole picture, whose memory it does not keep."""
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        return cls(mask[top : top + height, left : left + width].copy(), top, left)
