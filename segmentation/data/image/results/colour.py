"""Class ids in the classes' colours, for programs that know no palettes."""

from pathlib import Path

import cv2
import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.georeference import MapPlace
from segmentation.data.image.results.strips import Strips, write_tiff
from segmentation.runtime.files import write_atomically

FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE)


def write_colour(path: Path, labels: np.ndarray, classes: Classes) -> None:
    """Class ids `[H, W]` as RGB PNG; white is what is ignored."""
    write_png(path, cv2.cvtColor(classes.paint(labels), cv2.COLOR_RGB2BGR))


def write_large_colour(path: Path, labels: Strips, classes: Classes, place: MapPlace | None = None) -> None:
    """The same as a tiled TIFF, with the place on the map that the picture has."""
    write_tiff(path, (classes.paint(strip) for strip in labels), (*labels.size, 3), np.uint8, place)


def write_png(path: Path, picture: np.ndarray) -> None:
    """`[H, W]`, or `[H, W, 3]` BGR, in which there are large areas of one colour."""
    encoded = cv2.imencode(".png", picture, FAST)[1]

    def write(temporary: Path) -> None:
        temporary.write_bytes(encoded.data)

    write_atomically(path, write)
