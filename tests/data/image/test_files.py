from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from segmentation.data.image.files import PixelFormat, read_image, read_stored, stored_size
from segmentation.errors import UserError
from tests.data.image.david_files import random_image, write_picture

RGB = random_image(0, (5, 7))
GREY = RGB[..., 0]
ALPHA = np.where(RGB[..., :1] > 128, 255, 0).astype(np.uint8)
RGBA = np.concatenate([RGB, ALPHA], axis=2)


def write_turned(path: Path, pixels: np.ndarray, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def test_a_colour_image_is_read_as_rgb(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_image(write_picture(tmp_path / "a.png", RGB)), RGB)


def test_a_grey_image_gets_three_equal_channels(tmp_path: Path) -> None:
    np.testing.assert_array_equal(
        read_image(write_picture(tmp_path / "a.png", GREY)), np.repeat(GREY[..., None], 3, axis=2)
    )


def test_transparency_is_dropped_and_colours_below_it_stay(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_image(write_picture(tmp_path / "a.png", RGBA)), RGB)


def test_16_bit_images_become_floats_up_to_one(tmp_path: Path) -> None:
    deep = RGB[..., ::-1].astype(np.uint16) * 257
    assert cv2.imwrite(str(tmp_path / "a.png"), deep)
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), RGB / np.float32(255), atol=1e-6)
    scaled = read_image(tmp_path / "a.png", PixelFormat(3, max_value=257 * 128))
    np.testing.assert_allclose(scaled, np.minimum(RGB / np.float32(128), 1), atol=1e-6)


def test_a_jpeg_is_read_as_its_decoder_has_it(tmp_path: Path) -> None:
    flat = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    read = read_image(write_picture(tmp_path / "a.jpg", flat))
    assert read.shape == flat.shape
    assert np.abs(read.astype(int) - flat).max() <= 3


def test_names_beyond_ascii(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_image(write_picture(tmp_path / "Straße 道.png", RGB)), RGB)


@pytest.mark.parametrize(("pixels", "order"), [(GREY, None), (RGB, [2, 1, 0]), (RGBA, [2, 1, 0, 3])])
def test_label_pictures_are_read_as_stored(tmp_path: Path, pixels: np.ndarray, order: list[int] | None) -> None:
    expected = pixels if order is None else pixels[..., order]
    np.testing.assert_array_equal(read_stored(write_picture(tmp_path / "a.png", pixels)), expected)


def test_16_bit_label_pictures_keep_their_depth(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 257
    assert cv2.imwrite(str(tmp_path / "a.png"), deep)
    np.testing.assert_array_equal(read_stored(tmp_path / "a.png"), deep)


def test_indexed_label_pictures_give_their_colours(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    picture.putpalette([128, 64, 128, 0, 0, 142, 153, 153, 153])
    picture.save(tmp_path / "a.png")
    expected = [[[128, 64, 128], [0, 0, 142]], [[153, 153, 153], [0, 0, 142]]]
    assert read_stored(tmp_path / "a.png")[..., ::-1].tolist() == expected


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_exif_says_and_masks_are_not(tmp_path: Path, orientation: int) -> None:
    path = write_turned(tmp_path / "a.png", RGB, orientation)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read_image(path), upright)
    np.testing.assert_array_equal(read_stored(path)[..., ::-1], RGB)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_that_reading_gives(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = write_turned(tmp_path / f"a{suffix}", RGB, orientation)
    assert stored_size(path, rotate=True) == read_image(path).shape[:2] == ((5, 7) if orientation < 5 else (7, 5))
    assert stored_size(path, rotate=False) == read_stored(path).shape[:2] == (5, 7)


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_size_is_read_from_the_header_alone(tmp_path: Path, suffix: str, rotate: bool) -> None:
    path = write_picture(tmp_path / f"a{suffix}", random_image(0, (50, 70)))
    path.write_bytes(path.read_bytes()[:1000])
    assert stored_size(path, rotate) == (50, 70)


def write_damaged(path: Path, how: str) -> Path:
    if how == "a folder":
        path.mkdir()
    elif how == "empty":
        path.touch()
    elif how == "text":
        path.write_text("a picture, they said")
    elif how != "missing":
        write_picture(path, random_image(0, (50, 70)))
        content = path.read_bytes()
        path.write_bytes(content[: {"half": len(content) // 2, "header": 20}[how]])
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("how", ["missing", "a folder", "empty", "text", "half", "header"])
def test_an_unreadable_picture_is_named_in_one_line(tmp_path: Path, how: str, suffix: str) -> None:
    path = write_damaged(tmp_path / f"a{suffix}", how)
    for read in (read_image, read_stored):
        with pytest.raises(UserError, match=rf"^{path} .*$"):
            read(path)


@pytest.mark.parametrize("how", ["missing", "a folder", "empty", "text", "header"])
def test_a_picture_without_a_size_is_named_in_one_line(tmp_path: Path, how: str) -> None:
    path = write_damaged(tmp_path / "a.png", how)
    for rotate in (False, True):
        with pytest.raises(UserError, match=rf"^{path} .*$"):
            stored_size(path, rotate)


def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", random_image(0, (50, 70)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^{path} .*$"):
        read_stored(path)
