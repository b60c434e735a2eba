"""Class ids as a picture: what a program reads, with a palette for whoever looks at it."""

from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.classes import Classes
from segmentation.data.image.georeference import MapPlace
from segmentation.data.image.results.strips import Strips, write_tiff
from segmentation.runtime.files import write_atomically

LEVEL = 3  # of deflate: as fast as 1 for pictures of few colours, and smaller


def smallest_type(classes: Classes) -> type[np.uint8] | type[np.uint16]:
    """That holds the ids and the ignore index."""
    return np.uint8 if max(len(classes) - 1, classes.ignore_index) < 256 else np.uint16


def write_mask(path: Path, labels: np.ndarray, classes: Classes) -> None:
    """Class ids `[H, W]` of `smallest_type` as PNG: 8 bits with the classes' colours as palette, white for what is
    ignored; or 16 bits of grey.
    """
    picture = Image.fromarray(labels)
    if labels.dtype == np.uint8:
        picture.putpalette(_palette(classes).ravel().tolist())
    write_atomically(path, lambda temporary: picture.save(temporary, "PNG", compress_level=LEVEL))


def write_large_mask(path: Path, labels: Strips, classes: Classes, place: MapPlace | None = None) -> None:
    """The same as a tiled TIFF, with the place on the map that the picture has."""
    colormap = _palette(classes).T.astype(np.uint16) * 257 if labels.dtype == np.uint8 else None
    write_tiff(path, labels, labels.size, labels.dtype, place, colormap)


def _palette(classes: Classes) -> np.ndarray:
    """RGB `[256, 3]` uint8, black for what is neither a class nor ignored."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(classes)] = classes.colors
    palette[classes.ignore_index] = 255
    return palette
