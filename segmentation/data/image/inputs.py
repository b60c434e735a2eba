"""What there is to predict: a file, a folder with all below it, or a pattern; pictures of any size, and videos."""

import os
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from glob import has_magic
from itertools import takewhile
from pathlib import Path
from typing import Protocol

import numpy as np

from segmentation.data.folders import composed
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
    """Everything below a folder, what fits a pattern (`DATA/**/*.png`), or one file. Nothing hidden is looked at, nor
    what is in the folder `leave_out`: where results go may be below the input. Only headers are read, so that a picture
    may yet turn out to be damaged.

    Two files of one name but another suffix keep their suffixes in their keys, and so does a video beside a folder of
    its name. Raises `UserError` where there is nothing, and where `leave_out` is the very folder that is searched.
    """
    base, files, unlisted = _search(given, None if leave_out is None else leave_out.resolve())
    if leave_out is not None and base.resolve() == leave_out.resolve() and Path(given) not in files:
        raise UserError(f"input={given} and output={leave_out} are one folder: give the results a folder of their own")
    if not files and not unlisted:
        raise UserError(
            f"input={given} holds no picture and no video: known are {', '.join((*SUFFIXES, *VIDEO_SUFFIXES))}"
        )
    keys = _keys([path.relative_to(base) for path in files])
    looked = _look_at(list(zip(keys, files, strict=True)), pixels)
    return Inputs(
        tuple(found for found in looked if isinstance(found, WholePicture | WindowedPicture)),
        tuple(found for found in looked if isinstance(found, VideoFile)),
        (*unlisted, *(found for found in looked if isinstance(found, str))),
    )


def _search(given: str, leave_out: Path | None) -> tuple[Path, list[Path], list[str]]:
    """What keys begin below, the files, and the folders that cannot be read."""
    place = Path(given)
    if place.is_dir():
        return (place, *_below(place, leave_out))
    if place.exists():
        if not _is_known(place.name):
            known = ", ".join((*SUFFIXES, *VIDEO_SUFFIXES))
            raise UserError(f"input={given} is no picture and no video by its name: known are {known}")
        return place.parent, [place], []
    if not has_magic(given):
        raise UserError(f"input={given}: there is no such file, folder or pattern")
    fixed = list(takewhile(lambda part: not has_magic(part), place.parts[:-1]))
    base, pattern = Path(*fixed), str(Path(*place.parts[len(fixed) :]))
    found = (path for path in sorted(base.glob(pattern)) if path.is_file() and _is_known(path.name))
    return base, [path for path in found if not _is_hidden(path.relative_to(base)) and _kept(path, leave_out)], []


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _below(folder: Path, leave_out: Path | None) -> tuple[list[Path], list[str]]:
    files: list[Path] = []
    faults: list[str] = []

    def cannot_list(error: OSError) -> None:
        faults.append(f"{error.filename} cannot be read ({error.strerror})")

    for place, inner, names in os.walk(folder, onerror=cannot_list, followlinks=True):
        inner[:] = sorted(
            name for name in inner if not name.startswith(".") and Path(place, name).resolve() != leave_out
        )
        files += [Path(place, name) for name in sorted(names) if not name.startswith(".") and _is_known(name)]
    return sorted(files), faults


def _kept(path: Path, leave_out: Path | None) -> bool:
    return leave_out is None or not path.resolve().is_relative_to(leave_out)


def _is_known(name: str) -> bool:
    return name.lower().endswith((*SUFFIXES, *VIDEO_SUFFIXES))


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _keys(paths: Sequence[Path]) -> list[str]:
    """Without their suffixes where that leaves them apart: from each other, and from the folder of a video's frames."""
    names = [composed(path.as_posix()) for path in paths]
    stems = [name.removesuffix(path.suffix) for name, path in zip(names, paths, strict=True)]
    repeated = {stem for stem, times in Counter(stems).items() if times > 1} | set(names)
    folders = {composed(parent.as_posix()) for path in paths for parent in path.parents}
    return [
        name if stem in repeated or (_is_video(path) and stem in folders) else stem
        for name, stem, path in zip(names, stems, paths, strict=True)
    ]


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
