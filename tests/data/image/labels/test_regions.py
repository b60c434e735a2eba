import pickle
from pathlib import Path

import numpy as np
import pytest

from segmentation.classes import Classes
from segmentation.data.image.labels.regions import MaskFile, PaintedLabels, Painting, Region, paint, painted_labels
from segmentation.data.image.source import ImageSample
from segmentation.data.polygons import Polygons
from segmentation.data.run_lengths import RunLengths
from segmentation.errors import UserError
from tests.data.image.david_files import write_picture
from tests.data.test_polygons import square

SIZE = (6, 8)


def box(class_id: int, left: int, top: int, right: int, bottom: int) -> Region:
    return Region(class_id, Polygons.of([square(left, top, right, bottom)]))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_smaller_objects_lie_on_top(order: tuple[int, ...]) -> None:
    regions = [box(1, 0, 0, 8, 4), box(2, 1, 1, 4, 5), box(3, 2, 2, 3, 3)]
    assert paint([regions[place] for place in order], SIZE, 9).tolist() == [
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 2, 2, 2, 1, 1, 1, 1],
        [1, 2, 3, 2, 1, 1, 1, 1],
        [1, 2, 2, 2, 1, 1, 1, 1],
        [9, 2, 2, 2, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9],
    ]


def test_of_one_area_the_later_lies_on_top() -> None:
    assert paint([box(1, 0, 0, 4, 1), box(2, 2, 0, 6, 1)], (1, 8), 0).tolist() == [[1, 1, 2, 2, 2, 2, 0, 0]]


def test_the_area_is_what_is_seen() -> None:
    """The second is larger, but most of it is outside of the picture."""
    assert paint([box(1, 0, 0, 4, 1), box(2, -20, 0, 2, 1)], (1, 8), 0).tolist() == [[2, 2, 1, 1, 0, 0, 0, 0]]


def test_a_hole_shows_what_is_below() -> None:
    ring = Region(1, Polygons.of([square(0, 0, 5, 5), square(1, 1, 4, 4)]))
    shown = paint([ring, box(2, 0, 0, 8, 6)], SIZE, 0)
    assert (shown == 1).sum() == 25 - 9
    assert (shown[1:4, 1:4] == 2).all()


def test_shapes_of_all_kinds_are_painted(tmp_path: Path) -> None:
    drawn = np.zeros(SIZE, np.uint8)
    drawn[4:, 6:] = 200
    file = write_picture(tmp_path / "a.png", drawn)
    runs = RunLengths.of([0, 2, 46], SIZE)  # the first two pixels of the first column
    shown = paint([Region(1, runs), Region(2, MaskFile(file)), box(3, 2, 2, 4, 4)], SIZE, 0)
    assert np.argwhere(shown == 1).tolist() == [[0, 0], [1, 0]]
    assert np.argwhere(shown == 2).tolist() == [[4, 6], [4, 7], [5, 6], [5, 7]]
    assert (shown == 3).sum() == 4


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_mask_file_is_where_it_reaches_the_threshold(tmp_path: Path, channels: int) -> None:
    grey = np.array([[0, 99, 100, 255]], np.uint8)
    pixels = grey if channels == 1 else np.dstack([grey] * 3 + [np.full_like(grey, 255)] * (channels - 3))
    file = write_picture(tmp_path / "a.png", pixels)
    assert paint([Region(1, MaskFile(file, 100))], (1, 4), 0).tolist() == [[0, 0, 1, 1]]


def test_an_empty_mask_file_paints_nothing(tmp_path: Path) -> None:
    file = write_picture(tmp_path / "a.png", np.zeros(SIZE, np.uint8))
    assert (paint([Region(1, MaskFile(file))], SIZE, 0) == 0).all()


def test_a_mask_file_of_0_and_1_is_told(tmp_path: Path) -> None:
    file = write_picture(tmp_path / "a.png", np.eye(4, dtype=np.uint8))
    with pytest.raises(UserError, match=r"a.png holds 0 and 1.*dataset.threshold=1$"):
        paint([Region(1, MaskFile(file))], (4, 4), 0)
    assert paint([Region(1, MaskFile(file, 1))], (4, 4), 0).trace() == 4


def test_a_mask_file_of_another_size_is_told(tmp_path: Path) -> None:
    file = write_picture(tmp_path / "a.png", np.full((5, 8), 255, np.uint8))
    with pytest.raises(UserError, match=r"a\.png is 8x5 pixels, its image 8x6"):
        paint([Region(1, MaskFile(file))], SIZE, 0)


def test_labels_paint_the_sample_and_name_its_files(tmp_path: Path) -> None:
    labels = PaintedLabels(Classes(("background", "car"), ((0, 0, 0), (9, 9, 9))), 0)
    painting = Painting((box(1, 0, 0, 2, 2), box(255, 4, 4, 6, 6)), (tmp_path / "a.json",))
    sample = pickle.loads(pickle.dumps(ImageSample("a", "a", tmp_path / "a.png", painting, SIZE)))
    ids = labels.read(sample)
    assert ids.dtype == np.uint8
    assert {value: int((ids == value).sum()) for value in (0, 1, 255)} == {0: 40, 1: 4, 255: 4}
    seen, unknown = labels.look(sample)
    np.testing.assert_array_equal(seen, ids)
    assert unknown == {}
    assert labels.files(sample) == (tmp_path / "a.json",)


def test_the_background_comes_first_unless_it_is_ignored_or_named(tmp_path: Path) -> None:
    def made(spec: object, names: list[str], background: str | None) -> tuple[tuple[str, ...], int]:
        labels = painted_labels(spec, tmp_path, 77, names, background)
        return labels.classes.names, labels.background

    assert made(None, ["car", "bus"], "background") == (("background", "car", "bus"), 0)
    assert made(None, ["car", "bus"], "rest") == (("rest", "car", "bus"), 0)
    assert made(None, ["car", "rest"], "rest") == (("car", "rest"), 1)
    assert made(None, ["car", "bus"], None) == (("car", "bus"), 77)
    assert made(["bus", "background", "car"], ["car", "bus"], "background") == (("bus", "background", "car"), 1)


def test_classes_that_lack_one_of_the_data_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dataset\.classes lacks bus.*it has background, car"):
        painted_labels(["background", "car"], tmp_path, 255, ["car", "bus"], "background")


def test_how_they_are_read_is_part_of_what_caches_go_by(tmp_path: Path) -> None:
    one, other = (painted_labels(None, tmp_path, 255, ["car"], None, reading) for reading in ("crowd: a", "crowd: b"))
    assert repr(one) != repr(other)
