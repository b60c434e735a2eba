"""Images and masks, read and brought to a size: what is the same every time, before anything random."""

from collections.abc import Sequence

import cv2
import numpy as np

from segmentation.data.image.files import Size
from segmentation.data.image.source import ImageSample, ImageSource


class ResizedSamples:
    """`samples[index, size]` is the image `[H, W, channels]` and the mask `[H, W]` uint8 of a sample.

    `size` is (height, width), None as stored. In evaluation (`resize_masks` false) masks keep their stored size: that
    is where scores are taken.
    """

    def __init__(self, source: ImageSource, samples: Sequence[ImageSample], resize_masks: bool) -> None:
        self.source, self.samples, self.resize_masks = source, list(samples), resize_masks

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int, size: Size | None) -> tuple[np.ndarray, np.ndarray]:
        """Raises `UserError` naming the file that cannot be read."""
        sample = self.samples[index]
        image, mask = self.source.read_image(sample, size), self.source.read_mask(sample)
        if size is None:
            return image, mask
        return resize_image(image, size), resize_mask(mask, size) if self.resize_masks else mask


def resize_image(image: np.ndarray, size: Size) -> np.ndarray:
    """Averages areas when it shrinks, so that thin things do not break up; interpolates when it enlarges."""
    if image.shape[:2] == size:
        return image
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized if resized.ndim == image.ndim else resized[..., None]  # OpenCV drops a single channel


def resize_mask(mask: np.ndarray, size: Size) -> np.ndarray:
    if mask.shape == size:
        return mask
    return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
