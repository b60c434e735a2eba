"""Polygons and the pixels that they cover.

Coordinates are COCO's: x to the right and y down, in pixels; the pixel in row i and column j covers [j, j + 1) x
[i, i + 1), and belongs to a polygon where the polygon covers its centre (to about a fifth of a pixel).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from segmentation.data.patch import Patch, Size

TOLERANCE = 1.0  # pixels by which a polygon may leave the picture: tools round


@dataclass(frozen=True)
class Polygons:
    """The rings of one object, made with `Polygons.of`. Rings that nest are holes, and islands in holes; rings that
    lie side by side or overlap in part are united.

    Points are packed as float32 x, y, x, y, ...: a data set has millions of them, and every worker gets all samples.
    `filled` tells outlines (and islands) from holes.
    """

    packed: tuple[bytes, ...]
    filled: tuple[bool, ...]

    @classmethod
    def of(cls, rings: Iterable[np.ndarray]) -> "Polygons":
        """From rings `[N, 2]` of at least three points (x, y) in pixels, N their own."""
        points = [np.ascontiguousarray(ring, np.float32) for ring in rings]
        depths = _nesting(points)
        order = sorted(range(len(points)), key=depths.__getitem__)  # holes after what they are in, islands after them
        return cls(tuple(points[i].tobytes() for i in order), tuple(depths[i] % 2 == 0 for i in order))

    def rings(self) -> list[np.ndarray]:
        return [np.frombuffer(ring, np.float32).reshape(-1, 2) for ring in self.packed]

    def patch(self, size: Size) -> Patch:
        """What they cover of a picture of (height, width), in the box that holds them: objects are small."""
        rings = self.rings()
        points = np.concatenate(rings)
        left, top = np.clip(np.floor(points.min(0)), 0, size[::-1]).astype(int).tolist()
        right, bottom = np.clip(np.ceil(points.max(0)) + 1, (left, top), size[::-1]).astype(int).tolist()
        mask = np.zeros((bottom - top, right - left), bool)
        if mask.size:
            for ring, filled in zip(rings, self.filled, strict=True):
                mask[_covered(ring - (left, top), mask.shape)] = filled
        return Patch(mask, top, left)


def _covered(ring: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`[h, w]` bool; of a ring that meets itself the parts that are inside by the even-odd rule."""
    runs = coco_mask.frPyObjects([ring.astype(np.float64).ravel().tolist()], *shape)
    covered: np.ndarray = coco_mask.decode(runs)[..., 0] > 0
    return covered


def _nesting(rings: Sequence[np.ndarray]) -> list[int]:
    """In how many other rings each one lies entirely."""
    if len(rings) == 1:
        return [0]
    areas = [cv2.contourArea(ring) for ring in rings]

    def lies_in(inner: int, outer: int) -> bool:
        return areas[inner] < areas[outer] and all(
            cv2.pointPolygonTest(rings[outer], (float(x), float(y)), measureDist=False) >= 0 for x, y in rings[inner]
        )

    return [sum(lies_in(inner, outer) for outer in range(len(rings))) for inner in range(len(rings))]


def ring_of(numbers: Sequence[float]) -> np.ndarray:
    """x, y, x, y, ... as `[N, 2]` float64. Raises `ValueError`, saying what they are, for what is no polygon."""
    try:
        values = np.array(numbers, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("a polygon of something else than numbers") from error
    if values.ndim != 1:
        raise ValueError("a polygon that is no list of numbers: expected x1, y1, x2, y2, ...")
    if values.size % 2:
        raise ValueError(f"a polygon of {values.size} numbers: expected pairs x, y")
    if values.size < 6:
        raise ValueError(f"a polygon of {values.size // 2} points: expected three or more")
    if not np.isfinite(values).all():
        raise ValueError("a polygon with coordinates that are no finite numbers")
    ring = values.reshape(-1, 2)
    if not (np.ptp(ring, axis=0) > 0).all():
        raise ValueError("a polygon without area")
    return ring


def overhang(ring: np.ndarray, size: Size) -> float:
    """By how many pixels a ring leaves a picture of (height, width), 0 where it does not. Raises `ValueError` where
    it is outside altogether.
    """
    low, high, edge = ring.min(0), ring.max(0), np.array(size[::-1])
    if (high <= 0).any() or (low >= edge).any():
        box = ", ".join(f"{number:g}" for number in (*low, *high))
        raise ValueError(f"a polygon outside the picture, in x, y from {box} of {size[1]}x{size[0]} pixels")
    return float(max(0.0, -low.min(), (high - edge).max()))
