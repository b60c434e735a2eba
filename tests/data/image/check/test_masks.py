from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segmentation.classes import Classes
from segmentation.data.check.findings import Finding, Severity
from segmentation.data.image.check.masks import _lossy, mask_findings
from segmentation.data.image.layouts.david import david
from segmentation.data.image.layouts.folder import folder
from segmentation.data.image.scan import scan_masks
from segmentation.data.image.source import ImageSource
from tests.data.image.david_files import (
    CLASSES,
    ENTRIES,
    decoded,
    jpeg,
    random_ids,
    random_image,
    write_frame,
    write_picture,
)

VIDEO = "Video_000"
Color = tuple[int, int, int]


def found(source: ImageSource, parts: Mapping[str, Sequence[str]] | None = None) -> dict[str, Finding]:
    return {finding.kind: finding for finding in mask_findings(source, scan_masks(source), parts or {})}


def palette(root: Path, **masks: np.ndarray) -> ImageSource:
    """`masks` `[H, W, 3]` RGB by stem, beside two good ones."""
    for seed in range(2):
        write_frame(root, VIDEO, f"good{seed}", random_ids(seed, (20, 50)), seed)
    for stem, colors in masks.items():
        write_picture(root / "Images" / VIDEO / f"{stem}.png", random_image(7, (colors.shape[0], colors.shape[1])))
        write_picture(root / "Labels" / VIDEO / f"{stem}.png", colors)
    return david(str(root), ENTRIES)


def painted(pixels: dict[Color, int], total: int = 1000) -> np.ndarray:
    """So many pixels of each colour, the rest road."""
    rows = [color for color, count in pixels.items() for _ in range(count)]
    return np.array(rows + [CLASSES.colors[0]] * (total - len(rows)), np.uint8).reshape(20, 50, 3)


def indices(root: Path, classes: Sequence[str], **masks: np.ndarray) -> ImageSource:
    for stem, ids in masks.items():
        write_picture(root / "images/train" / f"{stem}.png", random_image(7, (ids.shape[0], ids.shape[1])))
        write_picture(root / "masks/train" / f"{stem}.png", ids)
    return folder(str(root), classes=list(classes))


def test_good_masks_are_not_worth_a_word(tmp_path: Path) -> None:
    source = palette(tmp_path)
    assert found(source, {"train": [f"{VIDEO}/good0"], "val": [f"{VIDEO}/good1"], "test": []}) == {}


@pytest.mark.parametrize(("pixels", "severity"), [(10, Severity.WARNING), (11, Severity.FAULT)])
def test_above_one_percent_of_a_mask_unknown_colours_are_a_fault(
    tmp_path: Path, pixels: int, severity: Severity
) -> None:
    source = palette(tmp_path, bad=painted({(1, 0, 140): pixels - 3, (150, 150, 155): 3}))
    finding = found(source)["unknown colours"]
    assert finding.severity is severity
    assert "in 1 mask" in finding.message
    assert f"(1, 0, 140) ({pixels - 3} pixels, nearest class car)" in finding.message
    assert "(150, 150, 155) (3 pixels, nearest class pole)" in finding.message
    assert [example.keys for example in finding.examples] == [(f"{VIDEO}/bad",)]


def test_the_worst_mask_is_named_first(tmp_path: Path) -> None:
    source = palette(tmp_path, a=painted({(1, 2, 3): 4}), b=painted({(1, 2, 3): 40}))
    assert [example.text for example in found(source)["unknown colours"].examples] == [
        f"{VIDEO}/b 4.00%",
        f"{VIDEO}/a 0.40%",
    ]


def test_a_mask_that_was_a_jpeg_is_told_apart_from_one_with_other_colours(tmp_path: Path) -> None:
    """Regions of 16 pixels in the classes' colours."""
    ids = np.kron(random_ids(1, (6, 8), 3), np.ones((16, 16), np.uint8))
    damaged = decoded(jpeg(CLASSES.paint(ids), 90))
    findings = found(palette(tmp_path, damaged=damaged, strange=painted({(9, 200, 9): 50})))
    assert findings["near-miss colours"].severity is Severity.FAULT
    assert [example.keys for example in findings["near-miss colours"].examples] == [(f"{VIDEO}/damaged",)]
    assert "JPEG" in findings["near-miss colours"].message
    assert [example.keys for example in findings["unknown colours"].examples] == [(f"{VIDEO}/strange",)]


def test_black_and_white_as_colours_is_a_binary_mask(tmp_path: Path) -> None:
    black_and_white = np.repeat(random_ids(0, (20, 50), 2)[..., None] * np.uint8(255), 3, axis=2)
    finding = found(palette(tmp_path, mask=black_and_white))["binary mask"]
    assert finding.severity is Severity.FAULT


def test_255_as_an_id_is_a_binary_mask_where_it_is_not_ignored(tmp_path: Path) -> None:
    masks = {"a": random_ids(0, (20, 50), 2) * np.uint8(255), "b": random_ids(1, (20, 50), 2)}
    for stem, ids in masks.items():
        write_picture(tmp_path / "images/train" / f"{stem}.png", random_image(7, (20, 50)))
        write_picture(tmp_path / "masks/train" / f"{stem}.png", ids)
    findings = found(folder(str(tmp_path), classes=["ground", "defect"], ignore_index=254))
    assert [example.keys for example in findings["binary mask"].examples] == [("train/a",)]
    assert "ids outside the classes" not in findings


@pytest.mark.parametrize(
    ("classes", "binary", "severity"),
    [(2, 1, Severity.WARNING), (2, 3, Severity.FAULT), (3, 1, Severity.FAULT)],
    ids=["one of four", "three of four", "three classes"],
)
def test_0_and_255_where_255_is_ignored(tmp_path: Path, classes: int, binary: int, severity: Severity) -> None:
    """The mask of class 0 and a void of another number is none."""
    masks = {f"m{place}": random_ids(place, (20, 50), classes) for place in range(4)}
    masks |= {f"m{place}": (masks[f"m{place}"] > 0) * np.uint8(255) for place in range(binary)}
    finding = found(indices(tmp_path, [f"class {index}" for index in range(classes)], **masks))["binary mask"]
    assert finding.severity is severity
    assert [example.text for example in finding.examples] == [f"train/m{place}" for place in range(binary)]


def test_greys_at_the_edges_of_black_and_white_are_no_ids(tmp_path: Path) -> None:
    """As a binary mask that was resized has them."""
    ids = np.zeros((20, 50), np.uint8)
    ids[:5] = 255
    grey, ids_of_classes = ids.copy(), random_ids(1, (20, 50), 3)
    grey[5, :] = np.arange(50) * 5
    grey[5, 1:3] = (1, 2)  # classes, as it happens
    findings = found(indices(tmp_path, ["ground", "defect", "other"], grey=grey, good=ids_of_classes))
    assert [example.keys for example in findings["binary mask"].examples] == [("train/grey",)]
    assert findings.keys() == {"binary mask"}
    grey[6, :2] = 7  # the share of greys is just above one in twenty
    again = found(indices(tmp_path, ["ground", "defect", "other"], grey=grey, good=ids_of_classes))
    assert again.keys() == {"ids outside the classes"}


def test_class_0_beside_a_void_of_another_number_is_no_binary_mask(tmp_path: Path) -> None:
    for stem, ids in (("a", random_ids(0, (20, 50), 2) * np.uint8(2)), ("b", random_ids(1, (20, 50), 3))):
        write_picture(tmp_path / "images/train" / f"{stem}.png", random_image(7, (20, 50)))
        write_picture(tmp_path / "masks/train" / f"{stem}.png", ids)
    source = folder(str(tmp_path), classes=["ground", "defect", "void"], ignore_void=True)
    assert "binary mask" not in found(source)


def test_ids_outside_the_classes(tmp_path: Path) -> None:
    ids = random_ids(0, (20, 50), 3)
    ids[0, :11] = 77
    finding = found(indices(tmp_path, ["a", "b", "c"], bad=ids, good=random_ids(1, (20, 50), 3)))[
        "ids outside the classes"
    ]
    assert finding.severity is Severity.FAULT
    assert "ids above 2" in finding.message
    assert "77 (11 pixels)" in finding.message
    assert [example.text for example in finding.examples] == ["train/bad 1.10%"]


def test_void_and_empty_masks_are_a_fault_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    void, empty = np.full((20, 50), 255, np.uint8), np.zeros((20, 50), np.uint8)
    some = found(indices(tmp_path / "some", ["a", "b"], void=void, empty=empty, good=random_ids(1, (20, 50), 2)))
    assert [some[kind].severity for kind in ("void mask", "empty mask")] == [Severity.WARNING] * 2
    assert [some[kind].examples[0].text for kind in ("void mask", "empty mask")] == ["train/void", "train/empty"]
    assert "(1 a)" in some["empty mask"].message
    assert found(indices(tmp_path / "void", ["a", "b"], x=void, y=void))["void mask"].severity is Severity.FAULT
    assert found(indices(tmp_path / "empty", ["a", "b"], x=empty, y=empty))["empty mask"].severity is Severity.FAULT


def test_a_class_that_only_train_lacks_is_a_fault(tmp_path: Path) -> None:
    source = indices(
        tmp_path,
        ["a", "b", "c", "d"],
        x=random_ids(0, (20, 50), 2),
        y=np.array([[0, 2, 2]], np.uint8),
        z=random_ids(1, (20, 50), 3),
    )
    parts = {"train": ["train/x"], "val": ["train/y"], "test": ["train/z"]}
    findings = mask_findings(source, scan_masks(source), parts)
    assert [finding.severity for finding in findings] == [Severity.WARNING, Severity.FAULT, Severity.WARNING]
    assert [[example.text for example in finding.examples] for finding in findings] == [["d"], ["c"], ["b"]]
    assert "never in train" in findings[1].message
    assert "never in val" in findings[2].message


def test_a_part_without_samples_lacks_nothing(tmp_path: Path) -> None:
    source = indices(tmp_path, ["a", "b"], x=random_ids(0, (20, 50), 2))
    assert found(source, {"train": ["train/x"], "val": [], "test": []}) == {}


def test_unreadable_masks_are_told_together(tmp_path: Path) -> None:
    source = palette(tmp_path, a=painted({}), b=painted({}))
    labels = tmp_path / "Labels" / VIDEO
    (labels / "a.png").write_bytes((labels / "a.png").read_bytes()[:60])
    write_picture(labels / "b.png", np.zeros((20, 50), np.uint8))
    finding = found(source)["unreadable mask"]
    assert finding.severity is Severity.FAULT
    assert [example.keys for example in finding.examples] == [(f"{VIDEO}/a",), (f"{VIDEO}/b",)]
    assert all(name in finding.line() for name in ("a.png", "b.png"))


def test_ids_in_a_jpeg_are_a_fault_and_a_binary_jpeg_is_none(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/train/a.png", random_image(7, (20, 50)))
    write_picture(tmp_path / "masks/train/a.jpg", random_ids(0, (20, 50), 2) * np.uint8(255))
    assert found(folder(str(tmp_path), classes=["a", "b"]))["lossy mask"].severity is Severity.FAULT
    assert "lossy mask" not in found(folder(str(tmp_path), classes=["a", "b"], mask_format="binary"))


def test_colours_are_the_classes_own(tmp_path: Path) -> None:
    """The nearest class is looked for among those of the data set."""
    classes = Classes(("red", "green"), ((255, 0, 0), (0, 255, 0)))
    write_picture(tmp_path / "Labels/v/a.png", np.array([[[0, 250, 0]] + [[255, 0, 0]] * 9], np.uint8))
    write_picture(tmp_path / "Images/v/a.png", random_image(0, (1, 10)))
    finding = found(david(str(tmp_path), classes.to_entries()))["unknown colours"]
    assert "nearest class green" in finding.message


@pytest.mark.parametrize(
    ("suffix", "options", "lossy"),
    [
        (".jpg", {}, True),
        (".webp", {"quality": 80}, True),
        (".webp", {"lossless": True}, False),
        (".png", {}, False),
    ],
)
def test_lossy_masks_are_known_by_their_bytes_whatever_their_name(
    tmp_path: Path, suffix: str, options: dict[str, Any], lossy: bool
) -> None:
    indices(tmp_path, ["a", "b"], a=random_ids(0, (20, 50), 2))
    mask = Image.fromarray(random_ids(0, (20, 50), 2)).convert("RGB" if suffix == ".webp" else "L")
    mask.save(tmp_path / f"mask{suffix}", **options)
    (tmp_path / f"mask{suffix}").rename(tmp_path / "masks/train/a.png")
    source = folder(str(tmp_path), classes=["a", "b"])
    assert [finding.kind for finding in _lossy(source)] == ["lossy mask"] * lossy


def test_numbers_that_a_remap_does_not_name_are_told_as_such(tmp_path: Path) -> None:
    indices(tmp_path, ["a", "b"], a=np.full((20, 50), 9, np.uint8))
    source = folder(str(tmp_path), classes=["a", "b"], remap={7: "a", 8: "b"})
    message = found(replace(source, options=frozenset({"remap"})))["ids outside the classes"].message
    assert message.startswith("numbers that dataset.remap does not name, in 1 mask")


@pytest.mark.parametrize("options", [frozenset[str](), frozenset({"mask_format", "threshold"})])
def test_options_are_advised_where_there_are_some(tmp_path: Path, options: frozenset[str]) -> None:
    halves = np.tile(np.array([0, 255], np.uint8), (20, 25))
    binary = replace(indices(tmp_path / "binary", ["a", "b"], a=halves), options=options)
    empty = replace(indices(tmp_path / "empty", ["a", "b"], a=np.zeros((20, 50), np.uint8)), options=options)
    for kind, source in (("binary mask", binary), ("empty mask", empty)):
        assert ("dataset.mask_format" in found(source)[kind].message) is bool(options)
