"""Video files: what they say of themselves, and their frames in order."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segmentation.data.image.files import PixelFormat, Size
from segmentation.data.image.pixels import in_range
from segmentation.errors import UserError

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong with a file is told in one line of ours
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
ESTIMATED = 2  # frames: some formats tell a duration instead of a number
ASSUMED_FPS = 25.0  # of a video that does not tell


@dataclass(frozen=True)
class VideoFile:
    """`key` names its results. `size` is (height, width) as shown, `fps` frames a second (the mean of an unsteady one),
    `promised` how many frames its header says, 0 where it says nothing: headers are not to be trusted.
    """

    key: str
    path: Path
    pixels: PixelFormat
    size: Size
    fps: float
    promised: int

    @classmethod
    def open(cls, path: Path, pixels: PixelFormat, key: str) -> "VideoFile":
        """Reads the first frame. Raises `UserError` for what is no video, and for pixels that videos do not have."""
        capture = open_capture(path)
        there, frame = capture.read()
        if not there:
            raise no_video(path)
        frame_pixels(frame, pixels, path)
        fps = capture.get(cv2.CAP_PROP_FPS)
        return cls(
            key,
            path,
            pixels,
            (frame.shape[0], frame.shape[1]),
            fps if math.isfinite(fps) and fps > 0 else ASSUMED_FPS,
            promised_frames(capture),
        )

    def frames(self) -> Iterator[np.ndarray]:
        """`[H, W, channels]` as `in_range` makes them, from the first to the last.

        Where it ends before its header says, all frames that could be read have been given when `UserError` is raised.
        """
        capture, number = open_capture(self.path), 0
        while (frame := capture.read()[1]) is not None:
            if frame.shape[:2] != self.size:
                raise UserError(
                    f"{self.path}: frame {number} is of another size than those before; cut the video there"
                )
            yield frame_pixels(frame, self.pixels, self.path)
            number += 1
        if number < self.promised - ESTIMATED:
            raise UserError(
                f"{self.path} ends early: its header says {self.promised} frames, {number} could be read; restore it, "
                "or write its header anew (ffmpeg -i IN -c copy OUT)"
            )


def open_capture(path: Path) -> cv2.VideoCapture:
    """Raises `UserError` for what is no video."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise no_video(path)
    return capture


def promised_frames(capture: cv2.VideoCapture) -> int:
    return max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)


def no_video(path: Path) -> UserError:
    return UserError(
        f"{path} is no readable video: it is damaged, cut short or of an unknown format; restore or remove it"
    )


def frame_pixels(frame: np.ndarray, pixels: PixelFormat, path: Path) -> np.ndarray:
    """A frame `[H, W, 3]` BGR -> `[H, W, channels]` as `in_range` makes it."""
    codes = {3: cv2.COLOR_BGR2RGB, 1: cv2.COLOR_BGR2GRAY}
    if pixels.channels not in codes:
        raise UserError(f"{path}: dataset.in_channels={pixels.channels}, but videos have 3, or 1 for grey")
    image = cv2.cvtColor(frame, codes[pixels.channels])
    return in_range(image.reshape(*image.shape[:2], pixels.channels), pixels.max_value)
