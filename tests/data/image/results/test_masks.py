from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from segmentation.classes import Classes
from segmentation.data.image.files import read_indices, read_stored
from segmentation.data.image.results.colour import write_colour, write_large_colour
from segmentation.data.image.results.masks import smallest_type, write_large_mask, write_mask
from segmentation.data.image.results.strips import Strips
from tests.data.image.david_files import CLASSES, random_ids

MANY = Classes.from_entries([f"class {number}" for number in range(300)], ignore_index=65535)


def some_ids(size: tuple[int, int] = (37, 51)) -> np.ndarray:
    """Of four classes, some ignored."""
    ids = random_ids(0, size)
    ids[3:9, 4:20] = CLASSES.ignore_index
    return ids


def test_a_mask_holds_the_ids_and_shows_the_colours(tmp_path: Path) -> None:
    ids = some_ids()
    write_mask(tmp_path / "sub/a.png", ids, CLASSES)
    assert Image.open(tmp_path / "sub/a.png").mode == "P"
    np.testing.assert_array_equal(read_indices(tmp_path / "sub/a.png"), ids)
    np.testing.assert_array_equal(read_stored(tmp_path / "sub/a.png")[..., ::-1], CLASSES.paint(ids))


def test_more_classes_than_a_palette_has_room_for(tmp_path: Path) -> None:
    assert (smallest_type(MANY), smallest_type(CLASSES)) == (np.uint16, np.uint8)
    ids = np.random.default_rng(0).integers(0, 300, (37, 51)).astype(np.uint16)
    ids[0] = 65535
    write_mask(tmp_path / "a.png", ids, MANY)
    np.testing.assert_array_equal(read_indices(tmp_path / "a.png"), ids)


def test_a_large_mask_holds_the_same(tmp_path: Path) -> None:
    for classes, ids in ((CLASSES, some_ids((600, 520))), (MANY, some_ids((600, 520)).astype(np.uint16) + 20)):
        with Strips(520, ids.dtype, tmp_path) as labels:
            labels.append(ids)
            write_large_mask(tmp_path / "a.tif", labels, classes)
            write_large_colour(tmp_path / "b.tif", labels, classes)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), ids)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), classes.paint(ids))


def test_a_large_mask_shows_the_colours(tmp_path: Path) -> None:
    ids = some_ids((600, 520))
    with Strips(520, np.uint8, tmp_path) as labels:
        labels.append(ids)
        write_large_mask(tmp_path / "a.tif", labels, CLASSES)
    np.testing.assert_array_equal(read_indices(tmp_path / "a.tif"), ids)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.tif").convert("RGB")), CLASSES.paint(ids))


def test_colours(tmp_path: Path) -> None:
    write_colour(tmp_path / "a.png", some_ids(), CLASSES)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), CLASSES.paint(some_ids()))
