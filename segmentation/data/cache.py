"""Arrays in one memory map that all workers and all processes on a machine share: what was read once stays read.

The file has a mark for each entry, then the entries. A mark is written after its entry and holds its checksum: an
entry that a killed process left half written, or that was damaged, has no mark that fits, and is read anew.
"""

import math
import mmap
import os
import shutil
import sys
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Literal

import numpy as np
import psutil

from segmentation.data.fingerprint import cache_folder

if sys.platform != "win32":
    import fcntl

Layout = tuple[tuple[tuple[int, ...], str], ...]  # shape and data type of each array of an entry
Place = Literal["ram", "disk"]
ALIGNED = 64  # bytes
USED = 0.8  # of what is free, at most: in the same memory loaders pass batches, on the same disk runs keep checkpoints
MARK, WRITTEN = np.dtype("<u8"), 1 << 32  # a checksum of 32 bits, and a bit above it


class ArrayCache:
    """Entry `index` is some arrays of the shapes and types of `layouts[index]`; the first `len(cache)` have a place.

    A cache reaches the workers of a loader by fork or by spawn. One that is `temporary` ends with the object, or the
    process, that opened it. Raises `OSError` where the file cannot be made.
    """

    def __init__(self, path: Path, layouts: Sequence[Layout], places: int, temporary: bool) -> None:
        self.path, self.layouts, self.places = path, layouts, places
        self._open()
        if temporary:
            weakref.finalize(self, _remove, path, os.getpid())

    def _open(self) -> None:
        self._ends = _ends(self.layouts)
        self._file = _opened(self.path)
        self.size = int(self._ends[self.places])
        _reserve(self._file, self.size)
        self._map = mmap.mmap(self._file.fileno(), self.size)
        self._read_only = memoryview(self._map).toreadonly()
        self._marks = np.frombuffer(self._map, MARK, self.places)
        self._verified: set[int] = set()

    def __len__(self) -> int:
        return self.places

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "layouts": self.layouts, "places": self.places}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def get(self, index: int) -> tuple[np.ndarray, ...] | None:
        """The arrays, which cannot be written to: they are the memory of all processes. None: not there yet.

        Each process looks at the checksum once.
        """
        mark = int(self._marks[index]) if index < self.places else 0
        if not mark:
            return None
        if index not in self._verified:
            if mark != self._checksum(index):
                return None
            self._verified.add(index)
        return tuple(self._arrays(index, self._read_only))

    def put(self, index: int, arrays: Sequence[np.ndarray]) -> None:
        """Does nothing with an entry that has no place, or with arrays of other shapes or types than it has."""
        if index >= self.places or tuple((array.shape, array.dtype.str) for array in arrays) != self.layouts[index]:
            return
        self._marks[index] = 0
        for array, place in zip(arrays, self._arrays(index, self._map), strict=True):
            place[...] = array
        self._marks[index] = self._checksum(index)
        self._verified.add(index)

    def _arrays(self, index: int, memory: mmap.mmap | memoryview) -> Iterator[np.ndarray]:
        start = int(self._ends[index])
        for shape, dtype in self.layouts[index]:
            yield np.frombuffer(memory, dtype, math.prod(shape), start).reshape(shape)
            start += _aligned(_bytes(shape, dtype))

    def _checksum(self, index: int) -> int:
        return zlib.crc32(self._read_only[int(self._ends[index]) : int(self._ends[index + 1])]) | WRITTEN


def open_cache(place: Place, name: str, layouts: Sequence[Layout], limit: int, all_limit: int) -> ArrayCache:
    """A cache of the first entries that fit into `limit` bytes and into what is free; `name` says what it holds.

    In "ram" it ends with its owner, and what owners that were killed left behind is removed. On "disk" it stays, and
    those used longest ago make room when all files together are above `all_limit` bytes. Raises `OSError`.
    """
    folder = _ram_folder() if place == "ram" else cache_folder() / "samples"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, ends = folder / name, _ends(layouts)
    others = [other for other in folder.iterdir() if other != path]
    make_room(others, 0 if place == "ram" else all_limit - int(ends[_fitting(ends, limit)]))
    most = min(limit, int(_free(place, folder) * USED) + size_of(path))
    return ArrayCache(path, layouts, _fitting(ends, most), temporary=place == "ram")


def _free(place: Place, folder: Path) -> int:
    """Bytes. What a system would let files in memory have may be more than there is."""
    free = shutil.disk_usage(folder).free
    return min(free, psutil.virtual_memory().available) if place == "ram" else free


def _ram_folder() -> Path:
    """Where files are memory, of this user alone; elsewhere the system decides when to write them."""
    shared = Path("/dev/shm")
    return shared / f"segmentation-lab-{os.getuid()}" if shared.is_dir() else Path(gettempdir()) / "segmentation-lab"


def make_room(files: Sequence[Path], most: int) -> None:
    """Remove files that nobody uses, those used longest ago first, until all are at most `most` bytes together."""
    total = sum(map(size_of, files))
    for path in sorted(files, key=_last_used):
        size = size_of(path)
        with suppress(FileNotFoundError):  # another process makes room as well
            if total > most and size and _is_unused(path):
                path.unlink()
                total -= size


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _last_used(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def _is_unused(path: Path) -> bool:
    with path.open("rb") as file:
        return _lock(file.fileno(), shared=False)


def _opened(path: Path) -> BufferedRandom:
    """For reading and writing, made where it is not there, and locked against removal as long as it is open."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    _lock(descriptor, shared=True)
    os.utime(path)
    return os.fdopen(descriptor, "r+b")


def _lock(descriptor: int, shared: bool) -> bool:
    """Whether it could be had. It ends with the process, however that ends."""
    if sys.platform == "win32":  # an open file cannot be removed there
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _reserve(file: BufferedRandom, size: int) -> None:
    """All bytes at once: a memory map that meets a full disk later kills the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    elif os.fstat(file.fileno()).st_size < size:
        file.truncate(size)


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # not a worker, which has a copy of what its parent was to do at its end
        path.unlink(missing_ok=True)


def _ends(layouts: Sequence[Layout]) -> np.ndarray:
    """Where the marks end and the first entry starts, then where each entry ends, in bytes."""
    sizes = {layout: sum(_aligned(_bytes(*array)) for array in layout) for layout in set(layouts)}
    marks = _aligned(len(layouts) * MARK.itemsize)
    return marks + np.cumsum([0, *(sizes[layout] for layout in layouts)], dtype=np.int64)


def _fitting(ends: np.ndarray, limit: int) -> int:
    """The number of first entries that fit into `limit` bytes."""
    return int(np.searchsorted(ends[1:], limit, side="right"))


def _bytes(shape: tuple[int, ...], dtype: str) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
