"""Images and masks, read and brought to a size: what is the same every time, before anything random."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from segmentation.data.image.cached import CacheOptions, open_sample_cache
from segmentation.data.image.files import Size
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.errors import UserError


@dataclass(frozen=True)
class Reading:
    """`cache` keeps samples of the usual size. `skip_bad`: a sample that cannot be read is told and replaced."""

    cache: CacheOptions | None = None
    skip_bad: bool = False


EVERY_TIME = Reading()


class ResizedSamples:
    """`samples.read(index, size)` is the image `[H, W, channels]` and the mask `[H, W]` uint8 of a sample; do not write
    into them, they may be a cache's.

    `size` is (height, width), None as stored, `usual_size` the one that a cache keeps. In evaluation (`resize_masks`
    false) masks keep their stored size: that is where scores are taken.
    """

    def __init__(
        self,
        source: ImageSource,
        samples: Sequence[ImageSample],
        resize_masks: bool,
        usual_size: Size | None = None,
        reading: Reading = EVERY_TIME,
    ) -> None:
        self.source, self.samples, self.resize_masks = source, list(samples), resize_masks
        self.usual_size, self.skip_bad = usual_size, reading.skip_bad
        self.cache = (
            None
            if reading.cache is None or not samples
            else open_sample_cache(reading.cache, source, samples, usual_size, resize_masks)
        )
        self._bad: list[str] = []

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int, size: Size | None) -> tuple[np.ndarray, np.ndarray]:
        """Raises `UserError` naming the file that cannot be read.

        With `skip_bad` it is noted instead: training gets the next sample that can be read (of the same stored size
        where `size` is None), evaluation a black image whose mask is all ignored.
        """
        for candidate in self._candidates(index, size) if self.skip_bad else (index,):
            try:
                return self._kept(candidate, size)
            except UserError as error:
                if not self.skip_bad:
                    raise
                self._bad.append(str(error))
        return self._nothing(self.samples[index], size)

    def take_bad(self) -> tuple[str, ...]:
        """What could not be read since this was asked last."""
        bad, self._bad = tuple(self._bad), []
        return bad

    def _candidates(self, index: int, size: Size | None) -> Iterator[int]:
        yield index
        if self.resize_masks:
            others = (*range(index + 1, len(self)), *range(index))
            wanted = self.samples[index].size
            yield from (other for other in others if size is not None or self.samples[other].size == wanted)

    def _kept(self, index: int, size: Size | None) -> tuple[np.ndarray, np.ndarray]:
        if self.cache is None or size != self.usual_size:
            return self._read(index, size)
        kept = self.cache.get(index)
        if kept is None:
            kept = self._read(index, size)
            self.cache.put(index, kept)
        image, mask = kept
        return image, mask

    def _read(self, index: int, size: Size | None) -> tuple[np.ndarray, np.ndarray]:
        sample = self.samples[index]
        image, mask = self.source.read_image(sample, size), self.source.read_mask(sample)
        if size is None:
            return image, mask
        return resize_image(image, size), resize_mask(mask, size) if self.resize_masks else mask

    def _nothing(self, sample: ImageSample, size: Size | None) -> tuple[np.ndarray, np.ndarray]:
        image = np.zeros((*(size or sample.size), self.source.pixels.channels), np.uint8)
        mask_size = size if size is not None and self.resize_masks else sample.size
        return image, np.full(mask_size, self.source.classes.ignore_index, np.uint8)


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
