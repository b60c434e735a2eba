from pathlib import Path

import pytest

from segmentation.data.image.layouts.pairing import fitting, paired, pictures


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


def test_two_pictures_of_one_stem_are_a_fault_in_one_folder_alone(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.jpg", "sub/a.png")
    found, faults = pictures(tmp_path, below=True)
    assert list(found) == ["a", "sub/a"]
    assert faults == [f"{tmp_path} holds a.jpg and a.png: two files of one name"]


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
