"""Each frame shows its own number in ten stripes, so that every read tells which frame it got."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from segmentation.data.image.files import PixelFormat
from segmentation.data.image.layouts.frames import Clock, FrameReader, OpenVideo, look_at
from segmentation.data.image.source import ImageSample
from segmentation.errors import UserError
from tests.data.image.layouts.painted_files import number_in, numbered_frame, write_video

CODECS = [("mp4", "mp4v"), ("avi", "MJPG"), ("avi", "XVID"), ("mkv", "mp4v"), ("webm", "VP80")]
SIZE = (32, 160)
RGB = PixelFormat()
ORDER = np.random.default_rng(0).permutation(120).tolist()


def sample_of(path: Path, frame: int) -> ImageSample:
    return ImageSample(f"v/{frame}", "v", path, None, SIZE, None, frame)


def numbers_read(reader: FrameReader, path: Path, numbers: list[int]) -> list[int]:
    return [number_in(reader(sample_of(path, number), RGB, None)) for number in numbers]


def test_the_stripes_are_a_number() -> None:
    assert [number_in(numbered_frame(number)) for number in (0, 1, 6, 1023)] == [0, 1, 6, 1023]


@pytest.mark.parametrize(("suffix", "codec"), CODECS)
def test_every_frame_is_found_in_any_order(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_video(tmp_path / f"a.{suffix}", 120, codec)
    video = look_at(path)
    assert (video.frames, video.promised, video.size, video.is_short) == (120, 120, SIZE, False)
    assert video.clock.period == pytest.approx(40)
    opened = OpenVideo(path)
    for order in (list(range(120)), ORDER, list(range(0, 120, 7)), [119, 0, 118, 1, 1, 2]):
        assert [number_in(opened.read(number, video.clock)) for number in order] == order


def test_of_an_unsteady_video_frames_are_counted_from_the_start(tmp_path: Path) -> None:
    """Where times do not tell numbers nothing is sought, and the frames are the same."""
    opened = OpenVideo(write_video(tmp_path / "a.mp4", 120))
    order = [100, 3, 60, 59, 119]
    assert [number_in(opened.read(number, Clock(0, 0))) for number in order] == order


def test_a_seek_that_ends_elsewhere_is_noticed(tmp_path: Path) -> None:
    """A clock that goes wrong is one that never agrees with what was found."""
    opened = OpenVideo(write_video(tmp_path / "a.mp4", 120))
    order = [100, 3, 60, 59, 119]
    assert [number_in(opened.read(number, Clock(0, 41.7))) for number in order] == order


def test_a_clock_of_frames_at_even_and_uneven_times() -> None:
    even = Clock.of(np.array([5.0, 38.0, 72.0, 105.0]))
    assert (even.start, even.period) == (5.0, pytest.approx(100 / 3))
    assert even.shows(2, 72.0)
    assert not even.shows(2, 38.0)
    assert Clock.of(np.array([0.0, 10.0, 20.0, 100.0, 110.0])).period == 0
    assert Clock.of(np.array([7.0])) == Clock(7.0, 0.0)


def test_what_was_found_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 10)
    assert look_at(path) == look_at(path)
    write_video(path, 12)
    assert look_at(path).frames == 12


@pytest.mark.parametrize(("suffix", "codec"), [("avi", "MJPG"), ("mkv", "mp4v")])
def test_a_video_that_ends_early(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_video(tmp_path / f"a.{suffix}", 60, codec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    video = look_at(path)
    assert video.promised == 60
    assert 10 < video.frames < 50
    assert video.is_short


@pytest.mark.parametrize("content", [b"", b"no video " * 100])
def test_a_file_that_is_no_video_is_told(tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.mp4 is no readable video"):
        look_at(path)
    assert capfd.readouterr() == ("", "")  # the library has nothing to add


def test_a_video_whose_end_is_lost_later_is_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 20, "MJPG")
    with pytest.raises(UserError, match=r"a\.avi: frame 20 cannot be read"):
        OpenVideo(path).read(20, Clock(0, 0))


def test_grey_and_scaled_pixels(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 3, "MJPG")
    reader = FrameReader(((path, look_at(path).clock),))
    grey = reader(sample_of(path, 2), PixelFormat(1), None)
    assert (grey.shape, grey.dtype, number_in(grey)) == ((*SIZE, 1), np.uint8, 2)
    scaled = reader(sample_of(path, 1), PixelFormat(3, 255.0), None)
    assert (scaled.dtype, number_in(scaled)) == (np.float32, 1)
    assert scaled.max() == pytest.approx(1, abs=0.02)
    with pytest.raises(UserError, match=r"dataset\.in_channels=5"):
        reader(sample_of(path, 1), PixelFormat(5), None)


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (32, 32))
    writer.write(np.full((32, 32, 3), (10, 60, 200), np.uint8))  # BGR
    writer.release()
    image = FrameReader(((path, Clock(0, 0)),))(sample_of(path, 0), RGB, None)
    assert image[16, 16].tolist() == pytest.approx([200, 60, 10], abs=12)


def test_threads_do_not_move_each_others_place(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 120)
    reader = FrameReader(((path, look_at(path).clock),))
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda place: numbers_read(reader, path, ORDER[place::4]), range(4))
    assert list(parts) == [ORDER[place::4] for place in range(4)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_do_not_move_each_others_place(tmp_path: Path, method: str) -> None:
    path = write_video(tmp_path / "a.mp4", 120)
    reader = FrameReader(((path, look_at(path).clock),))
    assert numbers_read(reader, path, [5]) == [5]  # it is open before the fork
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        parts = [pool.submit(numbers_read, reader, path, list(range(place, 120, 2))) for place in range(2)]
        assert [part.result() for part in parts] == [list(range(place, 120, 2)) for place in range(2)]
    assert numbers_read(reader, path, [6, 90, 7]) == [6, 90, 7]
