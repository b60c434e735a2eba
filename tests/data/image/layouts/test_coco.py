import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from segmentation.data.image.layouts.coco import coco
from segmentation.data.image.scan import scan_masks
from segmentation.errors import UserError
from tests.data.image.david_files import SHARED_DATA, random_image, write_picture
from tests.data.image.layouts.painted_files import CATEGORIES, SQUARE, annotation, write_coco

NUTS = SHARED_DATA / "nuts_coco"
SIZE = (6, 8)
SQUARE_PIXELS = 3 * 4


def write_one(root: Path, *annotations: dict[str, Any], **how: Any) -> Path:
    """One image, a.png, of id 1."""
    write_coco(root / "objects.json", {1: root / "images" / "a.png"}, annotations, **how)
    return root


def edit(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = root / "objects.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def told(root: Path, **how: Any) -> str:
    with pytest.raises(UserError) as error:
        coco(str(root), **how)
    return str(error.value)


def test_polygons_become_classes_in_the_order_of_their_ids(tmp_path: Path) -> None:
    root = write_one(tmp_path, annotation([SQUARE], category=7), annotation([[0, 0, 1, 0, 1, 6, 0, 6]]))
    source = coco(str(root))
    assert source.classes.names == ("background", "car", "person")
    (sample,) = source.samples
    assert (sample.key, sample.group, sample.size, sample.part) == ("a", "a", SIZE, None)
    ids = source.read_mask(sample)
    assert (ids[1:4, 2:6] == 2).all()
    assert (ids[:, 0] == 1).all()
    assert (ids == 0).sum() == 48 - SQUARE_PIXELS - 6
    assert source.labels.files(sample) == (root / "objects.json",)


def test_images_without_objects_are_all_background(tmp_path: Path) -> None:
    source = coco(str(write_one(tmp_path)))
    assert (source.read_mask(source.samples[0]) == 0).all()


def test_without_a_background_the_rest_is_ignored(tmp_path: Path) -> None:
    source = coco(str(write_one(tmp_path, annotation([SQUARE]))), background=None, ignore_index=99)
    assert source.classes.names == ("car", "person")
    ids = source.read_mask(source.samples[0])
    assert ((ids == 0).sum(), (ids == 99).sum()) == (SQUARE_PIXELS, 48 - SQUARE_PIXELS)


def test_run_lengths_packed_and_plain(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random(SIZE) < 0.5
    packed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    plain = {"counts": [0, 2, 46], "size": list(SIZE)}
    root = write_one(tmp_path, annotation({"counts": packed, "size": list(SIZE)}), annotation(plain, category=7))
    source = coco(str(root))
    expected = mask.astype(int)
    expected[:2, 0] = 2  # smaller, so it lies on top
    assert source.read_mask(source.samples[0]).tolist() == expected.tolist()


def test_a_crowd_is_ignored_or_painted(tmp_path: Path) -> None:
    """And the counts kept of the one are not taken for the other."""
    root = write_one(tmp_path, annotation({"counts": [0, 2, 46], "size": list(SIZE)}, iscrowd=1))
    ignored, painted = coco(str(root)), coco(str(root), crowd="paint")
    assert ignored.read_mask(ignored.samples[0])[:2, 0].tolist() == [255, 255]
    assert painted.read_mask(painted.samples[0])[:2, 0].tolist() == [1, 1]
    assert scan_masks(ignored).counts.tolist() == [[46, 0, 0, 2]]
    assert scan_masks(painted).counts.tolist() == [[46, 2, 0, 0]]


def test_the_annotation_file_may_be_named(tmp_path: Path) -> None:
    root = write_one(tmp_path, annotation([SQUARE]))
    (root / "other.json").write_text("{}", encoding="utf-8")
    assert "objects.json, other.json" in told(root)
    assert len(coco(str(root), annotations="objects.json").samples) == 1


@pytest.mark.parametrize(
    ("train", "val", "where"),
    [
        ("annotations/instances_train2017.json", "annotations/instances_val2017.json", ("train2017", "val2017")),
        ("train/_annotations.coco.json", "valid/_annotations.coco.json", ("train", "valid")),
        ("train.json", "val.json", ("images", "images")),
        ("train.json", "val.json", ("images/train", "images/val")),
    ],
)
def test_parts_are_found_by_the_names_of_files(tmp_path: Path, train: str, val: str, where: tuple[str, str]) -> None:
    write_coco(tmp_path / train, {1: tmp_path / where[0] / "a.png"}, [annotation([SQUARE])])
    write_coco(tmp_path / val, {1: tmp_path / where[1] / "b.png"}, [annotation([SQUARE], category=7)])
    source = coco(str(tmp_path))
    assert [(sample.key, sample.part) for sample in source.samples] == [("train/a", "train"), ("val/b", "val")]
    assert [int(source.read_mask(sample).max()) for sample in source.samples] == [1, 2]


def test_parts_and_their_images_may_be_named(tmp_path: Path) -> None:
    write_coco(tmp_path / "a.json", {1: tmp_path / "x" / "1.png"}, [])
    write_coco(tmp_path / "b.json", {1: tmp_path / "y" / "1.png"}, [])
    named = {"train": "a.json", "test": "b.json"}
    source = coco(str(tmp_path), annotations=named, images={"train": "x", "test": "y"})
    assert [(sample.key, sample.part) for sample in source.samples] == [("train/1", "train"), ("test/1", "test")]
    assert source.samples[1].image == tmp_path / "y" / "1.png"
    assert "name one for test" in told(tmp_path, annotations=named, images={"train": "x"})
    assert "train, val, test" in told(tmp_path, annotations={"training": "a.json"})


def test_groups_are_found_in_the_keys(tmp_path: Path) -> None:
    write_coco(tmp_path / "a.json", {n: tmp_path / f"{n // 2}_{n}.png" for n in range(4)}, [])
    assert [sample.group for sample in coco(str(tmp_path), group="(.*)_[0-9]+").samples] == ["0", "0", "1", "1"]


def test_the_class_list_of_the_configuration_goes_by_names(tmp_path: Path) -> None:
    root = write_one(tmp_path, annotation([SQUARE]))
    source = coco(str(root), classes=["person", "car", "background"])
    assert source.read_mask(source.samples[0])[1, 2] == 1
    assert source.read_mask(source.samples[0])[0, 0] == 2


def test_polygons_that_leave_the_picture_are_cut_off_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    over = [5.0, 1.0, 12.0, 1.0, 12.0, 4.0, 5.0, 4.0]
    nearly = [5.0, 5.0, 8.9, 5.0, 8.9, 6.5, 5.0, 6.5]  # by less than a pixel: tools round
    root = write_one(tmp_path, annotation([over]), annotation([over, SQUARE]), annotation([nearly]))
    caplog.set_level("WARNING")
    source = coco(str(root))
    assert (source.read_mask(source.samples[0])[1:4, 5:] == 1).all()
    (record,) = caplog.records
    assert record.getMessage().startswith("2 polygons leave their picture")
    assert record.getMessage().endswith("the first in a.png")


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "outside": (annotation([[10, 1, 20, 1, 20, 4, 10, 4]]), "outside the picture"),
    "odd": (annotation([[1, 2, 3, 4, 5, 6, 7]]), "a polygon of 7 numbers"),
    "two points": (annotation([[1, 2, 3, 4]]), "a polygon of 2 points"),
    "flat": (annotation([[1, 2, 3, 2, 5, 2]]), "without area"),
    "no ring": (annotation([1, 2, 3, 4, 5, 6]), "no list of numbers"),
    "none": (annotation([]), "no segmentation"),
    "box alone": ({"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4]}, "no segmentation"),
    "other size": (annotation({"counts": [48], "size": [8, 6]}), "size [8, 6]: expected [6, 8]"),
    "short runs": (annotation({"counts": [40], "size": [6, 8]}), "run lengths of 40 pixels: expected 8x6"),
    "unknown image": (annotation([SQUARE], image=5), "image 5, which is not listed"),
    "unknown category": (annotation([SQUARE], category=3), "category 3, which is not listed"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_faulty_annotation_is_named(tmp_path: Path, fault: str) -> None:
    wrong, expected = FAULTS[fault]
    lines = told(write_one(tmp_path, annotation([SQUARE]), wrong)).splitlines()
    assert "has 1 fault:" in lines[0]
    assert len(lines) == 2
    assert f"{tmp_path / 'objects.json'}: annotation 1 " in lines[1]
    assert expected in lines[1]


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    message = told(write_one(tmp_path, *(wrong for wrong, _ in FAULTS.values())))
    assert f"has {len(FAULTS)} faults" in message
    for _, expected in FAULTS.values():
        assert expected in message


def test_a_json_cut_in_half_is_told_in_one_line(tmp_path: Path) -> None:
    root = write_one(tmp_path, annotation([SQUARE]))
    file = root / "objects.json"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    message = told(root)
    assert message.startswith(f"{file} is no JSON: it is damaged or cut short")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("name", ["images", "categories", "annotations"])
def test_a_json_of_another_kind_is_told(tmp_path: Path, name: str) -> None:
    root = write_one(tmp_path, annotation([SQUARE]))
    edit(root, lambda content: content.pop(name))
    assert f"{root / 'objects.json'} is no COCO file" in told(root)
    (root / "objects.json").write_text("[1, 2]", encoding="utf-8")
    assert "is no COCO file" in told(root)
    assert len(told(root).splitlines()) == 1


def test_an_entry_without_what_it_needs_is_told(tmp_path: Path) -> None:
    root = write_one(tmp_path, annotation([SQUARE]))
    edit(root, lambda content: content["images"][0].pop("file_name"))
    assert "images[0] lacks one of id, file_name" in told(root)


def test_class_names_used_twice_are_told(tmp_path: Path) -> None:
    categories = [*CATEGORIES, {"id": 9, "name": "car"}]
    message = told(write_one(tmp_path, annotation([SQUARE]), categories=categories))
    assert "categories 2 and 9 are both called car" in message


def test_one_category_id_for_two_names_is_told(tmp_path: Path) -> None:
    message = told(write_one(tmp_path, categories=[*CATEGORIES, {"id": 7, "name": "bus"}]))
    assert "category 7 is called both person and bus" in message


def test_an_image_that_is_not_there_is_told(tmp_path: Path) -> None:
    root = write_one(tmp_path)
    edit(root, lambda content: content["images"].append({"id": 2, "file_name": "b.png"}))
    lines = told(root).splitlines()
    assert len(lines) == 2
    assert f"{root / 'images' / 'b.png'}, listed in {root / 'objects.json'}, is not there" in lines[1]


def test_images_nowhere_to_be_found_are_told_with_where_was_looked(tmp_path: Path) -> None:
    root = write_one(tmp_path)
    (root / "images").rename(root / "pictures")
    message = told(root)
    assert "a.png: looked for it in" in message
    assert "set dataset.images" in message
    assert len(coco(str(root), images="pictures").samples) == 1


def test_two_images_of_one_stem_are_told(tmp_path: Path) -> None:
    root = write_one(tmp_path)
    write_picture(root / "images" / "a.bmp", random_image(0, SIZE))
    edit(root, lambda content: content["images"].append({"id": 2, "file_name": "a.bmp"}))
    assert "a.png and a.bmp: one stem, two images" in told(root)


def test_an_image_id_used_twice_is_told(tmp_path: Path) -> None:
    root = write_one(tmp_path)
    write_picture(root / "images" / "b.png", random_image(0, SIZE))
    edit(root, lambda content: content["images"].append({"id": 1, "file_name": "b.png"}))
    assert "the image id 1 is there twice" in told(root)


def test_an_image_of_another_size_than_the_json_says_is_told(tmp_path: Path) -> None:
    root = write_one(tmp_path)
    write_picture(root / "images" / "a.png", random_image(0, (6, 9)))
    assert f"{root / 'images' / 'a.png'} is 9x6 pixels, {root / 'objects.json'} says 8x6" in told(root)


def test_an_empty_image_is_told(tmp_path: Path) -> None:
    root = write_one(tmp_path)
    (root / "images" / "a.png").write_bytes(b"")
    assert "a.png is no readable picture" in told(root)


@pytest.mark.parametrize("root", ["nowhere", "empty"])
def test_a_root_without_a_json_is_told(tmp_path: Path, root: str) -> None:
    (tmp_path / "empty").mkdir()
    assert f"dataset.root={tmp_path / root}" in told(tmp_path / root)
    (tmp_path / "empty" / "a.txt").touch()
    if root == "empty":
        assert "found none; set dataset.annotations" in told(tmp_path / root)
    assert "no_such.json cannot be read" in told(tmp_path, annotations="no_such.json")


def test_an_unknown_crowd_is_told(tmp_path: Path) -> None:
    assert told(tmp_path, crowd="skip") == "dataset.crowd=skip: expected ignore or paint"


@pytest.mark.skipif(not NUTS.is_dir(), reason=f"{NUTS} is not here")
def test_real_nuts_are_painted_as_pycocotools_does() -> None:
    """Each of the 165 objects by itself, against `annToMask`."""
    source = coco(str(NUTS))
    assert source.classes.names == ("background", "date", "fig", "hazelnut")
    assert len(source.samples) == 18
    reference = COCO(NUTS / "trainval.json")
    regions = [region for sample in source.samples for region in sample.mask.regions]
    annotations = [each for image in reference.getImgIds() for each in reference.imgToAnns[image]]
    assert len(regions) == len(annotations) == 165
    for region, each in zip(regions, annotations, strict=True):
        assert region.class_id == each["category_id"]
        expected = reference.annToMask(each) > 0
        patch = region.shape.patch((600, 800))
        mask = np.zeros((600, 800), bool)
        mask[patch.top : patch.top + patch.mask.shape[0], patch.left : patch.left + patch.mask.shape[1]] = patch.mask
        assert (mask & expected).sum() / (mask | expected).sum() > 0.999


def test_names_of_windows_sizes_as_text_and_a_mark_before_the_json(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_coco(root / "objects.json", {1: root / "images" / "deep" / "a.png"}, [annotation([SQUARE])])
    edit(root, lambda content: content["images"][0].update(file_name="deep\\a.png", height="6", width=None))
    (sample,) = coco(str(root)).samples
    assert (sample.key, sample.image) == ("deep/a", root / "images/deep/a.png")
    edit(root, lambda content: content["images"][0].update(height="7"))
    text = (root / "objects.json").read_text(encoding="utf-8")
    (root / "objects.json").write_text(text, encoding="utf-8-sig")
    assert "says 8x7" in told(root)
