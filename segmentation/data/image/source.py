"""What a reader of an image layout returns: where each sample is and how its label picture becomes class ids."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.files import Size, read_stored, stored_size
from segmentation.data.image.palette import PaletteDecoder
from segmentation.errors import UserError


@dataclass(frozen=True)
class ImageSample:
    """`key` names the sample everywhere, `group` the video it is a frame of; sizes are (height, width) on disk."""

    key: str
    group: str
    image: Path
    mask: Path
    size: Size


@dataclass(frozen=True)
class ImageSource:
    """All samples of a data set. `decode` turns a stored label picture into class ids; `title` is for messages."""

    title: str
    samples: tuple[ImageSample, ...]
    decode: PaletteDecoder

    @property
    def classes(self) -> Classes:
        return self.decode.classes

    def read_mask(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """A label picture as stored, and its class ids `[H, W]` uint8. Raises `UserError` naming the file."""
        stored = read_stored(path)
        try:
            return stored, self.decode(stored)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error


def measure_pairs(pairs: Iterable[tuple[str, str, Path, Path]]) -> tuple[list[ImageSample], list[str]]:
    """Samples from (key, group, image, mask), and the faults of those whose files are unreadable or differ in size.

    Only headers are read, many at a time.
    """

    def measure(pair: tuple[str, str, Path, Path]) -> ImageSample | str:
        key, group, image, mask = pair
        try:
            size, mask_size = stored_size(image, rotate=True), stored_size(mask, rotate=False)
        except UserError as error:
            return str(error)
        if size != mask_size:
            return f"{key}: the image is {size[1]}x{size[0]}, its mask {mask_size[1]}x{mask_size[0]} pixels"
        return ImageSample(key, group, image, mask, size)

    with ThreadPoolExecutor() as pool:
        measured = list(pool.map(measure, pairs))
    return (
        [sample for sample in measured if isinstance(sample, ImageSample)],
        [fault for fault in measured if isinstance(fault, str)],
    )
