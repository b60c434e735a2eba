from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
import pytest

from segmentation.data.faults import noting_faults
from segmentation.data.image.layouts.split_files import split_files
from segmentation.errors import UserError
from tests.data.image.david_files import random_ids, random_image, write_picture

SIZE = (4, 6)
Form = Literal["NFC", "NFD"]
TWO = ["intact", "defect"]
BINARY: dict[str, Any] = {"classes": TWO, "mask_format": "binary"}


def lists(root: Path, **texts: str) -> None:
    for part, text in texts.items():
        (root / f"{part}.txt").write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Images a, b, c and sub/d with their masks, and a picture that no list names."""
    for seed, stem in enumerate(("a", "b", "c", "sub/d", "unused")):
        write_picture(tmp_path / "images" / f"{stem}.jpg", random_image(seed, SIZE))
        if stem != "unused":
            write_picture(tmp_path / "masks" / f"{stem}.png", random_ids(seed, SIZE, 2) * np.uint8(255))
    return tmp_path


def found(root: Path, **how: Any) -> list[tuple[str, str | None]]:
    return [(sample.key, sample.part) for sample in split_files(str(root), **BINARY, **how).samples]


def told(root: Path, **how: Any) -> list[str]:
    with pytest.raises(UserError) as error:
        split_files(str(root), **BINARY, **how)
    return str(error.value).splitlines()


def test_stems_names_and_pairs_with_comments_and_blank_lines(root: Path) -> None:
    lists(
        root,
        train="# a comment\n\na\nb.jpg  # by its name\n",
        val="images/c.jpg masks/c.png\n",
        test="sub/d.jpg,sub/d.png\n",
    )
    assert found(root) == [("a", "train"), ("b", "train"), ("c", "val"), ("sub/d", "test")]
    source = split_files(str(root), **BINARY)
    for seed, sample in enumerate(source.samples):
        np.testing.assert_array_equal(source.read_mask(sample), random_ids(seed, SIZE, 2))
        assert (sample.size, sample.group) == (SIZE, sample.key)


def test_pairs_of_stems_and_of_other_names(root: Path) -> None:
    lists(root, train="a b\nc\tc.png\n")
    samples = split_files(str(root), **BINARY).samples
    assert [sample.mask.name for sample in samples] == ["b.png", "c.png"]


def test_names_with_spaces(root: Path) -> None:
    write_picture(root / "images" / "my shelf.jpg", random_image(0, SIZE))
    write_picture(root / "masks" / "my shelf.png", random_ids(0, SIZE, 2))
    lists(root, train="my shelf\n", val="my shelf.jpg\n")
    assert "my shelf is listed in train.txt and val.txt" in told(root)[1]
    lists(root, val="a\n")
    assert found(root) == [("my shelf", "train"), ("a", "val")]


@pytest.mark.parametrize("line", ["é", "é.jpg", "é.jpg é.png"])
@pytest.mark.parametrize("forms", [("NFC", "NFD", "NFD"), ("NFD", "NFC", "NFC"), ("NFD", "NFC", "NFD")])
def test_accents_are_the_same_however_they_are_written(root: Path, line: str, forms: tuple[Form, Form, Form]) -> None:
    of_image, of_mask, of_line = forms
    write_picture(root / "images" / normalize(of_image, "é.jpg"), random_image(0, SIZE))
    write_picture(root / "masks" / normalize(of_mask, "é.png"), random_ids(0, SIZE, 2))
    lists(root, train=normalize(of_line, line))
    assert found(root) == [("é", "train")]


def test_folders_lists_and_suffix_by_options(root: Path) -> None:
    (root / "images").rename(root / "JPEGImages")
    (root / "lists").mkdir()
    lists(root / "lists", train="a\n")
    (root / "masks/a.png").rename(root / "masks/a_label.png")
    assert found(root, images_dir="JPEGImages", lists_dir="lists", mask_suffix="_label") == [("a", "train")]


def test_a_file_a_class_and_groups(root: Path) -> None:
    (root / "masks").rename(root / "all")
    (root / "masks").mkdir()
    (root / "all").rename(root / "masks" / "defect")
    lists(root, train="a\nsub/d\n")
    source = split_files(str(root), classes=TWO, mask_format="per_class", group="(.*)")
    np.testing.assert_array_equal(source.read_mask(source.samples[1]), random_ids(3, SIZE, 2))
    lists(root, train="a defect/a.png\n")
    with pytest.raises(UserError, match="mask_format=per_class: the split files name images alone"):
        split_files(str(root), classes=TWO, mask_format="per_class")


@pytest.mark.parametrize("line", ["a", "a_rgb", "a_rgb.jpg", "images/a_rgb.jpg", "a_rgb.jpg a.png", "a_rgb a"])
def test_images_with_a_suffix_are_named_with_and_without_it(root: Path, line: str) -> None:
    (root / "images/a.jpg").rename(root / "images/a_rgb.jpg")
    lists(root, train=line)
    (sample,) = split_files(str(root), **BINARY, image_suffix="_rgb").samples
    assert (sample.key, sample.image.name, sample.mask.name) == ("a", "a_rgb.jpg", "a.png")


def test_lines_that_name_what_is_not_there_are_told_together(root: Path) -> None:
    (root / "masks/c.png").unlink()
    lists(root, train="a\nnowhere\nb b_mask.png\n", val="c\n", test="x.jpg c.png\n")
    title, *lines = told(root)
    assert title == f"dataset.root={root}: 4 of 5 lines name what is not there"
    assert lines == [
        f"  - train.txt line 2: there is no image nowhere in {root}/images",
        f"  - train.txt line 3: there is no mask b_mask.png in {root}/masks",
        f"  - val.txt line 1: c has no mask in {root}/masks",
        f"  - test.txt line 1: there is no image x.jpg in {root}/images",
    ]


def test_many_absent_files_are_counted_and_the_first_named(root: Path) -> None:
    lists(root, train="\n".join(["a", *(f"x{number}" for number in range(30))]))
    lines = told(root)
    assert "30 of 31 lines" in lines[0]
    assert "line 2: there is no image x0" in lines[1]
    assert lines[-1].endswith("(and 27 more like it)")


def test_a_check_goes_on_with_what_is_there(root: Path) -> None:
    lists(root, train="a\nnowhere\na\n", val="a\nb\n")
    with noting_faults() as noted:
        assert found(root) == [("a", "train"), ("b", "val")]
    assert [len(faults) for _, faults in noted] == [1, 2]


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ({"train": "a\nb\n", "val": "b\n"}, "b is listed in train.txt and val.txt"),
        ({"train": "a\nb\na.jpg\n"}, "a is listed in train.txt twice"),
    ],
)
def test_an_image_that_is_listed_again_is_a_fault(root: Path, texts: dict[str, str], named: str) -> None:
    lists(root, **texts)
    lines = told(root)
    assert len(lines) == 2
    assert named in lines[1]


def test_lists_and_folders_that_are_not_there_are_told(root: Path) -> None:
    (line,) = told(root)
    assert f"{root} has no train.txt: dataset.lists_dir" in line
    lists(root, train="\n# nothing\n")
    assert "names no image" in told(root)[0]
    lists(root, train="a\n")
    assert told(root, masks_dir="msks") == [f"dataset.masks_dir=msks: there is no folder {root / 'msks'}"]
    assert told(root, images_dir="imgs") == [f"dataset.images_dir=imgs: there is no folder {root / 'imgs'}"]
    (root / "val.txt").write_bytes(b"\xff\xfe\x00")
    assert f"{root / 'val.txt'} is no readable text" in told(root)[0]


def test_an_empty_val_is_told(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    lists(root, train="a\n", val="# none yet\n")
    assert found(root) == [("a", "train")]
    assert f"{root}/val.txt names no image: val is taken of train" in caplog.text


@pytest.mark.parametrize(
    "line",
    [
        r"images\c.jpg masks\c.png",
        "/images/c.jpg /masks/c.png",
        "/images/c /masks/c",
        "images/c masks/c",
        "images/c",
        "c.jpg\tmasks/c",
        "c #1",
    ],
)
def test_other_ways_to_name_a_picture(root: Path, line: str) -> None:
    lists(root, train=line)
    (sample,) = split_files(str(root), **BINARY).samples
    assert (sample.key, sample.image, sample.mask) == ("c", root / "images/c.jpg", root / "masks/c.png")


@pytest.mark.parametrize("line", ["d 3.jpg d 3.png", "d 3.jpg,d 3", "d 3 masks/d 3.png", "d 3"])
def test_pairs_of_names_with_blanks(root: Path, line: str) -> None:
    write_picture(root / "images/d 3.jpg", random_image(0, SIZE))
    write_picture(root / "masks/d 3.png", random_ids(0, SIZE, 2))
    lists(root, train=line)
    (sample,) = split_files(str(root), **BINARY).samples
    assert (sample.image.name, sample.mask) == ("d 3.jpg", root / "masks/d 3.png")


def test_a_hash_within_a_name_begins_no_comment(root: Path) -> None:
    write_picture(root / "images/e#1.jpg", random_image(0, SIZE))
    write_picture(root / "masks/e#1.png", random_ids(0, SIZE, 2))
    lists(root, train="e#1.jpg\n#a.jpg\n")
    assert found(root) == [("e#1", "train")]
