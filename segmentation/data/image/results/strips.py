"""What is predicted of a large picture, row by row: kept on the disk until all of it is there, then read by whoever
writes a result.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import numpy as np
import tifffile
from numpy.typing import DTypeLike

from segmentation.data.image.georeference import MapPlace
from segmentation.runtime.files import write_atomically

ROWS = 512  # that are read at once; the side of a tile of what is written
CLASSIC = 2**31  # bytes up to which offsets of 32 bits will do
LEVEL = 3  # of deflate, from 1 (fast) to 9


class Strips:
    """Rows of `width` pixels, appended from top to bottom; iterating gives `[up to ROWS, width]` from the top, as often
    as is asked. They are in a file without a name in `folder`, which is gone when this is closed or the program ends.
    """

    def __init__(self, width: int, dtype: DTypeLike, folder: Path) -> None:
        self.width, self.dtype, self.height = width, np.dtype(dtype), 0
        folder.mkdir(parents=True, exist_ok=True)
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115  # closed by close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width

    def append(self, rows: np.ndarray) -> None:
        """`[n, width]`."""
        self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)
        self.height += len(rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        line = self.width * self.dtype.itemsize
        for top in range(0, self.height, ROWS):
            self._file.seek(top * line)
            stored = np.frombuffer(self._file.read(ROWS * line), self.dtype)
            yield stored.reshape(-1, self.width)

    def close(self) -> None:
        self._file.close()


def write_tiff(
    path: Path,
    strips: Iterable[np.ndarray],
    shape: tuple[int, ...],
    dtype: DTypeLike,
    place: MapPlace | None = None,
    colormap: np.ndarray | None = None,
) -> None:
    """A tiled, deflated TIFF of `shape` `[H, W]` or `[H, W, 3]` from strips of `ROWS` rows (the last one of what is
    left), with one of them in the memory. `colormap` `[3, 2 ** bits]` uint16 is of a picture with a palette.
    """
    across, is_big = range(0, shape[1], ROWS), math.prod(shape) * np.dtype(dtype).itemsize > CLASSIC
    tiles = (np.ascontiguousarray(strip[:, left : left + ROWS]) for strip in strips for left in across)

    def write(temporary: Path) -> None:
        with tifffile.TiffWriter(temporary, bigtiff=is_big) as tiff:
            tiff.write(
                tiles,
                shape=shape,
                dtype=np.dtype(dtype),
                tile=(ROWS, ROWS),
                photometric="palette" if colormap is not None else "rgb" if len(shape) == 3 else "minisblack",
                colormap=colormap,
                compression="zlib",
                compressionargs={"level": LEVEL},
                metadata=None,
                extratags=() if place is None else place.tags,
            )

    write_atomically(path, write)
