"""A picture of any size in tiles: where they lie, how much each counts, and how their scores become the picture's.

Arithmetic alone, in NumPy: a file that was exported from a model runs without PyTorch.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

Size = tuple[int, int]
Array = Any  # of NumPy or of PyTorch: what is done with it here is written the same for both
SIGMA = 1 / 8  # of the tile, as nnU-Net has it
NUMPY_ZEROS = partial(np.zeros, dtype=np.float32)


@dataclass(frozen=True)
class Tiles:
    """Tiles of `size` (height, width) pixels, neighbours sharing at least `overlap` of one; `batch_size` at once."""

    size: Size
    overlap: float = 0.5
    batch_size: int = 4


@dataclass(frozen=True)
class Span:
    """A tile along one axis, and how much each of its pixels counts, `[length]`, float32 in (0, 1]."""

    start: int
    weights: np.ndarray

    @property
    def pixels(self) -> slice:
        return slice(self.start, self.start + len(self.weights))


@dataclass(frozen=True)
class Window:
    """A tile: `rows` by `columns`."""

    rows: Span
    columns: Span

    @property
    def weights(self) -> np.ndarray:
        """`[h, w]`; those of all windows over a pixel add up to 1."""
        return np.outer(self.rows.weights, self.columns.weights)

    def of(self, image: Array) -> Array:
        """`[..., H, W]` -> `[..., h, w]`, a view."""
        return image[..., self.rows.pixels, self.columns.pixels]


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where tiles begin along an axis. Neighbours share at least `overlap` of a tile, as far as steps of one pixel let
    them; the last one is shifted back to end where the axis does. What is no longer than a tile is one tile.

    >>> tile_starts(10, 4, overlap=0.25)    # pixels 0-3, 3-6 and 6-9
    [0, 3, 6]
    >>> tile_starts(9, 4, overlap=0.25)     # 0-3, 3-6 and, shifted back by one, 5-8
    [0, 3, 5]
    >>> tile_starts(3, 4, overlap=0.25)
    [0]
    """
    step = max(tile - math.ceil(tile * overlap), 1)
    last = max(length - tile, 0)
    return [*range(0, last, step), last]


def spans(length: int, tile: int, overlap: float) -> list[Span]:
    """The tiles along an axis, weighted by a Gaussian over the middle of each: what a model says of a tile's edge it
    says without seeing what lies beyond (Isensee et al., nnU-Net, 2021, doi 10.1038/s41592-020-01008-z).

    The weights are divided by their sum at each pixel. The Gaussian of a window is the product of those of its rows and
    its columns, and so is the sum over all windows: dividing along each axis is enough, and nothing is left to divide
    by when the scores have been added up.

    >>> first, second = spans(6, 4, overlap=0.5)
    >>> [f"{weight:.3f}" for weight in first.weights], second.start
    (['1.000', '1.000', '0.982', '0.018'], 2)
    """
    starts = tile_starts(length, tile, overlap)
    away_from_middle = (np.arange(tile) - (tile - 1) / 2) / (tile * SIGMA)
    gaussian = np.exp(-(away_from_middle**2) / 2)
    total = np.zeros(max(length, tile))
    for start in starts:
        total[start : start + tile] += gaussian
    return [Span(start, (gaussian / total[start : start + tile]).astype(np.float32)) for start in starts]


def mirrored(length: int, least: int) -> np.ndarray:
    """Which pixels of an axis make one of `least` of it: itself, then what it shows in a mirror at its end.

    >>> mirrored(4, 6).tolist(), mirrored(4, 2).tolist(), mirrored(2, 5).tolist()
    ([0, 1, 2, 3, 2, 1], [0, 1, 2, 3], [0, 1, 0, 1, 0])
    """
    return np.pad(np.arange(length), (0, max(least - length, 0)), mode="reflect")


def strips(
    score: Callable[[Sequence[Window]], Array],
    size: Size,
    tile: Size,
    overlap: float,
    at_once: int,
    zeros: Callable[[tuple[int, ...]], Array] = NUMPY_ZEROS,
) -> Iterator[Array]:
    """The scores `[..., rows, W]` of a picture of `size` (H, W), from top to bottom: rows that no further tile reaches.

    `score` is given up to `at_once` windows and says what the model gives for each, `[n, ..., h, w]`, times the
    window's weights; a picture smaller than `tile` it extends to that (`mirrored`), and the rest is cut off here.
    Beside the model that takes as much memory as the scores of one and a half times a tile's height of the picture,
    however high it is, if whoever takes a strip lets go of it before the next. Windows of 4 x 4 with overlap 0.5 on a
    picture of 8 x 6 lie in three rows of two: they give the rows 0-1, 2-3 and 4-7.
    """
    rows, columns = (spans(length, side, overlap) for length, side in zip(size, tile, strict=True))
    ends = [*(row.start for row in rows[1:]), size[0]]
    width = max(size[1], tile[1])
    held: Array = None
    for row, end in zip(rows, ends, strict=True):
        windows = [Window(row, column) for column in columns]
        for chosen in (windows[place : place + at_once] for place in range(0, len(windows), at_once)):
            for window, scores in zip(chosen, score(chosen), strict=True):
                held = zeros((*scores.shape[:-1], width)) if held is None else held
                held[..., window.columns.pixels] += scores
        done = end - row.start
        yield held[..., :done, : size[1]]
        shape, below = held.shape, held[..., done:, :] + 0  # a copy, so that the rest is free
        held = None
        held = zeros(shape)
        held[..., : below.shape[-2], :] = below
