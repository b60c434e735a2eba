"""Areas of a label picture: specks, holes, ragged edges, and which of several belongs.

Labels `[H, W]` are of any integer dtype and are not changed: each function returns others. An area is pixels of one
class that touch by sides or by corners. What an area loses takes the labels of what lies nearest, as seen in steps to
the eight neighbours, and so becomes part of that; where that is ignored, it is ignored.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.ndimage import distance_transform_cdt

Box = tuple[slice, slice]


def without_specks(labels: np.ndarray, least: Sequence[int]) -> np.ndarray:
    """Without the areas of class c that have fewer than `least[c]` pixels."""
    freed = np.zeros(labels.shape, bool)
    for index, pixels in enumerate(least):
        mask = labels == index
        if pixels > 1 and mask.any():
            box = _around(mask)
            numbers, sizes = _areas(mask[box], connectivity=8)
            freed[box] |= mask[box] & (sizes < pixels)[numbers]
    return _given_away(labels, freed, ~freed)


def largest_alone(labels: np.ndarray, index: int) -> np.ndarray:
    """With no other area of this class than its largest; of equal ones the topmost."""
    mask = labels == index
    if not mask.any():
        return labels
    box = _around(mask)
    numbers, sizes = _areas(mask[box], connectivity=8)
    freed = np.zeros(labels.shape, bool)
    freed[box] = mask[box] & (numbers != 1 + sizes[1:].argmax())
    return _given_away(labels, freed, ~freed)


def without_holes(labels: np.ndarray, index: int, most: float, ignore_index: int) -> np.ndarray:
    """With those holes in this class filled that have at most `most` pixels.

    A hole is what the class surrounds, whatever it is; pixels do not touch across its corners, and the image's edge
    surrounds nothing. What is ignored in it counts and stays ignored.
    """
    mask = labels == index
    if not mask.any():
        return labels
    box = _around(mask)
    numbers, sizes = _areas(np.pad(~mask[box], 1, constant_values=True), connectivity=4)
    small = sizes <= most
    small[[0, numbers[0, 0]]] = False  # the class itself, and what is outside of it
    holes = small[numbers[1:-1, 1:-1]] & (labels[box] != ignore_index)
    filled = labels.copy()
    filled[box][holes] = index
    return filled


def opened(labels: np.ndarray, index: int, radius: int) -> np.ndarray:
    """Without the parts of this class that a disk of this radius, in pixels, does not fit into.

    Radius 1 is a pixel and its four neighbours. The class is taken to go on beyond the image's edge. What it loses
    goes to others, never back to itself.
    """
    mask = labels == index
    if not mask.any():
        return labels
    box = _around(mask)
    freed = mask.copy()
    freed[box] &= cv2.morphologyEx(mask[box].view(np.uint8), cv2.MORPH_OPEN, _disk(radius)) == 0
    return _given_away(labels, freed, ~mask)


def closed(labels: np.ndarray, index: int, radius: int, ignore_index: int) -> np.ndarray:
    """With the gaps in this class, and between areas of it, that a disk of this radius does not fit into.

    There is nothing beyond the image's edge. What is ignored stays so.
    """
    mask = labels == index
    if not mask.any():
        return labels
    box = _around(mask)
    wide = cv2.morphologyEx(np.pad(mask[box], radius).view(np.uint8), cv2.MORPH_CLOSE, _disk(radius))
    gained = (wide[radius:-radius, radius:-radius] > 0) & (labels[box] != ignore_index)
    joined = labels.copy()
    joined[box][gained] = index
    return joined


def _given_away(labels: np.ndarray, freed: np.ndarray, givers: np.ndarray) -> np.ndarray:
    """What is freed takes the label of the nearest of the givers.

    Each pixel takes it from a neighbour that is nearer, so that it hangs together with what it becomes part of; nearest
    by Euclidean distance would leave specks, now and then.
    """
    if not freed.any() or not givers.any():
        return labels
    box = _around(~givers)  # on the shortest way to a giver there is none, so the nearest one is beside the others
    rows, columns = distance_transform_cdt(~givers[box], "chessboard", return_distances=False, return_indices=True)
    given = labels.copy()
    given[box][freed[box]] = labels[box][rows[freed[box]], columns[freed[box]]]
    return given


def _around(mask: np.ndarray) -> Box:
    """The box of what is true, and a pixel on each side as far as there is one: a picture is mostly something else."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return slice(max(top - 1, 0), top + height + 1), slice(max(left - 1, 0), left + width + 1)


def _areas(mask: np.ndarray, connectivity: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of the area that each pixel is in, from the top, and their sizes in pixels; 0 is what is false."""
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=connectivity)
    return numbers, boxes[:, cv2.CC_STAT_AREA]


def _disk(radius: int) -> np.ndarray:
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return (rows**2 + columns**2 <= radius**2).astype(np.uint8)
