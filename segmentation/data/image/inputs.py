"""What there is to predict: a file, a folder with all below it, or a pattern; pictures of any size, and videos."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from segmentation.data.given import keys_of, search
from segmentation.data.image.files import SUFFIXES, TIFF, PixelFormat, Size, in_format, read_image, stored_size
from segmentation.data.image.tiff_windows import TiffWindows
from segmentation.data.image.videos import VIDEO_SUFFIXES, VideoFile
from segmentation.errors import UserError
from segmentation.runtime.console import progress_bar

LARGE = 64_000_000  # pixels above which a picture is not decoded whole where that can be helped
ALL = slice(None)


class Picture(Protocol):
    """`key` is the path below what was searched, without the suffix: results are named by it. `size` is (height, width)
    as looked at. Where `is_large`, no more of it than windows should be in the memory.
    """

    key: str
    path: Path
    size: Size

    @property
    def is_large(self) -> bool: ...

    def read(self, rows: slice = ALL, columns: slice = ALL) -> np.ndarray:
        """`[h, w, bands]`, uint8 of 0-255 or float32 in [0, 1], as `files.read_image` makes it; not to be written to.
        Raises `UserError` naming the file.
        """
        ...

    def close(self) -> None:
        """Let go of what is kept for reading on; it may be read again."""
        ...


@dataclass
class WholePicture:
    """Decoded at the first reading, and kept until it is closed."""

    key: str
    path: Path
    size: Size
    pixels: PixelFormat
    _image: np.ndarray | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def is_large(self) -> bool:
        return self.size[0] * self.size[1] > LARGE

    def read(self, rows: slice = ALL, columns: slice = ALL) -> np.ndarray:
        with self._lock:
            if self._image is None:
                self._image = read_image(self.path, self.pixels)
            return self._image[rows, columns]

    def close(self) -> None:
        self._image = None


@dataclass
class WindowedPicture:
    """A large TIFF: of it no more is decoded than is asked for, and some tiles or strips are kept."""

    key: str
    path: Path
    size: Size
    pixels: PixelFormat
    _windows: TiffWindows | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def is_large(self) -> bool:
        return True

    def read(self, rows: slice = ALL, columns: slice = ALL) -> np.ndarray:
        with self._lock:
            self._windows = self._windows or TiffWindows(self.path)
            return in_format(self._windows.read(rows, columns), self.pixels, self.path)

    def close(self) -> None:
        with self._lock:
            if self._windows is not None:
                self._windows.close()
            self._windows = None


@dataclass(frozen=True)
class Inputs:
    """In the order of their names; `unreadable` tells in a line each what cannot be predicted."""

    pictures: tuple[Picture, ...]
    videos: tuple[VideoFile, ...]
    unreadable: tuple[str, ...]


def find_inputs(given: str, pixels: PixelFormat, leave_out: Path | None = None) -> Inputs:
    """Pictures and videos, found as `data.given.search` says. Only headers are read, so that a picture may yet turn out
    to be damaged.

    Two files of one name but another suffix keep their suffixes in their keys, and so does a video beside a folder of
    its name. Raises `UserError` as the search does.
    """
    known = (*SUFFIXES, *VIDEO_SUFFIXES)
    given_files = search(given, known, "no picture and no video", leave_out)
    keys = keys_of([path.relative_to(given_files.base) for path in given_files.files], takes_folder=_is_video)
    looked = _look_at(list(zip(keys, given_files.files, strict=True)), pixels)
    return Inputs(
        tuple(found for found in looked if isinstance(found, WholePicture | WindowedPicture)),
        tuple(found for found in looked if isinstance(found, VideoFile)),
        (*given_files.unlisted, *(found for found in looked if isinstance(found, str))),
    )


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


Found = Picture | VideoFile | str


def _look_at(files: Sequence[tuple[str, Path]], pixels: PixelFormat) -> list[Found]:
    """At the headers, many at a time; text tells what is wrong."""

    def look(named: tuple[str, Path]) -> Found:
        key, path = named
        try:
            return VideoFile.open(path, pixels, key) if _is_video(path) else _picture(key, path, pixels)
        except UserError as error:
            return str(error)

    looked = []
    with ThreadPoolExecutor() as pool, progress_bar("looking at the inputs", len(files)) as bar:
        for found in pool.map(look, files):
            looked.append(found)
            bar.advance()
    return looked


def _picture(key: str, path: Path, pixels: PixelFormat) -> Picture:
    picture = WholePicture(key, path, stored_size(path, rotate=True), pixels)
    if picture.is_large and path.suffix.lower() in TIFF and TiffWindows.can_read(path):
        TiffWindows(path).close()  # what it is compressed with is told at once
        return WindowedPicture(key, path, picture.size, pixels)
    return picture
