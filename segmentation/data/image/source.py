"""What a reader of an image layout returns: the samples, and how their pictures and masks are read."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from segmentation.classes import Classes
from segmentation.data.faults import FileFault
from segmentation.data.image.files import RGB, PixelFormat, Size, read_image, stored_size
from segmentation.errors import UserError
from segmentation.runtime.console import progress_bar

StoredValue = tuple[int, ...]  # one number, or the three of a colour


@dataclass(frozen=True)
class ImageSample:
    """`key` names the sample everywhere. `group` is what a split keeps together (a video, a specimen; else the key).

    `image` is the picture file, or the video of which this is number `frame`. `mask` is whatever the source's labels
    read: a path, the regions to paint, None without labels. `size` is the image's (height, width). `part` is the split
    that the data set itself puts the sample in (train, val or test).
    """

    key: str
    group: str
    image: Path
    mask: Any
    size: Size
    part: str | None = None
    frame: int | None = None


class Labels(Protocol):
    """How the masks of a data set become class ids `[H, W]` uint8, `classes.ignore_index` where nothing is known.

    Methods raise `UserError` naming the file.
    """

    @property
    def classes(self) -> Classes: ...

    def read(self, sample: ImageSample) -> np.ndarray: ...

    def look(self, sample: ImageSample) -> tuple[np.ndarray, Mapping[StoredValue, int]]:
        """The ids, and how many pixels have each stored value that is no class and not known to be ignored."""
        ...

    def files(self, sample: ImageSample) -> tuple[Path, ...]:
        """What the mask is read from: when it changes, what was computed from the mask is out of date."""
        ...


ReadImage = Callable[[ImageSample, PixelFormat, Size | None], np.ndarray]


def read_picture(sample: ImageSample, pixels: PixelFormat, at_least: Size | None) -> np.ndarray:
    return read_image(sample.image, pixels, at_least)


@dataclass(frozen=True)
class ImageSource:
    """All samples of a data set; `title` is for messages, and so are `options`, those of the reader that are set."""

    title: str
    samples: tuple[ImageSample, ...]
    labels: Labels
    pixels: PixelFormat = RGB
    reader: ReadImage = read_picture
    options: frozenset[str] = frozenset()

    @property
    def classes(self) -> Classes:
        return self.labels.classes

    def read_image(self, sample: ImageSample, at_least: Size | None = None) -> np.ndarray:
        """`[H, W, channels]`, uint8 or float32 in [0, 1]; perhaps smaller than stored, not below `at_least`."""
        return self.reader(sample, self.pixels, at_least)

    def read_mask(self, sample: ImageSample) -> np.ndarray:
        """Class ids `[H, W]` uint8."""
        return self.labels.read(sample)


UNMEASURED: Size = (0, 0)


def measured(samples: Iterable[ImageSample]) -> tuple[list[ImageSample], list[str]]:
    """The samples with the sizes that the headers of their files tell, many read at a time, and what is wrong with
    the others: unreadable, or a mask file (`mask` is a path) of another size than the image.
    """

    def measure(sample: ImageSample) -> ImageSample | str:
        try:
            size = stored_size(sample.image, rotate=True)
            mask_size = stored_size(sample.mask, rotate=False) if isinstance(sample.mask, Path) else size
        except UserError as error:
            return str(error)
        if size != mask_size:
            told = f"{sample.key}: the image is {size[1]}x{size[0]}, its mask {mask_size[1]}x{mask_size[0]} pixels"
            return FileFault(told, sample.image, sample.mask)
        return replace(sample, size=size)

    todo = list(samples)
    results = []
    with ThreadPoolExecutor() as pool, progress_bar("looking at the files", len(todo)) as bar:
        for result in pool.map(measure, todo):
            results.append(result)
            bar.advance()
    return (
        [sample for sample in results if isinstance(sample, ImageSample)],
        [fault for fault in results if isinstance(fault, str)],
    )
