from pathlib import Path

import cv2
import numpy as np
import pytest

from segmentation.data.image.files import PixelFormat
from segmentation.data.image.results.videos import VideoWriter
from segmentation.data.image.videos import VideoFile
from segmentation.errors import UserError
from tests.data.image.layouts.painted_files import number_in, numbered_frame

FRAME = np.zeros((32, 160, 3), np.uint8)


@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 24000 / 1001, 10.0, 7.5, 59.94, 120.0])
def test_speed_size_and_frames_are_kept(tmp_path: Path, fps: float) -> None:
    with VideoWriter(tmp_path / "sub/a.mp4", (32, 160), fps) as video:
        for number in range(37):
            video.add(numbered_frame(number))
    written = VideoFile.open(tmp_path / "sub/a.mp4", PixelFormat(), "a")
    assert written.fps == pytest.approx(fps, abs=1e-3)
    assert (written.size, written.promised) == ((32, 160), 37)
    assert [number_in(frame) for frame in written.frames()] == list(range(37))
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("size", [(33, 161), (45, 64), (48, 63)])
def test_odd_sizes_lose_a_row_or_a_column(tmp_path: Path, size: tuple[int, int]) -> None:
    with VideoWriter(tmp_path / "a.mp4", size, 25) as video:
        for _ in range(3):
            video.add(np.full((*size, 3), 128, np.uint8))
    written = VideoFile.open(tmp_path / "a.mp4", PixelFormat(), "a")
    assert written.size == (size[0] // 2 * 2, size[1] // 2 * 2)
    assert sum(1 for _ in written.frames()) == 3


def test_colours_are_in_their_order(tmp_path: Path) -> None:
    frame = np.full((64, 64, 3), (200, 100, 30), np.uint8)
    with VideoWriter(tmp_path / "a.mp4", (64, 64), 25) as video:
        video.add(frame)
    (read,) = VideoFile.open(tmp_path / "a.mp4", PixelFormat(), "a").frames()
    assert np.abs(read.astype(int) - frame).max() < 12


def write_and_stop(path: Path) -> None:
    with VideoWriter(path, (32, 160), 25) as video:
        video.add(FRAME)
        raise KeyboardInterrupt


def write_with_a_loss(path: Path) -> None:
    """The second of three frames does not get there, as where the disk is full."""
    with VideoWriter(path, (32, 160), 25) as video:
        video.add(FRAME)
        video._writer.write(cv2.resize(FRAME, (20, 20)))
        video.frames += 1
        video.add(FRAME)


def test_what_fails_leaves_nothing_and_what_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("before")
    with pytest.raises(KeyboardInterrupt):
        write_and_stop(tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"), VideoWriter(tmp_path / "a.mp4", (32, 160), 25) as video:
        video.add(FRAME[:16])


def test_a_video_without_frames_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="0 of 0 frames"), VideoWriter(tmp_path / "a.mp4", (32, 160), 25):
        pass
    assert not list(tmp_path.iterdir())


def test_frames_that_were_lost_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.mp4: 2 of 3 frames could be written"):
        write_with_a_loss(tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_sizes_that_no_video_has_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.mp4 cannot be written as a video of 0x0 pixels"):
        VideoWriter(tmp_path / "a.mp4", (0, 0), 25)
