from pathlib import Path

import numpy as np
import pytest
import tifffile

from segmentation.data.image.georeference import map_place
from segmentation.errors import UserError
from tests.data.image.david_files import write_picture
from tests.data.image.georeferenced import write_georeferenced

PIXELS = np.zeros((8, 10), np.uint8)
CORNERS = np.array([[0, 0], [10, 8]])


def test_corners_lie_where_scale_and_tie_point_put_them(tmp_path: Path) -> None:
    place = map_place(write_georeferenced(tmp_path / "a.tif", PIXELS))
    assert place is not None
    assert place.of(CORNERS).tolist() == [[500000, 5300000], [500005, 5299998]]
    assert place.epsg == 25832


def test_a_place_of_pixel_centres(tmp_path: Path) -> None:
    place = map_place(write_georeferenced(tmp_path / "a.tif", PIXELS, is_point=True))
    assert place is not None
    assert place.of(CORNERS[:1]).tolist() == [[499999.75, 5300000.125]]


def test_a_rotated_picture(tmp_path: Path) -> None:
    turned = (0, 2, 0, 100, 3, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1)  # x = 2 row + 100, y = 3 column + 200
    place = map_place(write_georeferenced(tmp_path / "a.tif", PIXELS, transformation=turned))
    assert place is not None
    assert place.of(np.array([[1, 5]])).tolist() == [[110, 203]]


def test_a_system_of_the_users_own_has_no_number(tmp_path: Path) -> None:
    place = map_place(write_georeferenced(tmp_path / "a.tif", PIXELS, epsg=32767))
    assert place is not None
    assert place.epsg is None


def test_what_has_no_place(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS)
    assert map_place(tmp_path / "a.tif") is None
    assert map_place(write_picture(tmp_path / "a.png", PIXELS)) is None
    (tmp_path / "b.tif").touch()
    with pytest.raises(UserError, match=r"b\.tif is no readable TIFF"):
        map_place(tmp_path / "b.tif")
