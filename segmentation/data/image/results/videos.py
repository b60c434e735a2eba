"""Predictions over a video, as a video of the same size, speed and number of frames."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from segmentation.data.image.files import Size
from segmentation.data.image.videos import open_capture, promised_frames
from segmentation.errors import UserError

CODEC = "mp4v"  # MPEG-4 part 2, which OpenCV brings along: VLC, mpv and ffmpeg play it, browsers do not
SUFFIX = ".mp4"


class VideoWriter:
    """`with VideoWriter(path, size, fps) as video: video.add(frame)`: the file is there when this ends without an
    error, and not at all otherwise. There is no sound, and of an odd number of rows or columns the last one is left
    out: pixels share colours in twos. Raises `UserError` where it cannot be written.
    """

    def __init__(self, path: Path, size: Size, fps: float) -> None:
        """`path` ends in `SUFFIX`; `size` is (height, width), `fps` frames a second, kept to 0.001."""
        self.path, self.size, self.frames = path, size, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{SUFFIX}")  # by which OpenCV knows the format
        self._writer = cv2.VideoWriter(
            str(self._temporary), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*CODEC), fps, size[::-1]
        )
        if not self._writer.isOpened():
            self._temporary.unlink(missing_ok=True)
            raise UserError(
                f"{path} cannot be written as a video of {size[1]}x{size[0]} pixels, {fps:g} frames/s: "
                "overlay=false writes masks alone"
            )

    def add(self, frame: np.ndarray) -> None:
        """RGB `[H, W, 3]` uint8 of `size`."""
        if frame.shape != (*self.size, 3):  # OpenCV would leave it out without a word
            raise ValueError(f"a frame of shape {frame.shape}: expected {(*self.size, 3)}")
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        self.frames += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.release()
        try:
            if kind is None:
                self._publish()
        finally:
            self._temporary.unlink(missing_ok=True)

    def _publish(self) -> None:
        written = promised_frames(open_capture(self._temporary)) if self.frames else 0
        if written != self.frames or not written:  # OpenCV does not tell when the disk is full
            raise UserError(f"{self.path}: {written} of {self.frames} frames could be written; is the disk full?")
        with self._temporary.open("rb+") as file:
            os.fsync(file.fileno())
        self._temporary.replace(self.path)
