from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from segmentation.data.image import tiff_windows
from segmentation.data.image.files import read_image
from segmentation.data.image.tiff_windows import TiffWindows
from segmentation.errors import UserError
from tests.data.image.david_files import random_image

SIZE = (150, 170)
IMAGE = random_image(0, SIZE)
DEEP = (np.random.default_rng(1).random((*SIZE, 5)) * 60000).astype(np.uint16)
STORED: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "in one piece": (IMAGE, {"photometric": "rgb"}),
    "in strips": (IMAGE, {"photometric": "rgb", "rowsperstrip": 7, "compression": "zlib"}),
    "in tiles": (IMAGE, {"photometric": "rgb", "tile": (32, 48), "compression": "zlib", "predictor": True}),
    "grey": (IMAGE[..., 0], {"tile": (64, 64)}),
    "5 bands of 16 bits": (DEEP, {"tile": (32, 32), "photometric": "minisblack", "planarconfig": "contig"}),
    "Motorola's byte order": (DEEP, {"photometric": "minisblack", "planarconfig": "contig", "byteorder": ">"}),
    "floats": (DEEP[..., 0] / np.float32(65535), {"rowsperstrip": 20, "compression": "lzma"}),
}
BAND_BY_BAND: dict[str, dict[str, Any]] = {
    "in one piece": {},
    "in strips": {"rowsperstrip": 20, "compression": "zlib"},
    "in tiles": {"tile": (32, 32), "compression": "lzma"},
}


def windows_of(windows: TiffWindows) -> np.ndarray:
    """All of it, put together of uneven windows."""
    height, width = windows.size
    rows, columns = [0, 31, 90, height], [0, 1, 64, 100, width]
    parts = [
        [windows.read(slice(top, bottom), slice(left, right)) for left, right in pairwise(columns)]
        for top, bottom in pairwise(rows)
    ]
    return np.concatenate([np.concatenate(row, axis=1) for row in parts])


@pytest.mark.parametrize("how", STORED)
def test_windows_are_parts_of_the_picture(tmp_path: Path, how: str) -> None:
    pixels, options = STORED[how]
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    assert TiffWindows.can_read(tmp_path / "a.tif")
    windows = TiffWindows(tmp_path / "a.tif")
    assert windows.size == SIZE
    np.testing.assert_array_equal(windows_of(windows), pixels.reshape(*SIZE, -1))
    np.testing.assert_array_equal(windows.read(slice(None), slice(None)), pixels.reshape(*SIZE, -1))
    windows.close()


@pytest.mark.parametrize("how", BAND_BY_BAND)
def test_bands_that_are_stored_one_after_the_other(tmp_path: Path, how: str) -> None:
    bands = np.ascontiguousarray(IMAGE.transpose(2, 0, 1))
    options = {"photometric": "rgb", "planarconfig": "separate", **BAND_BY_BAND[how]}
    tifffile.imwrite(tmp_path / "a.tif", bands, **options)
    np.testing.assert_array_equal(windows_of(TiffWindows(tmp_path / "a.tif")), IMAGE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_windows_are_upright(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.tif"
    tag = (0x0112, "H", 1, orientation, False)
    tifffile.imwrite(path, IMAGE, photometric="rgb", rowsperstrip=32, extratags=[tag])
    expected = read_image(path)
    windows = TiffWindows(path)
    assert windows.size == expected.shape[:2]
    np.testing.assert_array_equal(windows_of(windows), expected)


def test_what_was_decoded_is_kept_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_windows, "KEPT", 3 * 32 * 48 * 3)
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, photometric="rgb", tile=(32, 48), compression="zlib")
    windows = TiffWindows(tmp_path / "a.tif")
    decoded: list[int] = []
    whole = windows._decoded

    def counted(number: int) -> np.ndarray:
        decoded.append(number)
        return whole(number)

    monkeypatch.setattr(windows, "_decoded", counted)
    for _ in range(3):
        windows.read(slice(10, 20), slice(10, 100))  # in the first three tiles
    assert decoded == [0, 1, 2]
    for column in (10, 150, 10, 50):  # the first tile is the one used last when the fourth comes
        windows.read(slice(10, 20), slice(column, column + 10))
    assert decoded == [0, 1, 2, 3, 1]


def test_tiles_that_were_never_written_are_empty(tmp_path: Path) -> None:
    shape = (64, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        blank = (None if place else np.full((32, 32), 9, np.uint8) for place in range(4))
        tiff.write(blank, shape=shape, dtype=np.uint8, tile=(32, 32), compression="zlib")
    read = TiffWindows(tmp_path / "a.tif").read(slice(None), slice(None))[..., 0]
    assert (read[:32, :32] == 9).all()
    assert not read[32:].any()
    assert not read[:, 32:].any()


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (IMAGE[..., 0], {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)}),
        (np.concatenate([IMAGE, IMAGE[..., :1]], axis=2), {"photometric": "separated"}),
        (IMAGE[..., 0], {"photometric": "miniswhite"}),
        (IMAGE[..., 0] > 100, {}),
        (np.stack([IMAGE, IMAGE]), {"photometric": "rgb"}),
    ],
)
def test_of_what_is_not_stored_as_it_is_looked_at_there_are_no_windows(
    tmp_path: Path, pixels: np.ndarray, options: dict[str, Any]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    assert not TiffWindows.can_read(tmp_path / "a.tif")


def test_a_damaged_tile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, photometric="rgb", tile=(32, 48), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages.first.dataoffsets[5]
    content = bytearray(path.read_bytes())
    content[offset : offset + 20] = bytes(20)
    path.write_bytes(content)
    windows = TiffWindows(path)
    windows.read(slice(0, 10), slice(0, 10))
    with pytest.raises(UserError, match=r"a\.tif is no readable TIFF"):
        windows.read(slice(None), slice(None))


@pytest.mark.parametrize("kept", [0, 100, 60_000])
def test_a_file_that_is_cut_short_is_told(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, photometric="rgb")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"a\.tif is no readable TIFF"):
        TiffWindows(path).read(slice(100, 150), slice(None))


def test_a_compression_that_needs_more_is_told(tmp_path: Path) -> None:
    Image.fromarray(IMAGE).save(tmp_path / "a.tif", compression="tiff_lzw")
    with pytest.raises(UserError, match=r"a\.tif cannot be read .*LZW.* pip install imagecodecs"):
        TiffWindows(tmp_path / "a.tif")
