"""A mesh as a picture: which face each pixel shows, seen along parallel lines, and how bright it is."""

from math import cos, radians, sin
from typing import NamedTuple

import cv2
import numpy as np

from segmentation.classes import Color

AZIMUTHS = tuple(radians(degrees) for degrees in range(-65, 295, 45))  # of the camera, from x towards y
ELEVATION = radians(25)  # of the camera, above the ground
LIGHT = np.array([-0.35, 0.45, 0.82])  # where it comes from: to the right, up, towards the camera; of unit length
DARKEST = 0.6  # what is left of a colour that sees no light
FINER = 2  # pixels across that are averaged into one
MARGIN = 0.02  # of the width, on each side
LOWEST, HIGHEST = 0.5, 1.0  # of a picture, in its widths
DEPTHS = 2**20  # that are told apart, from the nearest to the farthest
GLANCE = 64  # pixels, the width of a picture for choosing from where to look
SMALLEST = 1e-9  # extent: of a mesh that is seen as a line or a point
AT_ONCE = 4096  # rows of faces
NOTHING = np.iinfo(np.int64).max


class View(NamedTuple):
    """`faces` `[H, W]` int32: the face that each pixel shows, -1 for none; H and W are `FINER` times those of a
    picture. `shade` `[F]` float32 in (0, 1]: what is left of the colour of each face.
    """

    faces: np.ndarray
    shade: np.ndarray

    def painted(self, colors: np.ndarray, background: Color) -> np.ndarray:
        """RGB `[h, w, 3]` uint8 of the faces in their colours `[F, 3]` (0-255), shaded, with smooth edges."""
        shaded = np.rint(colors * self.shade[:, None]).astype(np.uint8)
        table = np.concatenate([shaded, np.array([background], np.uint8)])  # its last row is also number -1
        height, width = self.faces.shape
        return np.asarray(
            cv2.resize(table[self.faces], (width // FINER, height // FINER), interpolation=cv2.INTER_AREA)
        )


def view_of(corners: np.ndarray, width: int) -> View:
    """Of the corners of all faces `[F, 3, 3]`, z up, one face at least, for pictures `width` pixels wide that the mesh
    fills. Both sides of a face can be seen.

    The camera looks down obliquely, along parallel lines, from that of the `AZIMUTHS` from where the most faces are
    seen: what there is to see of a building mostly is on its street side.
    """
    corners = corners.astype(np.float64)
    looks = [_view(corners @ _camera(azimuth).T, GLANCE) for azimuth in AZIMUTHS]
    best = max(range(len(AZIMUTHS)), key=lambda place: len(np.unique(looks[place].faces)))
    return _view(corners @ _camera(AZIMUTHS[best]).T, width)


def _view(corners: np.ndarray, width: int) -> View:
    """Of corners `[F, 3, 3]` to the right, up and towards the camera."""
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    extent = np.maximum(high - low, SMALLEST)
    free = 1 - 2 * MARGIN
    height = round(width * min(max(extent[1] / extent[0] * free + 2 * MARGIN, LOWEST), HIGHEST))
    scale = FINER * min(width * free / extent[0], (height - 2 * MARGIN * width) / extent[1])
    middle = (low + high) / 2
    x = FINER * width / 2 + (corners[..., 0] - middle[0]) * scale
    y = FINER * height / 2 - (corners[..., 1] - middle[1]) * scale
    depth = (high[2] - corners[..., 2]) / extent[2]
    return View(nearest_faces(np.stack([x, y, depth], axis=2), (FINER * height, FINER * width)), _shade(corners))


def nearest_faces(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`[H, W]` int32 of this size: which face is the nearest at the middle of each pixel, -1 for none.

    `corners` `[F, 3, 3]` are x and y in pixels, within the picture, and a depth in [0, 1]; of faces at the same depth
    the first is seen. A z-buffer, filled with the rows of all faces. Faces that share an edge leave no gap, and a face
    that is seen from its edge, or has no area, covers nothing.
    """
    height, width = size
    nearest = np.full(height * width, NOTHING)
    face, row = _middles(corners[..., 1].min(axis=1), corners[..., 1].max(axis=1))
    for start in range(0, len(face), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        _fill(nearest, corners, face[some], row[some], width)
    return np.where(nearest == NOTHING, -1, nearest & 0xFFFFFFFF).astype(np.int32).reshape(size)


def _fill(nearest: np.ndarray, corners: np.ndarray, face: np.ndarray, row: np.ndarray, width: int) -> None:
    """A row of each of these faces; in `nearest` depth and face are one number, the smaller the nearer."""
    start = corners[face]
    end = np.roll(start, -1, axis=1)
    down = (start[..., 1] <= end[..., 1])[..., None]
    start, end = np.where(down, start, end), np.where(down, end, start)  # alike in both faces of an edge
    y = row[:, None] + 0.5
    crossed = (start[..., 1] <= y) & (y < end[..., 1])  # two edges of each face
    start, end = start[crossed], end[crossed]
    share = (np.repeat(y[:, 0], 2) - start[:, 1]) / (end[:, 1] - start[:, 1])
    x, depth = (start + share[:, None] * (end - start))[:, ::2].T.reshape(2, -1, 2)
    swap = x[:, 0] > x[:, 1]
    x[swap], depth[swap] = x[swap, ::-1], depth[swap, ::-1]
    run, column = _middles(x[:, 0], x[:, 1])  # from where the row enters a face to where it leaves it
    share = (column + 0.5 - x[run, 0]) / (x[:, 1] - x[:, 0])[run]
    there = (depth[run, 0] + share * (depth[:, 1] - depth[:, 0])[run]) * DEPTHS
    np.minimum.at(nearest, row[run] * width + column, (there.astype(np.int64) << 32) | face[run])


def _middles(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All whole numbers whose pixels have their middle in `[low, high)`, and which of the pairs each is of.

    >>> _middles(np.array([0.2, 5.0]), np.array([2.5, 7.6]))
    (array([0, 0, 1, 1, 1]), array([0, 1, 5, 6, 7]))
    """
    first = np.ceil(low - 0.5).astype(np.int64)
    count = np.ceil(high - 0.5).astype(np.int64) - first
    pair = np.repeat(np.arange(len(count)), count)
    return pair, np.arange(len(pair)) - np.repeat(np.cumsum(count) - count - first, count)


def _camera(azimuth: float) -> np.ndarray:
    """`[3, 3]`: the directions to the right, up and towards the camera."""
    towards = np.array([cos(ELEVATION) * cos(azimuth), cos(ELEVATION) * sin(azimuth), sin(ELEVATION)])
    right = np.array([-sin(azimuth), cos(azimuth), 0])
    return np.stack([right, np.cross(towards, right), towards])


def _shade(corners: np.ndarray) -> np.ndarray:
    """`[F]` float32, of the side that is seen."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    light = np.divide(normals @ LIGHT * np.sign(normals[:, 2]), lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return (DARKEST + (1 - DARKEST) * np.clip(light, 0, 1)).astype(np.float32)
