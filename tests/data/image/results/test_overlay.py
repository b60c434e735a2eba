from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from segmentation.data.image import inputs
from segmentation.data.image.files import PixelFormat
from segmentation.data.image.inputs import find_inputs
from segmentation.data.image.results import overlay
from segmentation.data.image.results.overlay import Overlay, reduced, thumbnail, write_overlay
from segmentation.data.image.results.strips import Strips
from segmentation.data.image.results.videos import VideoWriter
from segmentation.data.legend import BACKGROUND, legend
from tests.data.image.david_files import CLASSES, random_ids, random_image, write_picture

SIZE = (40, 60)
IMAGE = np.full((*SIZE, 3), (200, 100, 50), np.uint8)
ROAD, CAR, POLE, VOID = (np.array(color) for color in CLASSES.colors)
LABELS = np.zeros(SIZE, np.uint8)
LABELS[:, 30:] = 1
LABELS[:5, :5] = CLASSES.ignore_index


def test_colours_lie_over_the_picture(tmp_path: Path) -> None:
    picture = Overlay(CLASSES, alpha=0.25, legend=False).picture(IMAGE, LABELS)
    assert picture.shape == IMAGE.shape
    np.testing.assert_allclose(picture[20, 10], 0.75 * IMAGE[0, 0] + 0.25 * ROAD, atol=1)
    np.testing.assert_allclose(picture[20, 40], 0.75 * IMAGE[0, 0] + 0.25 * CAR, atol=1)
    np.testing.assert_array_equal(picture[2, 2], IMAGE[0, 0])  # nothing is said there


def test_contours_are_drawn_in_full_colour() -> None:
    picture = Overlay(CLASSES, contours=True, legend=False).picture(IMAGE, LABELS)
    np.testing.assert_array_equal(picture[20, 29], ROAD)
    np.testing.assert_array_equal(picture[20, 30], CAR)
    for column in (28, 31, 0, 59):
        assert not (picture[20, column] == ROAD).all()
        assert not (picture[20, column] == CAR).all()


def test_the_legend_names_the_classes_that_are_there() -> None:
    named = [(CLASSES.names[place], CLASSES.colors[place]) for place in (0, 1)]
    picture = Overlay(CLASSES).picture(IMAGE, LABELS)
    np.testing.assert_array_equal(picture[SIZE[0] :], legend(named, SIZE[1], overlay.LEAST_TEXT))
    assert (picture[-1] == BACKGROUND).all()
    np.testing.assert_array_equal(picture[: SIZE[0]], Overlay(CLASSES, legend=False).picture(IMAGE, LABELS))


def test_a_picture_in_which_nothing_is_known_is_shown_as_it_is() -> None:
    unknown = np.full(SIZE, CLASSES.ignore_index, np.uint8)
    picture = Overlay(CLASSES, contours=True).picture(IMAGE, unknown)
    np.testing.assert_array_equal(picture[: SIZE[0]], IMAGE)


def test_a_frame_keeps_its_size_and_names_all_classes() -> None:
    large = cv2.resize(IMAGE, (600, 400))
    labels = cv2.resize(LABELS, (600, 400), interpolation=cv2.INTER_NEAREST)
    frame = Overlay(CLASSES).frame(large, labels)
    assert frame.shape == large.shape
    plain = Overlay(CLASSES, legend=False).frame(large, labels)
    strip = legend(list(zip(CLASSES.names, CLASSES.colors, strict=True)), 600, round(600 / overlay.TEXT))
    top = 400 - len(strip)
    np.testing.assert_array_equal(frame[:top], plain[:top])
    np.testing.assert_allclose(frame[top:], 0.25 * plain[top:] + 0.75 * strip.astype(float), atol=1)


@pytest.mark.parametrize("size", [(2, 3), (1, 300), (300, 1)])
def test_slivers(size: tuple[int, int]) -> None:
    labels = random_ids(0, size)
    image = random_image(0, size)
    assert Overlay(CLASSES, contours=True).picture(image, labels).shape[1] == size[1]
    assert Overlay(CLASSES, contours=True).frame(image, labels).shape == image.shape


def test_bands_that_are_no_colours_and_ids_of_16_bits() -> None:
    image = np.random.default_rng(0).random((*SIZE, 5), dtype=np.float32)
    picture = Overlay(CLASSES, contours=True).picture(image, LABELS.astype(np.uint16))
    assert picture.shape[1:] == (SIZE[1], 3)
    assert picture.dtype == np.uint8


def test_an_overlay_is_a_jpeg(tmp_path: Path) -> None:
    write_overlay(tmp_path / "a.jpg", IMAGE)
    with Image.open(tmp_path / "a.jpg") as written:
        assert written.format == "JPEG"
        assert np.abs(np.asarray(written).astype(int) - IMAGE).max() <= 3


def test_a_large_picture_is_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LARGE", 1)
    monkeypatch.setattr(overlay, "LARGEST", 500)
    monkeypatch.setattr(overlay, "ROWS", 100)
    image = cv2.GaussianBlur(random_image(0, (1003, 607)), (0, 0), 20)
    ids = random_ids(1, (1003, 607))
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", tile=(64, 64))
    (picture,) = find_inputs(str(tmp_path / "a.tif"), PixelFormat()).pictures
    with Strips(607, np.uint8, tmp_path) as labels:
        labels.append(ids)
        small, small_ids = reduced(picture, labels)
    np.testing.assert_array_equal(small_ids, ids[::3, ::3])  # 1003 / 3 is below 500
    assert small.shape == (335, 203, 3)
    blocks = image[:1002, :606].reshape(334, 3, 202, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small[:334, :202], blocks, atol=2)


def test_of_a_large_picture_that_is_small_enough_nothing_is_lost(tmp_path: Path) -> None:
    image, ids = random_image(0, (530, 20)), random_ids(1, (530, 20))
    (picture,) = find_inputs(str(write_picture(tmp_path / "a.png", image)), PixelFormat()).pictures
    with Strips(20, np.uint8, tmp_path) as labels:
        labels.append(ids)
        small, small_ids = reduced(picture, labels)
    np.testing.assert_array_equal(small, image)
    np.testing.assert_array_equal(small_ids, ids)


def test_thumbnails_of_pictures_and_videos(tmp_path: Path) -> None:
    flat = np.full((480, 640, 3), (200, 100, 50), np.uint8)
    write_overlay(tmp_path / "a.jpg", flat)
    write_overlay(tmp_path / "small.jpg", flat[:30, :40])
    with VideoWriter(tmp_path / "a.mp4", (480, 640), 25) as video:
        video.add(flat)
    for name, size in (("a.jpg", (288, 384)), ("small.jpg", (30, 40)), ("a.mp4", (288, 384))):
        small = thumbnail(tmp_path / name)
        assert small is not None
        assert small.shape == (*size, 3)
        assert np.abs(small.astype(int) - flat[0, 0]).max() < 12
    assert thumbnail(tmp_path / "missing.jpg") is None
