"""Pictures in a page: as JPEG within it, as good as the room allows."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

Picture = tuple[str, np.ndarray]
# JPEG quality and scale, down to the smallest that still shows something
STEPS = ((88, 1.0), (80, 1.0), (72, 1.0), (72, 0.8), (68, 0.65), (64, 0.5), (60, 0.35), (55, 0.25), (50, 0.15))


@dataclass(frozen=True)
class Pictures:
    """RGB pictures `[h, w, 3]` uint8 with what stands below each; a click enlarges them.

    With a `title` they are a group of that name; `folded`, only the title is seen at first.
    """

    kind: ClassVar[str] = "pictures"
    pictures: Sequence[Picture]
    title: str = ""
    folded: bool = False


def embedded(pictures: Sequence[np.ndarray], room: int) -> list[str]:
    """Data URIs, together of at most `room` bytes where the smallest of the steps can do it."""
    *steps, smallest = STEPS
    for quality, scale in steps:
        uris = _within(pictures, room, quality, scale)
        if uris is not None:
            return uris
    return [data_uri(picture, *smallest) for picture in pictures]


def _within(pictures: Sequence[np.ndarray], room: int, quality: int, scale: float) -> list[str] | None:
    """None as soon as there is no room for more."""
    uris = []
    for picture in pictures:
        uris.append(data_uri(picture, quality, scale))
        room -= len(uris[-1])
        if room < 0:
            return None
    return uris


def data_uri(picture: np.ndarray, quality: int, scale: float) -> str:
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + b64encode(encoded.tobytes()).decode()
