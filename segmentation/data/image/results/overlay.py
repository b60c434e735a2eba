"""What is predicted over the picture itself, for people to look at."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.files import RGB, read_image
from segmentation.data.image.inputs import Picture
from segmentation.data.image.pixels import as_rgb
from segmentation.data.image.results.strips import ROWS, Strips
from segmentation.data.image.results.videos import SUFFIX as VIDEO_SUFFIX
from segmentation.data.image.videos import VideoFile
from segmentation.data.legend import entries, legend
from segmentation.runtime.files import write_atomically

LARGEST = 4096  # pixels of a side of a large picture's overlay
THUMBNAIL = 384
QUALITY = 92  # of JPEG, of 100
TEXT = 45  # a legend's letters in a picture's width
LEAST_TEXT, MOST_TEXT = 11, 64  # their height in pixels
OUTLINE = 1 / 400  # of the shorter side, the width of a contour


@dataclass(frozen=True)
class Overlay:
    """How it is drawn. `alpha` is what the colours count for beside the picture, 0 to 1; what is ignored shows the
    picture alone. `contours` draws the edges of areas in full colour, `legend` names the classes.
    """

    classes: Classes
    alpha: float = 0.5
    contours: bool = False
    legend: bool = True

    def picture(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """RGB `[H, W, 3]` of an image `[H, W, bands]` and class ids `[H, W]`; with a legend of the classes that are
        there, some rows below it.
        """
        blended = self._blended(image, labels)
        if not self.legend:
            return blended
        named = entries(self.classes, _present(labels[labels != self.classes.ignore_index]))
        return np.concatenate([blended, legend(named, blended.shape[1], _text_size(blended.shape[1]))])

    def frame(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The same of a video's frame, whose size is kept: the legend, of all classes, lies over its lower edge."""
        blended = self._blended(image, labels)
        if self.legend:
            names = entries(self.classes, np.arange(len(self.classes)))
            strip = legend(names, blended.shape[1], _text_size(blended.shape[1]))[-blended.shape[0] :]
            below = blended[-len(strip) :]
            below[:] = cv2.addWeighted(below, 0.25, strip, 0.75, 0)
        return blended

    def _blended(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        shown, painted = as_rgb(image), self.classes.paint(labels)
        blended = np.asarray(cv2.addWeighted(shown, 1 - self.alpha, painted, self.alpha, 0))
        if self.contours:
            cv2.copyTo(painted, _edges(labels), blended)
        unknown = labels == self.classes.ignore_index
        cv2.copyTo(shown, unknown.view(np.uint8), blended)
        return blended


def write_overlay(path: Path, picture: np.ndarray) -> None:
    """RGB `[h, w, 3]` as JPEG."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]

    def write(temporary: Path) -> None:
        temporary.write_bytes(encoded.data)

    write_atomically(path, write)


def thumbnail(path: Path) -> np.ndarray | None:
    """An overlay, or the first frame of a video, as RGB of up to `THUMBNAIL` pixels a side; None for no file."""
    if not path.is_file():
        return None
    if path.suffix == VIDEO_SUFFIX:
        picture = next(VideoFile.open(path, RGB, path.stem).frames())
    else:
        picture = read_image(path, RGB, at_least=(THUMBNAIL, THUMBNAIL))
    scale = min(1.0, THUMBNAIL / max(picture.shape))
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def reduced(picture: Picture, labels: Strips) -> tuple[np.ndarray, np.ndarray]:
    """Image and class ids of a large picture, of sides of up to `LARGEST`, read from top to bottom: pixels of the image
    are averaged, of the ids one in `step` is taken.
    """
    step = -(-max(picture.size) // LARGEST)
    shown = [_averaged(picture.read(slice(top, top + ROWS // step * step)), step) for top in _tops(picture, step)]
    ids = np.concatenate(list(_every(labels, step)))
    return np.concatenate(shown)[: len(ids)], ids


def _tops(picture: Picture, step: int) -> Iterable[int]:
    return range(0, picture.size[0], ROWS // step * step)


def _averaged(rows: np.ndarray, step: int) -> np.ndarray:
    height, width = (-(-side // step) for side in rows.shape[:2])
    averaged = cv2.resize(rows, (width, height), interpolation=cv2.INTER_AREA)
    return averaged.reshape(height, width, -1)


def _every(labels: Strips, step: int) -> Iterable[np.ndarray]:
    top = 0
    for strip in labels:
        yield strip[-top % step :: step, ::step]
        top += len(strip)


def _edges(labels: np.ndarray) -> np.ndarray:
    """`[H, W]` uint8, not 0 where another class is next to a pixel."""
    width = max(1, round(min(labels.shape) * OUTLINE))
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    edges: np.ndarray = cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)
    return edges.view(np.uint8)


def _present(labels: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.bincount(labels.ravel()))


def _text_size(width: int) -> int:
    return min(max(round(width / TEXT), LEAST_TEXT), MOST_TEXT)
