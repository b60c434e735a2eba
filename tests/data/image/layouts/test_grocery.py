import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.data.faults import noting_faults
from segmentation.data.image.layouts.grocery import grocery
from segmentation.errors import UserError
from tests.data.image.david_files import random_ids, random_image, write_picture

SIZE = (4, 6)
IDS = random_ids(0, SIZE, 3)
LEFT, TOP = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
LEFT[:, :2] = TOP[0] = 255


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Images a, b and c, an index mask of each, and binary masks: the left third and the top row."""
    for stem in ("a", "b", "c"):
        write_picture(tmp_path / "images" / f"{stem}.jpg", random_image(0, SIZE))
        write_picture(tmp_path / "masks" / f"{stem}.png", IDS)
        write_picture(tmp_path / "milk" / f"{stem}.png", LEFT)
        write_picture(tmp_path / "bread" / f"{stem}.png", TOP)
    return tmp_path


def manifest(root: Path, *lines: str, name: str = "manifest.csv") -> None:
    (root / name).write_text("\n".join(lines), encoding="utf-8")


def told(root: Path, **how: Any) -> list[str]:
    with pytest.raises(UserError) as error:
        grocery(str(root), **how)
    return str(error.value).splitlines()


def test_a_table_with_classes_beside_it(root: Path) -> None:
    manifest(
        root,
        "Image,Mask,Split,Group",
        "images/a.jpg,masks/a.png,train,shop1",
        "images\\b.jpg,masks\\b.png,valid,",
        "images/c.jpg,masks/c.png,,shop1",
    )
    manifest(root, "0 shelf", "1 milk", "2 bread", name="classes.txt")
    source = grocery(str(root))
    assert source.classes.names == ("shelf", "milk", "bread")
    assert [(sample.key, sample.part, sample.group, sample.size) for sample in source.samples] == [
        ("images/a", "train", "shop1", SIZE),
        ("images/b", "val", "images/b", SIZE),
        ("images/c", None, "shop1", SIZE),
    ]
    np.testing.assert_array_equal(source.read_mask(source.samples[0]), IDS)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_of_tables(root: Path, delimiter: str) -> None:
    manifest(root, delimiter.join(("image", "mask", "split")), delimiter.join(("images/a.jpg", "masks/a.png", "train")))
    assert [sample.key for sample in grocery(str(root), classes=["shelf", "milk", "bread"]).samples] == ["images/a"]


def test_a_json_with_its_classes(root: Path) -> None:
    rows = [{"image": f"images/{stem}.jpg", "mask": f"masks/{stem}.png", "split": "train"} for stem in "ab"]
    content = {"classes": ["shelf", {"name": "milk", "color": [1, 2, 3]}, "bread"], "samples": rows}
    manifest(root, json.dumps(content), name="manifest.json")
    source = grocery(str(root))
    assert source.classes.names == ("shelf", "milk", "bread")
    assert source.classes.colors[1] == (1, 2, 3)
    assert len(source.samples) == 2
    manifest(root, json.dumps(rows), name="list.json")
    assert grocery(str(root), manifest="list.json", classes=["x", "y", "z"]).classes.names == ("x", "y", "z")


def test_a_row_for_each_product_group(root: Path) -> None:
    manifest(
        root,
        "image;mask;split;class",
        "images/a.jpg;milk/a.png;train;milk",
        "images/a.jpg;bread/a.png;train;bread",
        "images/b.jpg;bread/b.png;val;bread",
    )
    source = grocery(str(root))
    assert source.classes.names == ("background", "milk", "bread")
    first, second = (source.read_mask(sample) for sample in source.samples)
    assert first.tolist() == [[2] * 6, *[[1, 1, 0, 0, 0, 0]] * 3]  # the smaller one, the top row, lies above
    assert second.tolist() == [[2] * 6, *[[0] * 6] * 3]
    files = source.labels.files(source.samples[0])
    assert set(files) == {root / "milk/a.png", root / "bread/a.png", root / "manifest.csv"}


def test_products_lie_on_a_background_that_a_list_of_products_does_not_name(root: Path) -> None:
    manifest(root, "image,mask,split,class", "images/a.jpg,milk/a.png,train,milk")
    manifest(root, "id,name", "0,milk", "1,bread", name="classes.csv")
    assert grocery(str(root)).classes.names == ("background", "milk", "bread")
    assert grocery(str(root), classes=["shelf", "milk"]).classes.names == ("shelf", "milk")


def test_paths_above_the_manifest_and_whole_ones(root: Path) -> None:
    (root / "lists").mkdir()
    other = write_picture(root / "other" / "a.jpg", random_image(0, SIZE))
    manifest(
        root / "lists",
        "image,mask,split",
        "../images/a.jpg,../masks/a.png,train",
        f"{root}/images/b.jpg,{root}/masks/b.png,val",
        f"{other},../masks/a.png,val",
    )
    keys = [sample.key for sample in grocery(str(root / "lists"), classes=["x", "y", "z"]).samples]
    assert keys == ["../images/a", f"{root}/images/b", f"{root}/other/a"]


def test_faults_of_rows_are_told_together(root: Path) -> None:
    manifest(
        root,
        "image,mask,split",
        "images/a.jpg,masks/x.png,train",
        "images/y.jpg,masks/z.png,train",
        "images/b.jpg,masks/b.png,training day",
        ",masks/c.png,val",
        "images/c.jpg,masks/c.png",
    )
    manifest(root, "shelf", name="classes.txt")
    assert told(root) == [
        f"{root}/manifest.csv has 5 faults: mend its rows",
        f"  - manifest.csv line 2: there is no {root}/masks/x.png",
        f"  - manifest.csv line 3: there is no {root}/images/y.jpg and no {root}/masks/z.png",
        "  - manifest.csv line 4: split training day: expected train, val or test",
        "  - manifest.csv line 5: it has no image",
        "  - manifest.csv line 6: it has no split",
    ]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (["images/a.jpg,masks/a.png,train,,", "images/a.jpg,masks/b.png,train,,"], "it is listed 2 times"),
        (["images/a.jpg,milk/a.png,train,,milk", "images/a.jpg,bread/a.png,val,,bread"], "of several splits or groups"),
        (["images/a.jpg,milk/a.png,train,x,milk", "images/a.jpg,bread/a.png,train,y,bread"], "of several splits"),
        (["images/a.jpg,milk/a.png,train,,mlk"], "there is no class mlk: the classes are shelf, milk"),
        (["images/a.jpg,masks/a.png,train,,", "images/a.png,masks/b.png,train,,"], "two pictures of one name"),
    ],
)
def test_rows_of_one_image_that_do_not_fit_are_told(root: Path, rows: list[str], named: str) -> None:
    write_picture(root / "images" / "a.png", random_image(0, SIZE))
    manifest(
        root, "image,mask,split,group,class", *rows, "images/b.jpg,milk/b.png,train,," + "milk" * ("milk/" in rows[0])
    )
    manifest(root, "shelf", "milk", *(["bread"] if "bread" in rows[-1] else []), name="classes.txt")
    title, line = told(root)
    assert "1 fault:" in title
    assert named in line


def test_a_row_without_a_class_among_others_is_a_fault_that_a_check_goes_on_from(root: Path) -> None:
    manifest(root, "image,mask,split,class", "images/a.jpg,milk/a.png,train,milk", "images/b.jpg,milk/b.png,train,")
    assert "manifest.csv line 3: " in told(root)[1]
    with noting_faults() as noted:
        assert [sample.key for sample in grocery(str(root)).samples] == ["images/a"]
    assert len(noted) == 1


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("manifest.json", '{"samples": [', "is no readable manifest"),
        ("manifest.json", '{"images": []}', "is no readable manifest"),
        ("manifest.json", '{"samples": [3]}', "is no readable manifest"),
        ("manifest.json", '{"samples": []}', "lists no image"),
        ("manifest.csv", "image,mask,split\n", "lists no image"),
        ("manifest.csv", "", "lists no image"),
    ],
)
def test_a_manifest_that_cannot_be_is_told_in_one_line(root: Path, name: str, text: str, named: str) -> None:
    manifest(root, text, name=name)
    (line,) = told(root, classes=["shelf"])
    assert f"{root / name} {named}" in line


def test_a_manifest_that_is_missing_is_told(root: Path) -> None:
    (line,) = told(root)
    assert f"{root} has no manifest.csv or manifest.json: dataset.manifest" in line
    assert f"{root} has no other.csv" in told(root, manifest="other.csv")[0]
