"""A user's own data: any class with `__len__` and `__getitem__`, which returns an image and its mask."""

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import Classes
from segmentation.data.class_list import Spec, class_list
from segmentation.data.faults import refuse
from segmentation.data.image.files import PixelFormat, Size
from segmentation.data.image.labels.index import IndexDecoder
from segmentation.data.image.pixels import in_range, with_channels
from segmentation.data.image.source import ImageSample, ImageSource, StoredValue
from segmentation.errors import UserError
from segmentation.runtime.console import progress_bar

_one_at_a_time = threading.Lock()  # masks are scanned by many threads, which a user's class need not expect
_last = threading.local()  # the mask that came with the image read last


def own(root: str, dataset: Any, classes: Spec = None, ignore_index: int = 255) -> ImageSource:
    """`dataset[i]` for `i` from 0 to `len(dataset) - 1` returns an image and a mask, arrays or PIL pictures: the image
    `[H, W]` or `[H, W, channels]`, of integers or of floats from 0 to 1, the mask `[H, W]` of class ids, of the same
    size. The same `i` gives the same pair each time; augmentation is not its business. For worker processes it has to
    pickle. `root` is where a file of `classes` may be. All items are read once now. Raises `UserError` with the
    indices at which something else is returned.
    """
    name = type(dataset).__qualname__
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__") or len(dataset) == 0:
        raise UserError(
            f"dataset.dataset: a {name} is no data set: expected a class with __len__, above 0, and __getitem__"
        )
    items = Items(dataset, "")
    file = Path(getattr(sys.modules[type(dataset).__module__], "__file__", None) or __file__)
    known = class_list(classes, Path(root), ignore_index)
    digits = len(str(len(dataset) - 1))
    samples, faults = [], []
    digest = blake2b(digest_size=10)
    with progress_bar("reading", len(dataset)) as bar:
        for index in range(len(dataset)):
            try:
                image, mask = items.pair(index)
                digest.update(image.tobytes() + mask.tobytes())
            except UserError as error:
                faults.append(str(error))
            else:
                key = f"{index:0{digits}d}"
                samples.append(ImageSample(key, key, file, None, (mask.shape[0], mask.shape[1]), None, index))
            bar.advance()
    refuse(f"{len(faults)} of the {len(dataset)} items of {name} cannot be used", faults)
    if not samples:
        raise UserError(f"dataset.dataset: {name} has no item that can be used")
    items = replace(items, content=digest.hexdigest())
    labels = OwnLabels(IndexDecoder(known), items)
    return ImageSource(f"{name} ({len(samples)} items)", tuple(samples), labels, reader=items)


@dataclass(frozen=True)
class Items:
    """The pairs of a data set; called, the image of a sample. `content` is a digest of all: no file tells when they
    change.
    """

    dataset: Any = field(repr=False)
    content: str

    def pair(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The image `[H, W]` or `[H, W, channels]` and the mask `[H, W]`, as they are. Raises `UserError`."""
        called = f"{type(self.dataset).__qualname__}[{index}]"
        try:
            with _one_at_a_time:
                item = self.dataset[index]
        except Exception as error:  # whatever a user's code raises
            raise UserError(f"{called} raised {type(error).__name__}: {' '.join(str(error).split())}") from error
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise UserError(f"{called} returned {_told(item)}: expected an image and a mask")
        image, mask = np.asarray(item[0]), np.asarray(item[1])
        if mask.ndim == 3 and mask.shape[2] == 1:
            mask = mask[..., 0]
        if image.ndim not in (2, 3) or image.dtype.kind not in "uf" or mask.ndim != 2 or mask.dtype.kind not in "uib":
            raise UserError(
                f"{called} returned an image {_told(image)} and a mask {_told(mask)}: expected an image [H, W] or "
                "[H, W, channels] of unsigned integers or floats, and a mask [H, W] of class ids"
            )
        if image.shape[:2] != mask.shape:
            raise UserError(f"{called} returned an image {_told(image)} and a mask {_told(mask)}: expected one size")
        if image.dtype.kind == "f" and not (image.min() >= 0 and image.max() <= 1):
            raise UserError(
                f"{called} returned an image of floats from {image.min():g} to {image.max():g}: expected 0 to 1 "
                "(the model subtracts the mean itself)"
            )
        return image, mask

    def mask(self, index: int) -> np.ndarray:
        """Kept from reading the image, if that was the last that was read."""
        kept = getattr(_last, "mask", None)
        _last.mask = None
        return kept[2] if kept and kept[0] is self.dataset and kept[1] == index else self.pair(index)[1]

    def __call__(self, sample: ImageSample, pixels: PixelFormat, at_least: Size | None) -> np.ndarray:
        assert sample.frame is not None
        image, mask = self.pair(sample.frame)
        _last.mask = self.dataset, sample.frame, mask
        image = in_range(image if image.ndim == 3 else image[..., None], pixels.max_value)
        image = with_channels(image, pixels.channels)
        if image.shape[2] != pixels.channels:
            raise UserError(
                f"{type(self.dataset).__qualname__}[{sample.frame}] returned an image {_told(image)}: expected "
                f"{pixels.channels} channels (dataset.in_channels)"
            )
        return np.ascontiguousarray(image)


@dataclass(frozen=True)
class OwnLabels:
    """Class ids are what the masks hold."""

    decode: IndexDecoder
    items: Items

    @property
    def classes(self) -> Classes:
        return self.decode.classes

    def read(self, sample: ImageSample) -> np.ndarray:
        assert sample.frame is not None
        return self.decode(self.items.mask(sample.frame))

    def look(self, sample: ImageSample) -> tuple[np.ndarray, Mapping[StoredValue, int]]:
        assert sample.frame is not None
        stored = self.items.mask(sample.frame)
        ids = self.decode(stored)
        return ids, self.decode.unknown(stored, ids)

    def files(self, sample: ImageSample) -> tuple[Path, ...]:
        return ()


def _told(value: Any) -> str:
    """uint8 [48, 64, 3] for an array, else the type."""
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__qualname__
