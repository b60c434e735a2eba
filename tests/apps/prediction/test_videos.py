"""Videos in, videos and masks out."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segmentation.errors import UserError
from segmentation.runtime.files import read_json
from tests.apps.prediction.conftest import Predict

COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def film(path: Path, colors: list[int], fps: float = 12.5, size: tuple[int, int] = (48, 64)) -> Path:
    """Frames of one colour each."""
    path.parent.mkdir(exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), fps, size[::-1])
    for color in colors:
        writer.write(np.full((*size, 3), COLORS[color][::-1], np.uint8))
    writer.release()
    return path


def frames_of(path: Path) -> tuple[int, float, tuple[int, int]]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    number = 0
    size = (0, 0)
    while (frame := capture.read()[1]) is not None:
        number, size = number + 1, (frame.shape[0], frame.shape[1])
    return number, capture.get(cv2.CAP_PROP_FPS), size


def said_in(folder: Path) -> list[int]:
    """The commonest class of each frame."""
    return [int(np.bincount(np.asarray(Image.open(path)).ravel()).argmax()) for path in sorted(folder.glob("*.png"))]


def test_a_video_gives_a_video_of_the_same_speed_and_a_mask_a_frame(predicted: Predict, tmp_path: Path) -> None:
    colors = [0, 0, 1, 2, 2, 1, 0, 1]
    predicted(f"input={film(tmp_path / 'films' / 'street.mp4', colors)}")
    out = tmp_path / "out"
    assert frames_of(out / "overlay" / "street.mp4") == (8, 12.5, (48, 64))
    assert said_in(out / "masks" / "street") == colors
    assert [path.name for path in sorted((out / "masks" / "street").iterdir())][:2] == ["000000.png", "000001.png"]


def test_pictures_and_videos_lie_side_by_side(predicted: Predict, images: Path, tmp_path: Path) -> None:
    film(images / "street.mp4", [0, 1])
    predicted()
    masks = tmp_path / "out" / "masks"
    assert sorted(str(path.relative_to(masks)) for path in masks.rglob("*.png")) == [
        "a.png",
        "b.png",
        "street/000000.png",
        "street/000001.png",
        "sub/c.png",
    ]


def test_smoothing_holds_on_to_what_was_seen(predicted: Predict, tmp_path: Path) -> None:
    """A keep of 0.8 and no cut: one frame of another colour does not weigh enough, 0.2 against 0.8."""
    path = film(tmp_path / "films" / "flicker.mp4", [0, 0, 1, 0, 0])
    predicted(f"input={path}", "smoothing.keep=0.8", "smoothing.cut=1")
    assert said_in(tmp_path / "out" / "masks" / "flicker") == [0, 0, 0, 0, 0]
    predicted(f"input={path}", "smoothing.keep=0.8", "smoothing.cut=0.3", "overwrite=true")
    assert said_in(tmp_path / "out" / "masks" / "flicker") == [0, 0, 1, 0, 0], "at a cut it starts anew"


def test_of_a_video_that_ends_early_what_was_read_is_kept_and_told(predicted: Predict, tmp_path: Path) -> None:
    """An AVI tells its number of frames at its beginning; here its end is cut off."""
    whole = tmp_path / "films" / "whole.avi"
    whole.parent.mkdir()
    writer = cv2.VideoWriter(str(whole), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(20):
        writer.write(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"1 of 1 inputs could not be done in whole.*\n.*whole.avi ends early"):
        predicted(f"input={whole}")
    out = tmp_path / "out"
    frames = frames_of(out / "overlay" / "whole.mp4")[0]
    assert 5 < frames < 18
    assert len(list((out / "masks" / "whole").iterdir())) == frames
    with pytest.raises(UserError, match=r"ends early"):
        predicted(f"input={whole}", "skip_existing=true")


def test_a_video_that_is_complete_is_not_done_again(predicted: Predict, tmp_path: Path) -> None:
    path = film(tmp_path / "films" / "street.mp4", [0, 1])
    predicted(f"input={path}")
    overlay = tmp_path / "out" / "overlay" / "street.mp4"
    before = overlay.stat().st_mtime_ns
    predicted(f"input={path}", "skip_existing=true")
    assert overlay.stat().st_mtime_ns == before
    assert read_json(tmp_path / "out" / "predict.json")["overlay"] is True
