import json
from pathlib import Path
from typing import Any

import pytest

from segmentation.classes import Classes
from segmentation.data.class_list import class_list
from segmentation.errors import UserError

COLORED = [{"name": "road", "color": [128, 64, 128]}, {"name": "traffic sign", "color": [220, 220, 0]}]
NAMES = ("road", "traffic sign")
COLORS = ((128, 64, 128), (220, 220, 0))


def file(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return name


def told(*arguments: Any, **how: Any) -> str:
    with pytest.raises(UserError) as error:
        class_list(*arguments, **how)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_entries_and_names_of_the_configuration(tmp_path: Path) -> None:
    assert class_list(COLORED, tmp_path, 255) == Classes(NAMES, COLORS)
    assert class_list(list(NAMES), tmp_path, 99) == Classes.from_entries(NAMES, 99)
    assert class_list("background, defect", tmp_path, 255).names == ("background", "defect")
    assert class_list("crack", tmp_path, 255).names == ("crack",)
    assert class_list('["road", "traffic sign"]', tmp_path, 255).names == NAMES
    assert class_list(" {1: traffic sign, 0: road}", tmp_path, 255).names == NAMES
    assert "is no list" in told('["road"', tmp_path, 255)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "road\n\n# signs of all kinds\ntraffic sign  # yellow\n"),
        ("classes.txt", "0 road\n1 traffic sign\n"),
        ("classes.txt", "1\ttraffic sign\n0\troad\n"),
        ("classes.txt", "0: road\n1: traffic sign\n255: void\n"),
        ("classes.txt", "0 road 128 64 128\n1 traffic sign 220 220 0\n"),
        ("classes.txt", "road 128,64,128\ntraffic sign 220,220,0\n"),
        ("classes.csv", "id,name,r,g,b\n0,road,128,64,128\n1,traffic sign,220,220,0\n"),
        ("classes.csv", "\ufeffname\nroad\ntraffic sign\n"),
        ("classes.csv", '"id","name"\n"0","road"\n"1","traffic sign"\n'),
        ("classes.csv", 'id;name;r;g;b\n0;"road";128;64;128\n1;"traffic sign";220;220;0\n'),
        ("classes.csv", '"road"\n"traffic sign"\n'),
        ("classes.json", '[{"id": "1", "name": "traffic sign"}, {"id": "0", "name": "road"}]'),
        ("classes.json", '["road", "traffic sign"]'),
        ("classes.json", json.dumps(COLORED)),
        ("classes.json", json.dumps({"classes": COLORED, "ignore_index": 255})),
        ("classes.json", '{"1": "traffic sign", "0": "road"}'),
        ("classes.yaml", "classes: [road, traffic sign]"),
        ("data.yaml", "train: images\nnames:\n  0: road\n  1: traffic sign\n"),
        ("other.yml", "names: [road, traffic sign]"),
    ],
)
def test_files_of_classes(tmp_path: Path, name: str, text: str) -> None:
    file(tmp_path, name, text)
    classes = class_list(name, tmp_path, 255)
    assert classes.names == NAMES
    assert classes == (Classes(NAMES, COLORS) if "128" in text else Classes.from_entries(NAMES))
    if name != "other.yml":
        assert class_list(None, tmp_path, 255) == classes


def test_a_file_is_looked_for_where_the_command_runs_and_in_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, here = tmp_path / "root", tmp_path / "here"
    for folder, text in ((root, "of_root"), (here, "of_here")):
        folder.mkdir()
        file(folder, "list.txt", text)
    monkeypatch.chdir(tmp_path)
    assert class_list("list.txt", root, 255).names == ("of_root",)
    assert class_list(str(here / "list.txt"), root, 255).names == ("of_here",)
    monkeypatch.chdir(here)
    assert class_list("list.txt", root, 255).names == ("of_here",)


def test_what_the_data_tells_comes_before_a_file_and_after_the_configuration(tmp_path: Path) -> None:
    file(tmp_path, "classes.txt", "of_file")
    assert class_list(None, tmp_path, 255, found=["of_data"]).names == ("of_data",)
    assert class_list(["given"], tmp_path, 255, found=["of_data"]).names == ("given",)
    assert class_list(None, tmp_path, 255, found="classes.txt").names == ("of_file",)


def test_ids_order_the_classes_and_the_ignored_one_is_left_out(tmp_path: Path) -> None:
    entries = [{"id": 2, "name": "c"}, {"id": 9, "name": "void"}, {"id": 0, "name": "a"}, {"id": 1, "name": "b"}]
    assert class_list(entries, tmp_path, 9).names == ("a", "b", "c")


def test_colours_that_are_needed_must_be_given(tmp_path: Path) -> None:
    assert class_list(COLORED, tmp_path, 255, needs_colors=True).colors == COLORS
    assert "mask_format=palette" in told(["road"], tmp_path, 255, needs_colors=True)
    file(tmp_path, "classes.txt", "0 road")
    assert str(tmp_path / "classes.txt") in told(None, tmp_path, 255, needs_colors=True)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (["road", "car", "road"], "road is used twice"),
        ([{"id": 0, "name": "a"}, {"id": 2, "name": "b"}], "has the ids 0, 2: expected 0 to 1"),
        ([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}], "has the ids 1, 2: expected 0 to 1"),
        ([{"id": 0, "name": "a"}, {"id": 0, "name": "b"}], "has the ids 0, 0: expected 0 to 1"),
        ([{"id": 0, "name": "a"}, "b"], "ids to some classes only"),
        ([{"colour": [1, 2, 3]}], "colour"),
        ([3], "3 in dataset.classes"),
        ([], "empty"),
        (" , ", "empty"),
        ({"road": 1}, "dataset.classes="),
        ("nowhere.txt", "dataset.classes=nowhere.txt: there is no such file"),
        (None, "dataset.classes is not given"),
    ],
)
def test_a_list_that_cannot_be_is_told_in_one_line(tmp_path: Path, spec: Any, named: str) -> None:
    assert named in told(spec, tmp_path, 255)


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("classes.txt", "0 road\n2 car\n", "has the ids 0, 2"),
        ("classes.txt", "0 road\ncar\n", "some classes only"),
        ("classes.txt", "", "empty"),
        ("classes.json", '["road", ', "classes.json is no readable class list"),
        ("classes.json", '{"categories": 3}', "classes.json holds no class list"),
        ("classes.yaml", "classes: [road", "classes.yaml is no readable class list"),
        ("classes.yaml", "7", "classes.yaml holds no class list"),
    ],
)
def test_a_file_that_cannot_be_is_named(tmp_path: Path, name: str, text: str, named: str) -> None:
    file(tmp_path, name, text)
    assert named in told(name, tmp_path, 255)


def test_a_file_of_other_bytes_is_named(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00road")
    assert "classes.txt is no readable class list" in told(None, tmp_path, 255)
