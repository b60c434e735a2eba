"""The frames of video files, by number."""

import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from segmentation.data.fingerprint import fingerprint
from segmentation.data.image.files import PixelFormat, Size
from segmentation.data.image.source import ImageSample, read_picture
from segmentation.data.image.videos import ESTIMATED, frame_pixels, no_video, open_capture, promised_frames
from segmentation.data.kept import keep_arrays, read_arrays
from segmentation.errors import UserError
from segmentation.runtime.console import progress_bar

NEAR = 32  # frames that are sooner read than sought: a seek decodes from the last key frame on


@dataclass(frozen=True)
class Clock:
    """When frames of a steady video are shown, in ms; of an unsteady one `period` is 0 and frames cannot be sought."""

    start: float
    period: float

    @classmethod
    def of(cls, times: np.ndarray) -> "Clock":
        """`times` `[N]` in ms."""
        period = (times[-1] - times[0]) / max(len(times) - 1, 1)
        steady = np.abs(times - times[0] - period * np.arange(len(times))).max() < period / 2
        return cls(float(times[0]), float(period) if steady else 0.0)

    def shows(self, number: int, time: float) -> bool:
        return abs(time - self.start - number * self.period) < self.period / 2


@dataclass(frozen=True)
class Video:
    """`frames` is how many there are, `promised` how many the header says, 0 where it says nothing."""

    path: Path
    frames: int
    promised: int
    size: Size
    clock: Clock

    @property
    def is_short(self) -> bool:
        return self.frames < self.promised - ESTIMATED


def look_at(path: Path) -> Video:
    """Read a video once from end to end, or remember what was found when that was done before: headers are not to be
    trusted. Raises `UserError` for what is no video.
    """
    name = f"video-{fingerprint([path])}"
    kept = read_arrays(name)
    if kept is None:
        kept = _read_through(path)
        keep_arrays(name, kept)
    times, (height, width), promised = kept["times"], kept["size"].tolist(), int(kept["promised"])
    return Video(path, len(times), promised, (height, width), Clock.of(times))


def _read_through(path: Path) -> dict[str, np.ndarray]:
    capture = open_capture(path)
    promised = promised_frames(capture)
    first, image = capture.read()
    if not first:
        raise no_video(path)
    times = [capture.get(cv2.CAP_PROP_POS_MSEC)]
    with progress_bar(f"looking at {path.name}", promised) as bar:
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
            bar.advance()
    return {"times": np.array(times), "size": np.array(image.shape[:2]), "promised": np.array(promised)}


class OpenVideo:
    """A video at a frame: the next one is read at once, one further off is sought."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._capture, self._next = open_capture(path), 0

    def read(self, number: int, clock: Clock) -> np.ndarray:
        """`[H, W, 3]` BGR. Raises `UserError` where there is no such frame."""
        if clock.period and not 0 <= number - self._next <= NEAR:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            good, image = self._capture.read()
            self._next = number + 1
            if good and clock.shows(number, self._capture.get(cv2.CAP_PROP_POS_MSEC)):
                return image
        return self._read_on(number)

    def _read_on(self, number: int) -> np.ndarray:
        """From where it is, or from the start where that is not before it."""
        if number < self._next:
            self._capture, self._next = open_capture(self.path), 0
        while self._next < number and self._capture.grab():
            self._next += 1
        good, image = self._capture.read()
        if not good:
            raise UserError(f"{self.path}: frame {number} cannot be read: the video is damaged; restore or remove it")
        self._next += 1
        return image


@lru_cache(maxsize=8)
def _opened(path: Path, process: int, thread: int) -> OpenVideo:
    """One for each process, since those of a fork would share the position in the file, and for each thread."""
    return OpenVideo(path)


@dataclass(frozen=True)
class FrameReader:
    """Reads frames of the videos that have a clock, and pictures."""

    clocks: tuple[tuple[Path, Clock], ...]

    def __call__(self, sample: ImageSample, pixels: PixelFormat, at_least: Size | None) -> np.ndarray:
        if sample.frame is None:
            return read_picture(sample, pixels, at_least)
        video = _opened(sample.image, os.getpid(), threading.get_ident())
        return frame_pixels(video.read(sample.frame, dict(self.clocks)[sample.image]), pixels, sample.image)
