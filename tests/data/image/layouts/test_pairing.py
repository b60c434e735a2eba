import os
from pathlib import Path
from typing import Any

import pytest

from segmentation.data.image.layouts.pairing import (
    data_folder,
    find_folder,
    fitting,
    grouped,
    paired,
    pictures,
    stem_below,
)
from segmentation.data.image.source import UNMEASURED, ImageSample
from segmentation.errors import UserError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_pictures_are_found_by_stem_in_any_suffix_and_others_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "b.PNG", "a.tiff", "c.d.jpg", "note.txt", ".hidden.png", "sub/e.png", ".git/f.png")
    assert pictures(tmp_path) == (
        {"a": tmp_path / "a.tiff", "b": tmp_path / "b.PNG", "c.d": tmp_path / "c.d.jpg"},
        [],
    )
    below, faults = pictures(tmp_path, below=True)
    assert list(below) == ["a", "b", "c.d", "sub/e"]
    assert faults == []


def test_a_folder_that_may_not_be_read_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.png", "closed/b.png")
    scandir = os.scandir

    def refuse(path: Any) -> Any:  # root may read every folder, so the refusal is the system's in name only
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found, faults = pictures(tmp_path, below=True)
    assert list(found) == ["a"]
    assert faults == [f"{tmp_path / 'closed'} cannot be read (Permission denied)"]


def test_two_pictures_of_one_stem_are_a_fault_in_one_folder_alone(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.jpg", "sub/a.png")
    found, faults = pictures(tmp_path, below=True)
    assert list(found) == ["a", "sub/a"]
    assert faults == [f"{tmp_path} holds a.jpg and a.png: two pictures of one name"]


def test_accents_of_two_characters_are_those_of_one(tmp_path: Path) -> None:
    touch(tmp_path, "e\u0301.png")
    assert pictures(tmp_path) == ({"\u00e9": tmp_path / "e\u0301.png"}, [])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (None, {"0001", "0001_mask", "sub/0002_mask", "mask_0003"}),
        ("_mask", {"0001", "sub/0002"}),
        ("{stem}_mask", {"0001", "sub/0002"}),
        ("mask_{stem}", {"0003"}),
        (".mask", set()),
    ],
)
def test_a_pattern_says_what_a_name_has_beside_the_stem(pattern: str | None, expected: set[str]) -> None:
    found = {key: Path(f"{key}.png") for key in ("0001", "0001_mask", "sub/0002_mask", "mask_0003")}
    fits = fitting(found, pattern)
    assert set(fits) == expected
    if pattern == "_mask":
        assert fits["sub/0002"] == Path("sub/0002_mask.png")


def test_pairs_and_what_has_none() -> None:
    images = {"a": Path("i/a.jpg"), "b": Path("i/b.jpg")}
    masks = {"b": Path("m/b.png"), "c": Path("m/c.png")}
    assert paired(images, masks, "i", "m") == (
        [("b", Path("i/b.jpg"), Path("m/b.png"))],
        ["i/a.jpg has no mask in m", "m/c.png has no image in i"],
    )


def test_a_folder_is_found_in_any_case_by_the_first_name_that_fits(tmp_path: Path) -> None:
    for name in ("Labels", "MASKS"):
        (tmp_path / name).mkdir()
    touch(tmp_path, "images")
    assert find_folder(tmp_path, "masks", "labels") == tmp_path / "MASKS"
    assert find_folder(tmp_path, "annotations", "labels") == tmp_path / "Labels"
    assert find_folder(tmp_path, "images") is None
    assert find_folder(tmp_path / "nowhere", "images") is None


def test_a_stem_has_the_folders_below(tmp_path: Path) -> None:
    assert stem_below(tmp_path / "sub" / "a.b.png", tmp_path) == "sub/a.b"


def samples(*keys: str) -> list[ImageSample]:
    return [ImageSample(key, key, Path(f"{key}.png"), None, UNMEASURED) for key in keys]


def test_the_parentheses_of_a_pattern_name_the_group() -> None:
    found, faults = grouped(samples("train/a_1", "train/a_2", "b"), r"([^/]+)_\d+$")
    assert [(sample.key, sample.group) for sample in found] == [("train/a_1", "a"), ("train/a_2", "a")]
    assert faults == [r"b: dataset.group=([^/]+)_\d+$ does not fit"]
    assert grouped(samples("b"), None) == (samples("b"), [])


@pytest.mark.parametrize(("pattern", "named"), [("(", "no regular expression"), (".*_", "parentheses")])
def test_a_pattern_that_names_no_group_is_told(pattern: str, named: str) -> None:
    with pytest.raises(UserError, match=named) as error:
        grouped(samples("a"), pattern)
    assert "\n" not in str(error.value)


def test_a_root_that_is_not_there_no_folder_or_empty_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "file", "data/a.png")
    (tmp_path / "empty").mkdir()
    assert data_folder(str(tmp_path / "data")) == tmp_path / "data"
    for name, told in (("nowhere", "No such file"), ("file", "Not a directory"), ("empty", "is empty")):
        with pytest.raises(UserError, match=rf"^dataset.root={tmp_path / name} .*{told}"):
            data_folder(str(tmp_path / name))


def test_a_root_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:  # root may read every folder, so the refusal is the system's in name only
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        data_folder(str(tmp_path))
