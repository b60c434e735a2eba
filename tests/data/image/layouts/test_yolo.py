from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.data.image.layouts.yolo import yolo
from segmentation.data.image.scan import scan_masks
from segmentation.errors import UserError
from tests.data.image.david_files import SHARED_DATA, random_image, write_picture
from tests.data.image.layouts.painted_files import write_yolo

KOLEKTOR = SHARED_DATA / "kolektor_yolo"
SIZE = (6, 8)
SQUARE = "0.25 0.5 0.75 0.5 0.75 1 0.25 1"  # columns 2 to 5, rows 3 to 5


def told(root: Path, **how: Any) -> str:
    with pytest.raises(UserError) as error:
        yolo(str(root), **how)
    return str(error.value)


def test_polygons_are_painted_where_the_yaml_says(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"train/a": f"1 {SQUARE}\n", "train/b": "", "val/c": f"0 {SQUARE}\n", "val/d": None})
    source = yolo(str(tmp_path))
    assert source.classes.names == ("background", "car", "person")
    assert [(sample.key, sample.part) for sample in source.samples] == [
        ("train/a", "train"),
        ("train/b", "train"),
        ("val/c", "val"),
        ("val/d", "val"),
    ]
    expected = np.zeros(SIZE, int)
    expected[3:, 2:6] = 1
    for sample, class_id in zip(source.samples, (2, 0, 1, 0), strict=True):
        assert source.read_mask(sample).tolist() == (expected * class_id).tolist()
    assert source.labels.files(source.samples[0])[1:] == (tmp_path / "labels" / "train" / "a.txt",)
    assert source.labels.files(source.samples[3])[1:] == ()


def test_without_a_background_the_rest_is_ignored(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"train/a": f"1 {SQUARE}\n"})
    source = yolo(str(tmp_path), background=None)
    assert source.classes.names == ("car", "person")
    ids = source.read_mask(source.samples[0])
    assert ((ids == 1).sum(), (ids == 255).sum()) == (12, 36)


def test_a_line_of_four_numbers_is_a_box_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_yolo(tmp_path, {"train/a": "0 0.5 0.75 0.5 0.5\n"})
    caplog.set_level("WARNING")
    source = yolo(str(tmp_path))
    ids = source.read_mask(source.samples[0])
    assert (ids[3:, 2:6] == 1).all()
    assert (ids == 1).sum() == 12
    assert "1 objects are boxes" in caplog.text


@pytest.mark.parametrize("names", ["[car, person]", "{0: car, 1: person}", "{1: person, 0: car}"])
def test_names_as_a_list_and_by_number(tmp_path: Path, names: str) -> None:
    write_yolo(tmp_path, {"train/a": f"1 {SQUARE}\n"}, names)
    source = yolo(str(tmp_path))
    assert source.classes.names[source.read_mask(source.samples[0])[4, 3]] == "person"


def test_counts_of_other_numbers_are_not_taken_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_yolo(tmp_path, {"train/a": f"1 {SQUARE}\n"}, "{0: car, 1: person}")
    classes = ["background", "car", "person"]
    assert scan_masks(yolo(str(tmp_path), classes=classes)).counts.tolist() == [[36, 0, 12, 0]]
    data = tmp_path / "data.yaml"
    data.write_text(data.read_text(encoding="utf-8").replace("{0: car, 1: person}", "[person, car]"), encoding="utf-8")
    assert scan_masks(yolo(str(tmp_path), classes=classes)).counts.tolist() == [[36, 12, 0, 0]]


def test_folders_in_parts_first_and_the_path_one_too_high_as_exports_have_it(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        write_picture(tmp_path / part / "images" / "a.png", random_image(0, SIZE))
        (tmp_path / part / "labels").mkdir()
        (tmp_path / part / "labels" / "a.txt").write_text(f"0 {SQUARE}", encoding="utf-8")
    lines = "train: ../train/images\nval: ../valid/images\ntest: null\nnames: [car]\nnc: 1\n"
    (tmp_path / "data.yaml").write_text(lines, encoding="utf-8")
    source = yolo(str(tmp_path))
    assert [(sample.key, sample.part) for sample in source.samples] == [("train/a", "train"), ("valid/a", "val")]
    assert all(sample.mask.regions for sample in source.samples)


@pytest.mark.parametrize("path", ["data", "/no/such/folder"])
def test_paths_are_below_path_or_beside_the_yaml(tmp_path: Path, path: str) -> None:
    root = tmp_path / "data" if path == "data" else tmp_path
    write_yolo(root, {"train/a": f"0 {SQUARE}"}, more=f"path: {path}")
    (root / "data.yaml").replace(tmp_path / "data.yaml")
    assert [sample.key for sample in yolo(str(tmp_path)).samples] == ["train/a"]


def test_lists_of_folders_and_text_files_of_images(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"one/a": f"0 {SQUARE}", "two/b": f"0 {SQUARE}", "two/c": f"0 {SQUARE}"})
    (tmp_path / "val.txt").write_text("./images/two/c.png\n\n", encoding="utf-8")
    lines = "train: [images/one]\nval: [val.txt]\nnames: [car]"
    (tmp_path / "data.yaml").write_text(lines, encoding="utf-8")
    assert [sample.key for sample in yolo(str(tmp_path)).samples] == ["one/a", "two/c"]


def test_another_yaml_may_be_named(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"train/a": f"0 {SQUARE}"})
    (tmp_path / "data.yaml").rename(tmp_path / "street.yaml")
    assert len(yolo(str(tmp_path), data="street.yaml").samples) == 1
    assert "data.yaml cannot be read" in told(tmp_path)


def test_groups_are_found_in_the_keys(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"train/x_1": f"0 {SQUARE}", "train/x_2": None})
    assert [sample.group for sample in yolo(str(tmp_path), group="(.*)_").samples] == ["train/x", "train/x"]


LINES = {
    "class": (f"2 {SQUARE}", "class 2, but the names have the ids 0, 1"),
    "no whole class": (f"0.5 {SQUARE}", "class 0.5"),
    "odd": ("0 0.1 0.1 0.9 0.1 0.9", "5 numbers"),
    "two points and a number": ("0 0.1 0.1 0.9 0.1 0.9 0.9 0.1", "7 numbers"),
    "class alone": ("0", "0 points"),
    "words": ("car 0.1 0.1 0.9 0.1 0.9 0.9", "something else than numbers"),
    "pixels": ("0 1 1 5 1 5 4", "a coordinate of 5: expected 0 to 1"),
    "outside": ("0 -1.5 0.1 0.8 0.1 0.8 0.9", "a coordinate of -1.5"),
    "not a number": ("0 0.1 0.1 nan 0.1 0.9 0.9", "no finite"),
    "without area": ("0 0.1 0.1 0.1 0.5 0.1 0.9", "without area"),
}


@pytest.mark.parametrize("fault", LINES)
def test_each_faulty_line_is_named(tmp_path: Path, fault: str) -> None:
    wrong, expected = LINES[fault]
    write_yolo(tmp_path, {"train/a": f"0 {SQUARE}\n\n{wrong}\n"})
    lines = told(tmp_path).splitlines()
    assert len(lines) == 2
    assert f"{tmp_path / 'labels' / 'train' / 'a.txt'}, line 3: " in lines[1]
    assert expected in lines[1]


def test_faulty_lines_of_all_files_are_told_together(tmp_path: Path) -> None:
    write_yolo(tmp_path, {f"train/{place}": line for place, (line, _) in enumerate(LINES.values())})
    assert f"has {len(LINES)} faults" in told(tmp_path)


def test_coordinates_less_than_a_pixel_outside_are_cut_off(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"train/a": "0 0.5 0.5 1.1 0.5 1.1 1.1 0.5 1.1"})
    source = yolo(str(tmp_path))
    assert (source.read_mask(source.samples[0]) == 1).sum() == 4 * 3


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("[car, car]", "two classes are called car"),
        ("{0: car, 1: car}", "two classes are called car"),
        ("[]", "expected a list of names"),
        ("car", "expected a list of names"),
        ("{car: 0}", "expected a list of names"),
        ("[car, person]\nnc: 3", "nc=3, but there are 2 names"),
    ],
)
def test_names_that_are_none_are_told(tmp_path: Path, names: str, expected: str) -> None:
    write_yolo(tmp_path, {"train/a": f"0 {SQUARE}"}, names)
    message = told(tmp_path)
    assert message.startswith(f"{tmp_path / 'data.yaml'}: ")
    assert expected in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("text", ["[1, 2", "- a", "names: [a]", "", "\x00"])
def test_a_yaml_of_another_kind_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text, encoding="utf-8")
    message = told(tmp_path)
    assert f"{tmp_path / 'data.yaml'} is no Y" in message
    assert len(message.splitlines()) == 1


def test_images_without_any_label_file_are_told(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"train/a": None, "train/b": None})
    message = told(tmp_path)
    assert "none of the 2 images" in message
    assert str(tmp_path / "labels" / "train" / "a.txt") in message


def test_label_files_without_an_image_are_told(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"train/a": f"0 {SQUARE}"})
    (tmp_path / "labels" / "train" / "b.txt").touch()
    (tmp_path / "labels" / "train" / "classes.txt").touch()
    lines = told(tmp_path).splitlines()
    assert len(lines) == 2
    assert f"{tmp_path / 'labels' / 'train' / 'b.txt'} has no image" in lines[1]


def test_absent_folders_lists_and_images_are_told(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"train/a": f"0 {SQUARE}"})
    (tmp_path / "list.txt").write_text("images/train/x.png\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    more = "train: images/train\nval: [images/nowhere, list.txt, empty]\nnames: [car]"
    (tmp_path / "data.yaml").write_text(more, encoding="utf-8")
    message = told(tmp_path)
    assert "has 3 faults" in message
    assert f"{tmp_path / 'images/nowhere'}, named in {tmp_path / 'data.yaml'}, is not there" in message
    assert f"{tmp_path / 'images/train/x.png'}, listed in {tmp_path / 'list.txt'}, is not there" in message
    assert f"{tmp_path / 'empty'}, named in {tmp_path / 'data.yaml'}, has no images" in message


def test_an_absent_test_folder_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_yolo(tmp_path, {"train/a": f"0 {SQUARE}"}, more="test: images/test")
    assert [sample.part for sample in yolo(str(tmp_path)).samples] == ["train"]
    assert f"{tmp_path / 'images/test'}, named in {tmp_path / 'data.yaml'}, is not there" in caplog.text


def test_two_images_of_one_stem_and_one_image_in_two_parts_are_told(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"train/a": f"0 {SQUARE}"}, more="val: images/train")
    assert "of train and" in told(tmp_path)
    write_yolo(tmp_path, {"train/a": f"0 {SQUARE}"})
    write_picture(tmp_path / "images" / "train" / "a.bmp", random_image(0, SIZE))
    assert "a.bmp and a.png" in told(tmp_path)


def test_a_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert f"dataset.root={tmp_path / 'nowhere'}" in told(tmp_path / "nowhere")


@pytest.mark.skipif(not KOLEKTOR.is_dir(), reason=f"{KOLEKTOR} is not here")
def test_real_defects() -> None:
    source = yolo(str(KOLEKTOR))
    assert source.classes.names == ("background", "defect")
    assert len(source.samples) == len(list((KOLEKTOR / "images").rglob("*.jpg")))
    counts = scan_masks(source).counts
    shows = [bool(sample.mask.regions) for sample in source.samples]
    assert (counts[:, 1] > 0).tolist() == shows
    assert 0.001 < counts[:, 1].sum() / counts.sum() < 0.01


def test_marks_before_the_texts(tmp_path: Path) -> None:
    write_yolo(tmp_path, {"train/a": f"1 {SQUARE}\n"})
    (tmp_path / "list.txt").write_text("images/train/a.png\n", encoding="utf-8-sig")
    (tmp_path / "data.yaml").write_text("train: list.txt\nnames: [car, person]\n", encoding="utf-8-sig")
    (tmp_path / "labels/train/a.txt").write_text(f"1 {SQUARE}\n", encoding="utf-8-sig")
    (sample,) = yolo(str(tmp_path)).samples
    assert len(sample.mask.regions) == 1
