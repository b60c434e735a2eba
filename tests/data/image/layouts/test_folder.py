from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.data.image.layouts.folder import folder
from segmentation.errors import UserError
from tests.data.image.david_files import random_ids, random_image, write_picture

SIZE = (4, 6)
TWO = ["background", "defect"]


def image(root: Path, name: str) -> None:
    write_picture(root / name, random_image(0, SIZE))


def mask(root: Path, name: str) -> None:
    write_picture(root / name, random_ids(0, SIZE, 2))


def found(root: Path, **how: Any) -> list[tuple[str, str | None]]:
    return [(sample.key, sample.part) for sample in folder(str(root), classes=TWO, **how).samples]


def told(root: Path, **how: Any) -> list[str]:
    with pytest.raises(UserError) as error:
        folder(str(root), classes=TWO, **how)
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    "names", [("images", "labels"), ("Images", "Masks"), ("imgs", "annotations"), ("JPEGImages", "gt")]
)
@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
def test_parts_that_hold_folders(tmp_path: Path, names: tuple[str, str], val: str) -> None:
    for part in ("train", val, "Test"):
        image(tmp_path, f"{part}/{names[0]}/a.jpg")
        mask(tmp_path, f"{part}/{names[1]}/a.png")
    assert sorted(found(tmp_path)) == [("test/a", "test"), ("train/a", "train"), ("val/a", "val")]


def test_folders_that_hold_parts(tmp_path: Path) -> None:
    for part in ("train", "val"):
        image(tmp_path, f"images/{part}/a.webp")
        mask(tmp_path, f"masks/{part}/a.png")
    assert found(tmp_path) == [("train/a", "train"), ("val/a", "val")]


def test_folders_without_parts_with_those_below(tmp_path: Path) -> None:
    for stem in ("b", "sub/a"):
        image(tmp_path, f"images/{stem}.png")
        mask(tmp_path, f"masks/{stem}.tif")
    source = folder(str(tmp_path), classes=TWO)
    assert [(sample.key, sample.group, sample.part, sample.size) for sample in source.samples] == [
        ("b", "b", None, SIZE),
        ("sub/a", "sub/a", None, SIZE),
    ]
    np.testing.assert_array_equal(source.read_mask(source.samples[0]), random_ids(0, SIZE, 2))
    assert source.read_image(source.samples[1]).shape == (*SIZE, 3)
    assert str(tmp_path) in source.title


def test_folders_named_by_options(tmp_path: Path) -> None:
    for part in ("train", "val"):
        image(tmp_path, f"{part}/photos/a.png")
        mask(tmp_path, f"{part}/truth/fine/a.png")
    assert len(found(tmp_path, images="photos", masks="truth/fine")) == 2
    image(tmp_path / "flat", "x/a.png")
    mask(tmp_path / "flat", "y/a.png")
    assert found(tmp_path / "flat", images="x", masks="y") == [("a", None)]


def test_masks_with_a_suffix_beside_or_among_the_images(tmp_path: Path) -> None:
    image(tmp_path, "images/a.jpg")
    mask(tmp_path, "masks/a_mask.png")
    image(tmp_path / "mixed", "a.jpg")
    mask(tmp_path / "mixed", "a_mask.png")
    image(tmp_path / "below", "a.jpg")
    mask(tmp_path / "below", "masks/a_mask.png")
    assert found(tmp_path, mask_suffix="_mask") == [("a", None)]
    assert found(tmp_path / "mixed", images=".", masks=".", mask_suffix="{stem}_mask") == [("a", None)]
    assert found(tmp_path / "below", images=".", mask_suffix="_mask") == [("a", None)]


def write_cityscapes(root: Path) -> None:
    for part, stem in (("train", "aachen/aachen_000000_000019"), ("val", "lindau/lindau_000000_000019")):
        image(root, f"leftImg8bit/{part}/{stem}_leftImg8bit.png")
        mask(root, f"gtFine/{part}/{stem}_gtFine_labelIds.png")
        mask(root, f"gtFine/{part}/{stem}_gtFine_instanceIds.png")


def test_images_and_masks_with_a_suffix_each_as_cityscapes_has_them(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    how = {"images": "leftImg8bit", "masks": "gtFine", "mask_suffix": "_gtFine_labelIds"}
    samples = folder(str(tmp_path), classes=TWO, image_suffix="_leftImg8bit", **how).samples  # type: ignore[arg-type]
    assert [(sample.key, sample.part) for sample in samples] == [
        ("train/aachen/aachen_000000_000019", "train"),
        ("val/lindau/lindau_000000_000019", "val"),
    ]
    assert samples[0].image.name == "aachen_000000_000019_leftImg8bit.png"
    assert samples[0].mask.name == "aachen_000000_000019_gtFine_labelIds.png"
    assert told(tmp_path, image_suffix="_rightImg8bit", **how)[1:] == [
        f"  - {tmp_path}/leftImg8bit/{part} holds no picture that fits dataset.image_suffix=_rightImg8bit"
        for part in ("train", "val")
    ]


def test_a_test_part_without_masks_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image(tmp_path, "train/images/a.png")
    mask(tmp_path, "train/masks/a.png")
    image(tmp_path, "test/images/a.png")
    assert found(tmp_path) == [("train/a", "train")]
    assert "there is no test split" in caplog.text


def test_groups_by_a_pattern(tmp_path: Path) -> None:
    for stem in ("x_1", "x_2", "y_1"):
        image(tmp_path, f"images/{stem}.png")
        mask(tmp_path, f"masks/{stem}.png")
    samples = folder(str(tmp_path), classes=TWO, group=r"(.*)_\d+").samples
    assert [sample.group for sample in samples] == ["x", "x", "y"]


def test_a_file_a_class(tmp_path: Path) -> None:
    image(tmp_path, "images/a.png")
    write_picture(tmp_path / "masks" / "defect" / "a.png", random_ids(0, SIZE, 2) * np.uint8(255))
    source = folder(str(tmp_path), classes=TWO, mask_format="per_class")
    np.testing.assert_array_equal(source.read_mask(source.samples[0]), random_ids(0, SIZE, 2))


def test_classes_of_the_data_set(tmp_path: Path) -> None:
    image(tmp_path, "images/a.png")
    mask(tmp_path, "masks/a.png")
    (tmp_path / "classes.txt").write_text("0 intact\n1 defect\n", encoding="utf-8")
    assert folder(str(tmp_path)).classes.names == ("intact", "defect")


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    for part in ("train", "val"):
        for stem in ("a", "b"):
            image(tmp_path, f"{part}/images/{stem}.png")
            mask(tmp_path, f"{part}/masks/{stem}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda root: (root / "train/masks/a.png").unlink(), "train/images/a.png has no mask in"),
        (lambda root: (root / "val/images/b.png").unlink(), "val/masks/b.png has no image in"),
        (lambda root: image(root, "val/images/a.jpg"), "val/images holds a.jpg and a.png"),
        (lambda root: mask(root, "val/masks/a.tif"), "val/masks holds a.png and a.tif"),
        (lambda root: (root / "train/images/a.png").write_bytes(b""), "train/images/a.png is no readable picture"),
        (lambda root: write_picture(root / "val/masks/a.png", random_ids(0, (5, 6))), "val/a: the image is 6x4"),
        (lambda root: (root / "val/masks").rename(root / "val/msks"), "val/images has no folder of masks beside it"),
    ],
)
def test_a_fault_is_named(parts: Path, spoil: Any, named: str) -> None:
    spoil(parts)
    lines = told(parts)
    assert lines[0].startswith(f"dataset.root={parts} has 1 fault:")
    assert named in lines[1]
    assert len(lines) == 2


def test_faults_of_all_parts_are_told_together(parts: Path) -> None:
    (parts / "train/masks/a.png").unlink()
    (parts / "val/images/b.png").unlink()
    (parts / "val/images/a.png").write_bytes(b"")
    assert len(told(parts)) == 4


def test_a_mask_with_more_channels_is_named_when_it_is_read(parts: Path) -> None:
    write_picture(parts / "train/masks/a.png", random_image(0, SIZE))
    source = folder(str(parts), classes=TWO)
    sample = next(sample for sample in source.samples if sample.key == "train/a")
    with pytest.raises(UserError, match=r"train/masks/a.png: a mask of 4x6x3 uint8: .*mask_format=palette"):
        source.read_mask(sample)


def test_folders_that_hold_no_picture_are_named(tmp_path: Path) -> None:
    image(tmp_path, "images/a.png")
    (tmp_path / "labels").mkdir()
    for name in ("a.avif", "b.AVIF", "c.txt"):
        (tmp_path / "labels" / name).touch()
    assert told(tmp_path) == [
        f"dataset.root={tmp_path} has 1 fault: mend or remove these",
        f"  - {tmp_path / 'labels'} holds no picture (2 .avif, 1 .txt)",
    ]


def test_other_folders_are_told_with_what_was_looked_for(tmp_path: Path) -> None:
    image(tmp_path, "photos/a.png")
    (line,) = told(tmp_path)
    assert "{train,val,test}/{images,masks}" in line
    assert "found photos; name the folders with dataset.images and dataset.masks" in line
    (line,) = told(tmp_path, images="photos", masks="truth")
    assert "found photos" in line


def test_a_missing_root_and_missing_classes_are_told(tmp_path: Path, parts: Path) -> None:
    assert told(tmp_path / "nowhere")[0].startswith(f"dataset.root={tmp_path / 'nowhere'} cannot be read")
    with pytest.raises(UserError, match=r"dataset\.classes is not given"):
        folder(str(parts))


def test_images_and_masks_in_one_folder_need_a_suffix(tmp_path: Path) -> None:
    for suffix in ("jpg", "png"):
        write_picture(tmp_path / f"a.{suffix}", random_image(0, (4, 6)))
    with pytest.raises(UserError) as error:
        folder(str(tmp_path), images=".", masks=".", classes=["a", "b"])
    assert "set dataset.mask_suffix" in str(error.value)
    assert "\n" not in str(error.value)
