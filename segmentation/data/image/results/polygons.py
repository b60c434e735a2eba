"""The areas of a label picture as polygons along the edges of their pixels, which they cover exactly."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from segmentation.data.image.results.strips import Strips
from segmentation.data.patch import Patch

TALL = 4  # strips of a large picture that are looked at together


class Area(NamedTuple):
    """Pixels of one class that touch by their sides. `rings` `[N, 2]` int are (column, row) of corners, 0 being the
    picture's edge, not closed: the outline, then its holes. `confidence` is the mean over its pixels.
    """

    class_id: int
    patch: Patch
    rings: list[np.ndarray]
    confidence: float | None

    @property
    def pixels(self) -> int:
        return int(np.count_nonzero(self.patch.mask))


def areas(
    labels: np.ndarray,
    ids: Iterable[int],
    min_area: int = 1,
    simplify: float = 0.0,
    confidence: np.ndarray | None = None,
) -> Iterator[Area]:
    """Of class ids `[H, W]`, class by class in the order of `ids`, those of at least `min_area` pixels.

    Rings touch neither themselves nor each other but in corners. With `simplify` corners are left out as long as the
    ring moves by no more than that many pixels (Douglas and Peucker 1973); rings of neighbours may then overlap, and
    those of which nothing is left are gone. `confidence` is `[H, W]`.
    """
    for class_id in ids:
        mask = (labels == class_id).view(np.uint8)
        if not mask.any():
            continue
        _, numbers, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        for number, (left, top, width, height, pixels) in enumerate(boxes.tolist()[1:], start=1):
            if pixels < min_area:
                continue
            box = slice(top, top + height), slice(left, left + width)
            area = numbers[box] == number
            outline, *holes = (np.array((left, top)) + _simplified(ring, simplify) for ring in _rings(area))
            if len(outline) < 3:
                continue
            sure = None if confidence is None else float(confidence[box][area].mean())
            yield Area(class_id, Patch(area, top, left), [outline, *(hole for hole in holes if len(hole) > 2)], sure)


def large_areas(labels: Strips, ids: Iterable[int], min_area: int = 1, simplify: float = 0.0) -> Iterator[Area]:
    """The same of a large picture, a few strips at a time: areas are cut where these end."""
    wanted = tuple(ids)
    for top, rows in _tall(labels):
        for area in areas(rows, wanted, min_area, simplify):
            mask, above, left = area.patch
            yield area._replace(
                patch=Patch(mask, top + above, left), rings=[np.array((0, top)) + ring for ring in area.rings]
            )


def _tall(labels: Strips) -> Iterator[tuple[int, np.ndarray]]:
    """Rows, and where they begin."""
    held: list[np.ndarray] = []
    top = 0
    for strip in labels:
        held.append(strip)
        if len(held) == TALL:
            yield top, np.concatenate(held)
            top += sum(map(len, held))
            held = []
    if held:
        yield top, np.concatenate(held)


def _rings(area: np.ndarray) -> list[np.ndarray]:
    """The outline of one area `[h, w]` bool, and its holes, `[N, 2]` int.

    OpenCV's contours go through the middle of pixels. With each pixel as four, those of an outline go through 2x on its
    left and 2x + 1 on its right, and those of a hole through 2x - 1 and 2x of the pixels around it: halved and rounded
    up, all are where the edges of the pixels are.
    """
    doubled = cv2.resize(area.view(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, (hierarchy,) = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    order = sorted(range(len(contours)), key=lambda place: hierarchy[place][3] >= 0)  # holes have a parent
    return [_corners((contours[place][:, 0] + 1) // 2) for place in order]


def _corners(ring: np.ndarray) -> np.ndarray:
    """Without the points between two others on a line, and without repetitions."""
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    return ring[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]


def _simplified(ring: np.ndarray, tolerance: float) -> np.ndarray:
    return cv2.approxPolyDP(ring, tolerance, closed=True)[:, 0] if tolerance else ring
