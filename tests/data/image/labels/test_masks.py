from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.classes import Classes
from segmentation.data.image.labels.masks import MaskOptions
from segmentation.data.image.source import ImageSample
from segmentation.errors import UserError
from tests.data.image.david_files import CLASSES, write_picture

IDS = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
STREET = Classes.from_entries(["road", "void", "car"])


def sample(mask: Any) -> ImageSample:
    return ImageSample("a", "a", Path("a.png"), mask, (2, 3))


def read(options: MaskOptions, stored: Classes, mask: Any) -> list[list[int]]:
    return options.labels(stored, [sample(mask)]).read(sample(mask)).tolist()


def test_index_masks(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", IDS)
    assert read(MaskOptions(), STREET, path) == IDS.tolist()


def test_a_void_that_is_ignored_leaves_its_id_to_the_next(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", IDS)
    options = MaskOptions(ignore_void=True)
    assert options.labels(STREET, []).classes.names == ("road", "car")
    assert read(options, STREET, path) == [[0, 255, 1], [1, 255, 0]]
    assert options.labels(STREET, []).look(sample(path))[1] == {}


def test_remapped_numbers_name_classes_by_id_or_name(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", np.array([[0, 128, 255], [7, 9, 1]], np.uint8))
    options = MaskOptions(remap={0: "road", 128: 1, 255: "car", 7: "ignore"})
    assert read(options, STREET, path) == [[0, 1, 2], [255, 255, 255]]
    assert options.labels(STREET, []).look(sample(path))[1] == {(9,): 1, (1,): 1}
    without_void = MaskOptions(remap={0: "road", 128: 1, 255: 2}, ignore_void=True)
    assert read(without_void, STREET, path) == [[0, 255, 1], [255, 255, 255]]


def test_palette_masks_of_three_and_four_channels(tmp_path: Path) -> None:
    colors = CLASSES.paint(IDS)
    options = MaskOptions("palette", ignore_void=True)
    path = write_picture(tmp_path / "a.png", np.dstack([colors, np.full_like(IDS, 255)]))
    assert read(options, CLASSES, path) == IDS.tolist()
    assert options.labels(CLASSES, []).classes.names == ("road", "car", "pole")
    void = write_picture(tmp_path / "void.png", np.zeros((2, 3, 3), np.uint8))
    assert options.labels(CLASSES, []).look(sample(void))[1] == {}


def test_binary_masks(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", np.array([[0, 127, 128]], np.uint8))
    two = Classes.from_entries(["intact", "defect"])
    assert read(MaskOptions("binary"), two, path) == [[0, 0, 1]]
    assert read(MaskOptions("binary", threshold=10), two, path) == [[0, 1, 1]]


def test_masks_are_found_by_their_images_stems(tmp_path: Path) -> None:
    for name in ("0001_label.png", "sub/0002_label.tif", "0001_color.png"):
        write_picture(tmp_path / name, IDS)
    found, faults = MaskOptions(suffix="_label").find(tmp_path, STREET)
    assert found == {"0001": tmp_path / "0001_label.png", "sub/0002": tmp_path / "sub/0002_label.tif"}
    assert faults == []


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"format": "binery"}, "dataset.mask_format=binery: there is no such format; did you mean binary?"),
        ({"format": "png"}, "choose index, palette, binary, per_class"),
        ({"format": "palette", "remap": {0: 1}}, "leave it out with dataset.mask_format=palette"),
    ],
)
def test_options_that_cannot_be_are_told(how: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named.replace("?", r"\?")):
        MaskOptions(**how)


@pytest.mark.parametrize("remap", [{0: 3}, {0: "rod"}, {-1: 0}, {65536: 0}, {"x": 0}, {0: -1}, {0: None}])
def test_a_remap_to_no_class_or_of_no_number_is_told(remap: dict[Any, Any]) -> None:
    with pytest.raises(
        UserError, match=r"dataset.remap has .*expected \{number in the masks: class\}.*road, void, car$"
    ):
        MaskOptions(remap=remap).labels(STREET, [])


def test_palette_masks_need_colours(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gives no colours"):
        MaskOptions("palette").classes(["road", "car"], tmp_path, 255)
    assert MaskOptions("index").classes(["road", "car"], tmp_path, 255).names == ("road", "car")
