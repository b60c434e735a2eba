from pathlib import Path

import numpy as np
import pytest
import tifffile

from segmentation.data.image.georeference import map_place
from segmentation.data.image.results import strips
from segmentation.data.image.results.strips import Strips, write_tiff
from tests.data.image.georeferenced import write_georeferenced

NUMBERS = np.arange(70 * 50, dtype=np.uint16).reshape(70, 50)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "ROWS", 32)


def strips_of(pixels: np.ndarray, folder: Path, *ends: int) -> Strips:
    found = Strips(pixels.shape[1], pixels.dtype, folder)
    for start, end in zip((0, *ends), (*ends, len(pixels)), strict=True):
        found.append(pixels[start:end])
    return found


def test_rows_come_back_as_often_as_is_asked(tmp_path: Path) -> None:
    with strips_of(NUMBERS, tmp_path, 1, 40, 41) as rows:
        assert rows.size == (70, 50)
        assert [len(strip) for strip in rows] == [32, 32, 6]
        for _ in range(2):
            np.testing.assert_array_equal(np.concatenate(list(rows)), NUMBERS)
        next(iter(rows))
        rows.append(NUMBERS[:5])
        np.testing.assert_array_equal(np.concatenate(list(rows))[70:], NUMBERS[:5])
        assert not list(tmp_path.iterdir())


def test_a_tiff_of_strips(tmp_path: Path) -> None:
    with strips_of(NUMBERS, tmp_path, 13) as rows:
        write_tiff(tmp_path / "a.tif", rows, rows.size, rows.dtype)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        page = tiff.pages.first
        assert (page.tile, page.compression) == ((32, 32), tifffile.COMPRESSION.ADOBE_DEFLATE)
        np.testing.assert_array_equal(tiff.asarray(), NUMBERS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_tiff_of_colours(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (70, 50, 3), dtype=np.uint8)
    parts = [colours[:32], colours[32:64], colours[64:]]
    write_tiff(tmp_path / "a.tif", parts, colours.shape, np.uint8)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), colours)


def test_a_tiff_keeps_its_place_on_the_map(tmp_path: Path) -> None:
    place = map_place(write_georeferenced(tmp_path / "in.tif", NUMBERS))
    write_tiff(tmp_path / "out.tif", [NUMBERS[:32], NUMBERS[32:64], NUMBERS[64:]], NUMBERS.shape, np.uint16, place)
    written = map_place(tmp_path / "out.tif")
    assert place is not None
    assert written is not None
    np.testing.assert_array_equal(written.affine, place.affine)
    assert written.epsg == place.epsg == 25832


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> object:
        yield NUMBERS[:32]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_tiff(tmp_path / "a.tif", failing(), NUMBERS.shape, np.uint16)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
