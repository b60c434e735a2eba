"""Which arrays of image samples go into a cache, and under which name."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from segmentation.data.cache import ArrayCache, Layout, Place, open_cache
from segmentation.data.fingerprint import fingerprint
from segmentation.data.image.files import Size
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.errors import UserError

log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class CacheOptions:
    """Where samples are kept once they were read, and how much of that place all samples of a source may take."""

    place: Place
    gigabytes: float


def open_sample_cache(
    options: CacheOptions, source: ImageSource, samples: Sequence[ImageSample], size: Size | None, resize_masks: bool
) -> ArrayCache | None:
    """For the images and masks of `samples` (a part of the source's, which gets that share of the space) at `size`.

    Tells how many fit. None where there can be no cache: that costs time, not the run.
    """
    dtype = _dtype(source, samples)
    layouts = [_layout(sample, size, resize_masks, source.pixels.channels, dtype) for sample in samples]
    all_limit = int(options.gigabytes * 2**30)
    limit = all_limit * len(samples) // len(source.samples)
    try:
        name = _name(source, samples, (size, resize_masks, dtype, limit))
        cache = open_cache(options.place, name, layouts, limit, all_limit)
    except OSError as error:
        log.warning("dataset.cache=%s: there can be no cache (%s); samples are read every time", options.place, error)
        return None
    more = "" if len(cache) == len(samples) else "; the others are read every time (dataset.cache_gb, or what is free)"
    told = (options.place, len(cache), len(samples), cache.size / 2**30, more)
    log.info("dataset.cache=%s: %d of %d samples fit, in %.2f GB%s", *told)
    return cache


def _layout(sample: ImageSample, size: Size | None, resize_masks: bool, channels: int, dtype: str) -> Layout:
    mask = size if size is not None and resize_masks else sample.size
    return ((*(size or sample.size), channels), dtype), (mask, np.dtype(np.uint8).str)


def _dtype(source: ImageSource, samples: Sequence[ImageSample]) -> str:
    """Of the first image that can be read: 8-bit pictures are uint8, others float32. Images of the other kind are not
    kept.
    """
    for sample in samples:
        try:
            return source.read_image(sample).dtype.str
        except UserError:
            continue
    return np.dtype(np.uint8).str


def _name(source: ImageSource, samples: Sequence[ImageSample], more: tuple[object, ...]) -> str:
    """Changes with the files and with all that decides what is made of them."""
    files = {path for sample in samples for path in (sample.image, *source.labels.files(sample))}
    wanted = [(sample.key, sample.image, sample.frame, source.labels.files(sample)) for sample in samples]
    reader = getattr(source.reader, "__qualname__", source.reader)
    return fingerprint(files, wanted, source.labels, source.pixels, reader, cv2.__version__, more)
