"""What gives the probabilities of a picture, strip by strip, and the exported file that does: NumPy alone.

C classes; H, W the picture's own size in pixels; h, w what the model is shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.inference.exported import ExportedModel
from segmentation.inference.windows import Size, Span, Tiles, Window, mirrored, strips

AT_ONCE = 2**25  # probabilities: what is enlarged in one piece, 128 MiB


class Pixels(Protocol):
    """A picture to ask about. `is_large`: its pixels are not all held at once."""

    @property
    def size(self) -> Size: ...

    @property
    def is_large(self) -> bool: ...

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """`[rows, columns, bands]`, uint8 or float32 in [0, 1]."""
        ...

    def resized(self, size: Size | None) -> np.ndarray:
        """All of it, `[h, w, bands]`, at this size or as it is; only of what is not large."""
        ...


class Scorer(Protocol):
    """`sizes` are those that it asks `Pixels.resized` for."""

    @property
    def classes(self) -> Classes: ...

    @property
    def sizes(self) -> Sequence[Size | None]: ...

    def strips(self, picture: Pixels) -> Iterator[np.ndarray]:
        """Probabilities `[C, rows, W]`, float32, from top to bottom, no more than `AT_ONCE` at a time; a picture that
        is not too large is one strip. Raises `UserError` for what cannot be read or does not fit into memory.
        """
        ...


@dataclass(frozen=True)
class ExportedScorer:
    """`model` shown pictures at `size` (None: as they are); in `tiles` of their own size where these are large, and
    all of them where not `whole`.

    A file that gives class ids alone is taken to be sure of them: its probabilities are 0 and 1.
    """

    model: ExportedModel
    classes: Classes
    size: Size | None
    tiles: Tiles
    whole: bool

    @property
    def sizes(self) -> Sequence[Size | None]:
        return [self.size] if self.whole else []

    def strips(self, picture: Pixels) -> Iterator[np.ndarray]:
        if self.whole and not picture.is_large:
            scores = self._scores(picture.resized(self.size)[None])[0]
            for rows in pieces(picture.size, len(scores)):
                yield _softmax(enlarged(scores, rows, picture.size))
            return
        tiles, band = self.tiles, Band(picture, self.tiles.size)

        def score(windows: Sequence[Window]) -> np.ndarray:
            weights = np.stack([window.weights for window in windows])
            return self._scores(band.tiles(windows)) * weights[:, None]

        for scores in strips(score, picture.size, tiles.size, tiles.overlap, tiles.batch_size):
            for rows in pieces(scores.shape[1:], len(scores)):
                yield _softmax(scores[:, rows])
            del scores  # before the next are made

    def _scores(self, images: np.ndarray) -> np.ndarray:
        """Logarithms of probabilities `[N, C, h, w]`, which are logits too, of images `[N, h, w, bands]`."""
        pixels = _as_stored(images, self.model.metadata["input"])
        try:
            ids, *probabilities = self.model(pixels)
        except Exception as error:  # onnxruntime has an exception for each of its error codes
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"the exported file fails on {'x'.join(map(str, pixels.shape))}: {reason}") from error
        given = (
            probabilities[0] if probabilities else np.moveaxis(np.eye(len(self.classes), dtype=np.float32)[ids], 3, 1)
        )
        return np.log(np.maximum(given, np.finfo(np.float32).tiny))


class Band:
    """The rows of a picture in which tiles of `tile` lie side by side: read once for all of them.

    A picture smaller than a tile is extended to it by reflection, below and to the right.
    """

    def __init__(self, picture: Pixels, tile: Size) -> None:
        self.picture, self.tile = picture, tile
        self._start, self._pixels = -1, np.empty(0)

    def tiles(self, windows: Sequence[Window]) -> np.ndarray:
        """`[N, h, w, bands]` of windows of the same rows."""
        rows = windows[0].rows
        if rows.start != self._start:
            self._start, self._pixels = rows.start, self._read(rows)
        return np.stack([self._pixels[:, window.columns.pixels] for window in windows])

    def _read(self, rows: Span) -> np.ndarray:
        height, width = self.picture.size
        pixels = self.picture.read(slice(rows.start, min(rows.pixels.stop, height)), slice(0, width))
        down, right = mirrored(len(pixels), self.tile[0]), mirrored(width, self.tile[1])
        return pixels if (len(down), len(right)) == pixels.shape[:2] else pixels[down[:, None], right]


def pieces(size: Size, classes: int) -> Iterator[slice]:
    """The rows of a picture in as few slices as make no more than `AT_ONCE` probabilities each."""
    rows = max(AT_ONCE // (classes * size[1]), 1)
    yield from (slice(start, min(start + rows, size[0])) for start in range(0, size[0], rows))


def neighbours(rows: slice, length: int, of: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Between which two of `length` rows some rows of `of` lie, and how far they are from the first, in [0, 1].

    As bilinear interpolation has it: pixels are areas, and what is beyond the first or last row's middle is that row.

    >>> neighbours(slice(1, 4), length=2, of=4)
    (array([0, 0, 1]), array([1, 1, 1]), array([0.25, 0.75, 0.  ], dtype=float32))
    """
    places = np.clip((np.arange(rows.start, rows.stop) + 0.5) * length / of - 0.5, 0, length - 1)
    first = np.floor(places).astype(np.int64)
    return first, np.minimum(first + 1, length - 1), (places - first).astype(np.float32)


def enlarged(scores: np.ndarray, rows: slice, size: Size) -> np.ndarray:
    """These rows of scores `[C, h, w]` brought to `size` (H, W) by bilinear interpolation, `[C, rows, W]`."""
    if scores.shape[1:] == size:
        return scores[:, rows]
    first, second, share = neighbours(rows, scores.shape[1], size[0])
    between = [plane[first] * (1 - share[:, None]) + plane[second] * share[:, None] for plane in scores]
    return np.stack([cv2.resize(plane, (size[1], len(plane)), interpolation=cv2.INTER_LINEAR) for plane in between])


def _as_stored(images: np.ndarray, about: Mapping[str, Any]) -> np.ndarray:
    """Images `[N, h, w, bands]`, uint8 or in [0, 1], in the numbers and the order that the file takes."""
    if about["dtype"] == "uint8":
        pixels = images if images.dtype == np.uint8 else (images * 255).round().astype(np.uint8)
    else:
        unit = images / np.float32(255) if images.dtype == np.uint8 else images
        pixels = unit * np.float32(about["white"])
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) if about["layout"] == "nchw" else pixels


def _softmax(scores: np.ndarray) -> np.ndarray:
    shares: np.ndarray = scores - scores.max(axis=0)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=0)
    return shares
