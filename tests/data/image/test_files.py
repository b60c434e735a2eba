import struct
import zlib
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from segmentation.data.image.files import SUFFIXES, PixelFormat, read_image, read_indices, read_stored, stored_size
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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_transparent_pictures_are_turned_too(tmp_path: Path, orientation: int) -> None:
    path = write_turned(tmp_path / "a.png", RGBA, orientation)
    with Image.open(path) as image:
        np.testing.assert_array_equal(read_image(path, PixelFormat(4)), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("bands", [3, 4, 5])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_whatever_its_bands(tmp_path: Path, orientation: int, bands: int) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (5, 7, bands), dtype=np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    write_turned(tmp_path / "a.png", stored[..., :3], orientation)
    with Image.open(tmp_path / "a.png") as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    read = read_image(path, PixelFormat(bands))
    np.testing.assert_array_equal(read[..., :3], upright)
    assert stored_size(path, rotate=True) == stored_size(path, rotate=False) == read.shape[:2]


BANDS = np.random.default_rng(1).integers(0, 65536, (6, 7, 5)).astype(np.uint16)


@pytest.mark.parametrize("name", ["a.npy", "a.tif"])
@pytest.mark.parametrize("bands_first", [False, True])
def test_bands_are_read_in_either_order(tmp_path: Path, name: str, bands_first: bool) -> None:
    stored = np.ascontiguousarray(BANDS.transpose(2, 0, 1)) if bands_first else BANDS
    if name.endswith(".npy"):
        np.save(tmp_path / name, stored)
    else:
        tifffile.imwrite(tmp_path / name, stored, photometric="minisblack")
    read = read_image(tmp_path / name, PixelFormat(5, max_value=10000))
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, np.minimum(BANDS / np.float32(10000), 1), atol=1e-6)
    assert stored_size(tmp_path / name, rotate=True) == (6, 7)


def test_arrays_of_bytes_stay_and_floats_are_in_0_to_1(tmp_path: Path) -> None:
    np.save(tmp_path / "bytes.npy", GREY)
    np.save(tmp_path / "floats.npy", np.array([[[-0.5, 0.25], [0.75, 2.0]]] * 2))
    np.testing.assert_array_equal(read_image(tmp_path / "bytes.npy", PixelFormat(1)), GREY[..., None])
    read = read_image(tmp_path / "floats.npy", PixelFormat(2, max_value=1))
    assert (read.dtype, read.tolist()) == (np.float32, [[[0, 0.25], [0.75, 1]]] * 2)
    told = f"^{tmp_path}/floats.npy holds floats from -0.5 to 2: set dataset.max_value"
    with pytest.raises(UserError, match=told):
        read_image(tmp_path / "floats.npy", PixelFormat(2))


@pytest.mark.parametrize("pixels", [RGB, GREY, RGBA])
@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_are_grey_or_coloured_as_pictures_are(tmp_path: Path, pixels: np.ndarray, channels: int) -> None:
    np.save(tmp_path / "a.npy", pixels)
    expected = read_image(write_picture(tmp_path / "a.png", pixels), PixelFormat(channels))
    read = read_image(tmp_path / "a.npy", PixelFormat(channels))
    np.testing.assert_allclose(read.astype(int), expected, atol=1 if channels == 1 else 0)  # decoders round otherwise


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pictures_of_every_suffix_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    flat = np.full((16, 24, 3), 200, np.uint8)
    if suffix == ".npy":
        np.save(path, flat)
    elif suffix == ".pbm":
        Image.fromarray(flat[..., 0] > 0).save(path)
        flat = np.full_like(flat, 255)
    else:
        Image.fromarray(flat if suffix != ".pgm" else flat[..., 0]).save(path)
    assert stored_size(path, rotate=True) == (16, 24)
    assert np.abs(read_image(path).astype(int) - flat).max() <= 3
    if suffix in (".jpg", ".jpeg", ".jfif"):
        assert read_image(path, at_least=(8, 12)).shape == (8, 12, 3)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_numbers_of_few_bits_are_those_that_are_stored(tmp_path: Path, bits: int) -> None:
    numbers = np.arange(2**bits, dtype=np.uint8)[None]
    assert cv2.imwrite(str(tmp_path / "a.png"), numbers)  # of 8 bits, and then, by hand, of fewer
    write_grey_png(tmp_path / "b.png", numbers, bits)
    assert read_indices(tmp_path / "a.png").tolist() == read_indices(tmp_path / "b.png").tolist() == numbers.tolist()
    assert read_stored(tmp_path / "b.png").max() == 255


def write_grey_png(path: Path, numbers: np.ndarray, bits: int) -> None:
    """`numbers` `[1, W]`."""
    packed = np.packbits(np.unpackbits(numbers[0][:, None], axis=1)[:, 8 - bits :].reshape(-1))
    header = struct.pack(">IIBBBBB", numbers.shape[1], 1, bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + packed.tobytes())), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def test_a_gif_gives_its_numbers(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    picture.putpalette([128, 64, 128, 0, 0, 142, 153, 153, 153])
    picture.save(tmp_path / "a.gif")
    assert read_indices(tmp_path / "a.gif").tolist() == [[0, 1], [2, 1]]


def test_a_tiff_of_other_bands_than_a_picture_says_how_many(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, BANDS, photometric="minisblack", planarconfig="contig")
    with pytest.raises(UserError, match=f"^{path} has 5 bands: set dataset.in_channels=5$"):
        read_image(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(find_spec("imagecodecs") is not None, reason="imagecodecs reads it")
def test_a_compression_that_needs_another_package_is_told(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.tif", RGBA)
    with Image.open(path) as image:
        image.save(path, compression="tiff_lzw")
    with pytest.raises(UserError, match=rf"^{path} cannot be read \(.*LZW.*\): pip install imagecodecs$"):
        read_image(path, PixelFormat(4))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_a_link_to_nowhere_is_not_called_damaged(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.symlink_to(tmp_path / "nowhere")
    for read in (read_image, partial(stored_size, rotate=True)):
        with pytest.raises(UserError, match=rf"^{path} cannot be read \(No such file or directory\)$"):
            read(path)


def test_one_band_of_a_colour_picture_is_its_grey(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", np.full((2, 3, 3), (200, 100, 50), np.uint8))
    assert (read_image(path, PixelFormat(1)) == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()


@pytest.mark.parametrize(("pixels", "bands"), [(RGB, 4), (GREY, 4), (RGBA, 5), (RGB, 2)])
def test_other_bands_than_the_file_has_are_told(tmp_path: Path, pixels: np.ndarray, bands: int) -> None:
    path = write_picture(tmp_path / "a.png", pixels)
    with pytest.raises(UserError, match=rf"^{path} is of shape 5x7x\d: expected {bands} channels"):
        read_image(path, PixelFormat(bands))


@pytest.mark.parametrize(
    ("at_least", "expected"),
    [((48, 64), (48, 64)), ((25, 20), (48, 64)), ((24, 32), (24, 32)), ((6, 8), (6, 8)), ((2, 2), (6, 8))],
)
def test_a_jpeg_is_decoded_at_a_fraction_of_its_size(
    tmp_path: Path, at_least: tuple[int, int], expected: tuple[int, int]
) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8)[:, None], (48, 64, 3))
    path = write_picture(tmp_path / "a.jpg", np.ascontiguousarray(ramp))
    read = read_image(path, at_least=at_least)
    assert read.shape == (*expected, 3)
    step = 64 // expected[1]
    means = np.linspace(0, 255, 64).reshape(-1, step).mean(axis=1)
    np.testing.assert_allclose(read[..., 0], np.broadcast_to(means, expected), atol=6)


def test_a_turned_jpeg_is_reduced_by_its_upright_size(tmp_path: Path) -> None:
    path = write_turned(tmp_path / "a.jpg", np.zeros((48, 96, 3), np.uint8), 6)
    assert read_image(path, at_least=(40, 20)).shape == (48, 24, 3)


def write_any(path: Path, pixels: np.ndarray) -> None:
    if path.suffix == ".npy":
        np.save(path, pixels)
    else:
        write_picture(path, pixels)


def write_damaged(path: Path, how: str) -> Path:
    if how == "a folder":
        path.mkdir()
    elif how == "empty":
        path.touch()
    elif how == "text":
        path.write_text("a picture, they said")
    elif how != "missing":
        write_any(path, random_image(0, (50, 70)))
        content = path.read_bytes()
        path.write_bytes(content[: {"half": len(content) // 2, "header": 20}[how]])
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".npy"])
@pytest.mark.parametrize("how", ["missing", "a folder", "empty", "text", "half", "header"])
def test_an_unreadable_picture_is_named_in_one_line(tmp_path: Path, how: str, suffix: str) -> None:
    path = write_damaged(tmp_path / f"a{suffix}", how)
    for read in (read_image, read_stored, read_indices, partial(read_image, pixels=PixelFormat(5))):
        with pytest.raises(UserError, match=rf"^{path} .*$") as error:
            read(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".npy"])
@pytest.mark.parametrize("how", ["missing", "a folder", "empty", "text", "header"])
def test_a_picture_without_a_size_is_named_in_one_line(tmp_path: Path, how: str, suffix: str) -> None:
    path = write_damaged(tmp_path / f"a{suffix}", how)
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


def test_a_picture_larger_than_can_be_decoded_at_once_is_told(tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(5001))) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.png is larger than OpenCV decodes at once: save it as a tiled TIFF"):
        read_image(tmp_path / "a.png")


def test_a_damaged_compressed_tiff_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((40, 50, 5), np.uint8), photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages.first.dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[offset : offset + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.tif is no readable TIFF"):
        read_image(path, PixelFormat(5))
