"""A triangle mesh as its file holds it, and what makes it unusable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

WIDEST = 1e6  # m across: the area of a face of a wider mesh is beyond what is counted in mm2


@dataclass(frozen=True)
class Polygons:
    """P polygons as files store them: `sizes` `[P]` numbers of corners, `corners` `[sum of sizes]` the vertices of one
    polygon after the other, `uv` `[sum of sizes, 2]` their texture coordinates (None: no polygon has any).
    """

    sizes: np.ndarray
    corners: np.ndarray
    uv: np.ndarray | None = None

    def triangles(self) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Each polygon as a fan around its first corner, right for convex ones: the vertices `[F, 3]` int32 of the
        triangles, their texture coordinates `[F, 3, 2]` float32, and the polygon that each comes from, `[F]`.

        >>> Polygons(np.array([3, 4]), np.array([0, 1, 2, 5, 6, 7, 8])).triangles()[0].tolist()
        [[0, 1, 2], [5, 6, 7], [5, 7, 8]]
        """
        fans = np.maximum(self.sizes - 2, 0)
        polygon = np.repeat(np.arange(len(fans)), fans)
        place = np.arange(len(polygon)) - np.repeat(np.cumsum(fans) - fans, fans)
        first = (np.cumsum(self.sizes) - self.sizes)[polygon]
        corner = np.stack([first, first + place + 1, first + place + 2], axis=1)
        uv = None if self.uv is None else self.uv[corner].astype(np.float32)
        return self.corners[corner].astype(np.int32), uv, polygon


@dataclass(frozen=True)
class Mesh:
    """V vertices, F triangles.

    `vertices` `[V, 3]` float64, in metres, z up. `faces` `[F, 3]` int32, counter-clockwise from outside. `polygon`
    `[F]`: which polygon of the file each triangle is of. `labels` `[F]` as stored, None where the file has none. `uv`
    `[F, 3, 2]` float32, u to the right and v up from the lower left corner of an image that repeats in both
    directions. `image` `[F]`: which of `images` (names) a face shows, -1 for none. `extra`: further numbers of the
    faces, `[F]` float32 each.
    """

    vertices: np.ndarray
    faces: np.ndarray
    polygon: np.ndarray
    labels: np.ndarray | None = None
    uv: np.ndarray | None = None
    image: np.ndarray | None = None
    images: tuple[str, ...] = ()
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def polygons(self) -> int:
        """The number of polygons in the file."""
        return int(self.polygon[-1]) + 1 if len(self.polygon) else 0

    def faults(self) -> Iterator[str]:
        """What makes it unusable, to be told after the name of its file."""
        if not len(self.faces) or not len(self.vertices):
            yield f"an empty mesh ({len(self.vertices)} vertices, {len(self.faces)} faces): remove it"
            return
        wrong = ~np.isfinite(self.vertices).all(axis=1)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            yield f"{wrong.sum()} vertices are not finite, the first is number {first}: expected x, y and z in metres"
        elif np.ptp(self.vertices, axis=0).max() > WIDEST:
            yield f"it is {np.ptp(self.vertices, axis=0).max():.3g} m across: expected x, y and z in metres"
        outside = ((self.faces < 0) | (self.faces >= len(self.vertices))).any(axis=1)
        if outside.any():
            first = int(self.polygon[np.flatnonzero(outside)[0]])
            yield f"{outside.sum()} faces name vertices that are not there, the first is number {first}"
        if self.image is not None and (self.image >= len(self.images)).any():
            yield f"texture number {self.image.max()}, but {len(self.images)} texture images are named (from 0 on)"
        if self.uv is not None and not np.isfinite(self.uv).all():
            yield f"{(~np.isfinite(self.uv)).any(axis=(1, 2)).sum()} faces have texture coordinates that are not finite"
