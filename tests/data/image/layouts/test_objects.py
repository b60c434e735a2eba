import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.data.image.layouts.objects import objects
from segmentation.data.image.scan import scan_masks
from segmentation.errors import UserError
from tests.data.image.david_files import random_image, write_picture

SIZE = (4, 6)


def told(root: Path, **how: Any) -> str:
    with pytest.raises(UserError) as error:
        objects(str(root), **how)
    return str(error.value)


def write_mask(path: Path, columns: int, value: int = 255, size: tuple[int, int] = SIZE) -> Path:
    """The first columns of the picture."""
    mask = np.zeros(size, np.uint8)
    mask[:, :columns] = value
    return write_picture(path, mask)


def write_one(root: Path, *masks: str, key: str = "a") -> Path:
    """An image; the first mask has one column, the second two, ..."""
    write_picture(root / "images" / f"{key}.png", random_image(0, SIZE))
    (root / "objects" / key).mkdir(parents=True)
    for columns, name in enumerate(masks, 1):
        write_mask(root / "objects" / key / name, columns)
    return root


@pytest.mark.parametrize("names", [("car_0.png", "road_line_12.png"), ("car/0.png", "road_line/1.png")])
def test_classes_stand_in_the_names_of_files_or_folders(tmp_path: Path, names: tuple[str, str]) -> None:
    source = objects(str(write_one(tmp_path, *names)))
    assert source.classes.names == ("background", "car", "road_line")
    (sample,) = source.samples
    assert (sample.key, sample.size) == ("a", SIZE)
    assert source.read_mask(sample).tolist() == [[1, 2, 0, 0, 0, 0]] * 4
    assert set(source.labels.files(sample)) == {tmp_path / "objects" / "a" / name for name in names}


def test_names_with_accents_of_two_characters(tmp_path: Path) -> None:
    (sample,) = objects(str(write_one(tmp_path, "car_0.png", key="e\u0301"))).samples
    assert sample.key == "\u00e9"


TABLES = {
    "metadata.csv": "id,area,class\n0,4,car\n1,8,bus\n",  # as SAM writes it, and a column more
    "classes.csv": "\ufeffFile_Name, Class\n0.png,car\n1.png,bus\n",
    "a.json": json.dumps({"0.png": "car", "1": "bus"}),
    "b.json": json.dumps([{"mask": "0.png", "label": "car"}, {"mask": "1.png", "label": "bus"}]),
}


@pytest.mark.parametrize("name", TABLES)
def test_classes_stand_in_a_table(tmp_path: Path, name: str) -> None:
    root = write_one(tmp_path, "0.png", "1.png")
    table = root / "objects" / "a" / name
    table.write_text(TABLES[name], encoding="utf-8")
    source = objects(str(root))
    assert source.classes.names == ("background", "bus", "car")
    assert source.read_mask(source.samples[0]).tolist() == [[2, 1, 0, 0, 0, 0]] * 4
    assert table in source.labels.files(source.samples[0])


def test_an_image_with_an_empty_folder_shows_no_object(tmp_path: Path) -> None:
    write_one(tmp_path, "car_0.png")
    write_one(tmp_path, key="b")
    source = objects(str(tmp_path))
    assert (source.read_mask(source.samples[1]) == 0).all()


def test_folders_of_parts(tmp_path: Path) -> None:
    write_one(tmp_path, "car_0.png", key="train/a")
    write_one(tmp_path, "car_0.png", key="val/a")
    source = objects(str(tmp_path))
    assert [(sample.key, sample.part) for sample in source.samples] == [("train/a", "train"), ("val/a", "val")]


def test_folders_threshold_background_classes_and_groups_may_be_given(tmp_path: Path) -> None:
    write_picture(tmp_path / "rgb" / "x_1.png", random_image(0, SIZE))
    write_mask(tmp_path / "sam" / "x_1" / "car_0.png", 2, value=40)
    how = {"images": "rgb", "objects": "sam", "threshold": 40, "background": None, "classes": ["bus", "car"]}
    source = objects(str(tmp_path), **how, group="(.*)_")  # type: ignore[arg-type]
    assert source.samples[0].group == "x"
    assert source.read_mask(source.samples[0]).tolist() == [[1, 1, 255, 255, 255, 255]] * 4


def write_absent_folder(root: Path) -> str:
    write_picture(root / "images" / "b.png", random_image(0, SIZE))
    return f"{root / 'images/b.png'} has no folder of masks {root / 'objects/b'}"


def write_absent_image(root: Path) -> str:
    write_mask(root / "objects" / "c" / "car_0.png", 1)
    return f"{root / 'objects/c'} has no image"


def write_mask_without_class(root: Path) -> str:
    return f"{write_mask(root / 'objects/a/7.png', 1)} has no class: expected a table"


def write_two_images_of_one_stem(root: Path) -> str:
    write_picture(root / "images" / "a.bmp", random_image(0, SIZE))
    return "a.bmp and a.png"


def write_empty_image(root: Path) -> str:
    write_one(root, "car_0.png", key="e")
    (root / "images" / "e.png").write_bytes(b"")
    return f"{root / 'images/e.png'} is no readable picture"


def write_table_of_absent_masks(root: Path) -> str:
    write_one(root, "0.png", key="t")
    (root / "objects/t/a.csv").write_text("file,class\n0.png,car\n9.png,car\n", encoding="utf-8")
    return f"{root / 'objects/t/a.csv'}: there is no mask {root / 'objects/t/9.png'}"


def write_table_that_lacks_a_mask(root: Path) -> str:
    write_one(root, "0.png", "1.png", key="l")
    (root / "objects/l/a.csv").write_text("file,class\n0.png,car\n", encoding="utf-8")
    return f"{root / 'objects/l/1.png'} has no class"


def write_two_tables(root: Path) -> str:
    write_one(root, "0.png", key="d")
    for name in ("a.csv", "b.json"):
        (root / "objects/d" / name).write_text("{}", encoding="utf-8")
    return f"{root / 'objects/d'} holds a.csv and b.json"


def write_table_without_classes(root: Path) -> str:
    write_one(root, "0.png", key="w")
    (root / "objects/w/metadata.csv").write_text("id,area\n0,4\n", encoding="utf-8")
    return "it has the columns id, area: expected one of class"


def write_broken_table(root: Path) -> str:
    write_one(root, "0.png", key="k")
    (root / "objects/k/a.json").write_text('{"0.png": "ca', encoding="utf-8")
    return f"{root / 'objects/k/a.json'} is no table of masks and classes"


FAULTS = [
    write_absent_folder,
    write_absent_image,
    write_mask_without_class,
    write_two_images_of_one_stem,
    write_empty_image,
    write_table_of_absent_masks,
    write_table_that_lacks_a_mask,
    write_two_tables,
    write_table_without_classes,
    write_broken_table,
]


@pytest.mark.parametrize("write", FAULTS, ids=lambda write: write.__name__.removeprefix("write_"))
def test_each_fault_is_named(tmp_path: Path, write: Any) -> None:
    fault = write(write_one(tmp_path, "car_0.png"))
    lines = told(tmp_path).splitlines()
    assert "has 1 fault:" in lines[0]
    assert len(lines) == 2
    assert fault in lines[1]


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    write_one(tmp_path, "car_0.png")
    for write in FAULTS:
        write(tmp_path)
    assert f"has {len(FAULTS)} faults" in told(tmp_path)


@pytest.mark.parametrize("missing", ["images", "objects"])
def test_missing_folders_are_told(tmp_path: Path, missing: str) -> None:
    write_one(tmp_path, "car_0.png")
    (tmp_path / missing).rename(tmp_path / "away")
    message = told(tmp_path)
    assert f"found no folder {missing}" in message
    assert len(message.splitlines()) == 1


def test_a_mask_of_another_size_is_found_when_masks_are_scanned(tmp_path: Path) -> None:
    write_one(tmp_path, "car_0.png")
    write_mask(tmp_path / "objects/a/car_1.png", 2, size=(4, 7))
    (error,) = scan_masks(objects(str(tmp_path))).errors.values()
    assert error == f"{tmp_path / 'objects/a/car_1.png'} is 7x4 pixels, its image 6x4"
