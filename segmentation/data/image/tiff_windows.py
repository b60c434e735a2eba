"""Windows of a TIFF that is too large to be decoded whole: its tiles or strips one at a time."""

import threading
from collections import OrderedDict
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from tifffile import COMPRESSION, PHOTOMETRIC

from segmentation.data.image.files import TURNED, Size, tiff_faults, tiff_orientation, upright

KEPT = 256 * 2**20  # bytes of decoded tiles and strips: some rows of them
STRIP = 2 * 2**20  # bytes that are read at once of what is stored in one piece


class Blocks(NamedTuple):
    """How a page is stored: blocks of (height, width), `across` side by side and `down` in a column, band by band
    (`planes`) or all bands together.
    """

    height: int
    width: int
    across: int
    down: int
    planes: int


class TiffWindows:
    """The first picture of a TIFF; `size` is (height, width) as looked at. Not to be used by two threads at once where
    one of them closes it.
    """

    def __init__(self, path: Path) -> None:
        """Raises `UserError` naming the file: damaged, or compressed in a way that needs imagecodecs."""
        self.path = path
        with tiff_faults(path):
            self._tiff = tifffile.TiffFile(path)
            self._page = _page(self._tiff)
            self._orientation = tiff_orientation(self._tiff)
            _ = tifffile.TIFF.DECOMPRESSORS[self._page.compression], tifffile.TIFF.UNPREDICTORS[self._page.predictor]
        self._dtype = np.dtype(self._page.dtype)
        self._blocks = _blocks(self._page)
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    @staticmethod
    def can_read(path: Path) -> bool:
        """Whether the pixels are stored as they are looked at: grey, colours or other bands of whole bytes on one page.
        Of palettes, CMYK and stacks of pages there are no windows. Raises `UserError` for what is no TIFF.
        """
        with tiff_faults(path), tifffile.TiffFile(path) as tiff:
            page = _page(tiff)
            plain = page.photometric in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB)
            as_jpeg = page.photometric == PHOTOMETRIC.YCBCR and page.compression == COMPRESSION.JPEG
            whole_bytes = page.dtype is not None and page.bitspersample == page.dtype.itemsize * 8
            return len(tiff.series[0].pages) == 1 and page.imagedepth == 1 and whole_bytes and (plain or as_jpeg)

    @property
    def size(self) -> Size:
        height, width = self._page.imagelength, self._page.imagewidth
        return (width, height) if self._orientation in TURNED else (height, width)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """`[h, w, bands]` as stored, upright. Raises `UserError` naming the file."""
        asked = [range(length)[part] for length, part in zip(self.size, (rows, columns), strict=True)]
        stored_rows, stored_columns = _as_stored(asked[0], asked[1], self.size, self._orientation)
        with tiff_faults(self.path), self._lock:
            return upright(self._stored(stored_rows, stored_columns), self._orientation)

    def close(self) -> None:
        self._kept.clear()
        self._tiff.close()

    def _stored(self, rows: range, columns: range) -> np.ndarray:
        blocks, bands = self._blocks, self._page.shaped[4]
        found = np.zeros((len(rows), len(columns), blocks.planes * bands), self._dtype)
        down = range(rows.start // blocks.height, -(-rows.stop // blocks.height))
        across = range(columns.start // blocks.width, -(-columns.stop // blocks.width))
        for plane, row, column in product(range(blocks.planes), down, across):
            block = self._block((plane * blocks.down + row) * blocks.across + column)
            top, left = row * blocks.height, column * blocks.width
            y, x = _shared(rows, top, block.shape[0]), _shared(columns, left, block.shape[1])
            place = (
                slice(y.start - rows.start, y.stop - rows.start),
                slice(x.start - columns.start, x.stop - columns.start),
            )
            part = block[y.start - top : y.stop - top, x.start - left : x.stop - left]
            found[(*place, slice(plane * bands, (plane + 1) * bands))] = part
        return found

    def _block(self, number: int) -> np.ndarray:
        """`[h, w, bands]`; those used last are kept."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        block = self._in_one_piece(number) if self._page.is_memmappable else self._decoded(number)
        self._kept[number] = block
        while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > KEPT:
            self._kept.popitem(last=False)
        return block

    def _decoded(self, number: int) -> np.ndarray:
        page, handle = self._page, self._tiff.filehandle
        handle.seek(page.dataoffsets[number])
        data = handle.read(page.databytecounts[number])
        block, _, (_, height, width, bands) = page.decode(data or None, number, jpegtables=page.jpegtables)
        if block is None:  # nothing was stored
            return np.full((height, width, bands), page.nodata, self._dtype)
        return block[0, :height, :width]

    def _in_one_piece(self, number: int) -> np.ndarray:
        page, handle, blocks = self._page, self._tiff.filehandle, self._blocks
        plane, row = divmod(number, blocks.down)
        height = min(blocks.height, page.imagelength - row * blocks.height)
        line = page.imagewidth * page.shaped[4]
        first = (plane * page.imagelength + row * blocks.height) * line
        handle.seek(page.dataoffsets[0] + first * self._dtype.itemsize)
        data = handle.read(height * line * self._dtype.itemsize)
        stored = np.frombuffer(data, self._dtype.newbyteorder(self._tiff.byteorder), height * line)
        return stored.astype(self._dtype).reshape(height, page.imagewidth, -1)


def _page(tiff: tifffile.TiffFile) -> tifffile.TiffPage:
    page = tiff.series[0].pages[0]
    if not isinstance(page, tifffile.TiffPage):
        raise ValueError("it has no pages of pixels")
    return page


def _blocks(page: tifffile.TiffPage) -> Blocks:
    planes = page.shaped[0]
    if page.is_memmappable:
        line = page.imagewidth * page.shaped[4] * np.dtype(page.dtype).itemsize
        height, width = max(1, STRIP // line), page.imagewidth
    elif page.is_tiled:
        height, width = page.tilelength, page.tilewidth
    else:
        height, width = min(page.rowsperstrip, page.imagelength), page.imagewidth
    return Blocks(height, width, -(-page.imagewidth // width), -(-page.imagelength // height), planes)


def _as_stored(rows: range, columns: range, size: Size, orientation: int) -> tuple[range, range]:
    """Where what `upright` puts there comes from; `size` is as looked at."""
    if orientation in (3, 4, 7, 8):
        rows = range(size[0] - rows.stop, size[0] - rows.start)
    if orientation in (2, 3, 6, 7):
        columns = range(size[1] - columns.stop, size[1] - columns.start)
    return (columns, rows) if orientation in TURNED else (rows, columns)


def _shared(asked: range, start: int, length: int) -> range:
    return range(max(asked.start, start), min(asked.stop, start + length))
