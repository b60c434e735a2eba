import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segmentation.classes import Classes, Color
from segmentation.data.class_weights import class_weights
from segmentation.data.fingerprint import cache_folder
from segmentation.data.image.layouts.david import david
from segmentation.data.image.layouts.folder import folder
from segmentation.data.image.scan import COMMONEST, MaskScan, NoClass, scan_masks
from segmentation.data.image.source import ImageSource
from tests.data.image.david_files import (
    CLASSES,
    ENTRIES,
    with_swapped_masks,
    write_david,
    write_frame,
    write_picture,
)

MASKS = {"a": [[0, 0, 1], [3, 3, 3]], "b": [[1, 2, 2], [2, 2, 2]]}
COUNTS = [[2, 1, 0, 3, 0], [0, 1, 5, 0, 0]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing is written to the home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    yield tmp_path / "cache" / "segmentation-lab"
    assert list(home.iterdir()) == []


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for stem, ids in MASKS.items():
        write_frame(tmp_path / "data", "Video_000", stem, np.array(ids, np.uint8))
    return tmp_path / "data"


@pytest.fixture
def source(root: Path) -> ImageSource:
    return david(str(root), ENTRIES)


class Reads:
    """Counts the masks that a scan reads."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1

    def of(self, source: ImageSource) -> int:
        self.count = 0
        scan_masks(source, self)
        return self.count


def assert_equal(first: MaskScan, second: MaskScan) -> None:
    assert first.keys == second.keys
    assert first.counts.dtype == second.counts.dtype == np.int64
    np.testing.assert_array_equal(first.counts, second.counts)
    np.testing.assert_array_equal(first.sizes, second.sizes)
    assert first.unknown == second.unknown
    assert first.errors == second.errors == {}


def change_bytes_only(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Other contents of the same size and time."""
    before = path.stat()
    content = change(path.read_bytes())
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def paint_rows(root: Path, stem: str, colors: dict[tuple[int, int, int], int], total: int = 1000) -> None:
    """A mask of one column: so many pixels of each colour, the rest road."""
    rows = [color for color, count in colors.items() for _ in range(count)]
    pixels = np.array(rows + [CLASSES.colors[0]] * (total - len(rows)), np.uint8)[:, None]
    write_picture(root / "Labels/Video_000" / f"{stem}.png", pixels)
    write_picture(root / "Images/Video_000" / f"{stem}.png", np.zeros_like(pixels))


def test_counts_by_hand(source: ImageSource) -> None:
    scan = scan_masks(source)
    assert scan.keys == ("Video_000/a", "Video_000/b")
    assert scan.counts.tolist() == COUNTS
    assert scan.sizes.tolist() == [[2, 3], [2, 3]]
    assert scan.unknown == scan.errors == {}


def test_ignored_void_counts_as_ignored(root: Path) -> None:
    scan = scan_masks(david(str(root), ENTRIES, ignore_void=True, ignore_index=9))
    assert scan.counts.tolist() == [[2, 1, 0, 3], [0, 1, 5, 0]]
    assert scan.unknown == {}


def test_counts_of_the_training_masks_alone(source: ImageSource) -> None:
    """Road 2, car 1, void 3 of 6 pixels: their inverses 3, 6, 2 over the mean 11/3."""
    counts = scan_masks(source).counts_of({"Video_000/a"})
    assert counts.tolist() == [COUNTS[0][:-1]]
    assert class_weights(counts, "inverse") == pytest.approx([9 / 11, 18 / 11, 0, 6 / 11])


def test_unknown_colours_are_counted_in_each_mask(tmp_path: Path) -> None:
    root = tmp_path / "data"
    paint_rows(root, "a", {(1, 2, 3): 4, (0, 0, 140): 1})
    paint_rows(root, "b", {(1, 2, 3): 2})
    paint_rows(root, "c", {})
    scan = scan_masks(david(str(root), ENTRIES))
    assert scan.counts.tolist() == [[995, 0, 0, 0, 5], [998, 0, 0, 0, 2], [1000, 0, 0, 0, 0]]
    assert scan.unknown == {  # (1, 2, 3) is near void, (0, 0, 140) near car
        "Video_000/a": NoClass(5, 5, 2, {(1, 2, 3): 4, (0, 0, 140): 1}),
        "Video_000/b": NoClass(2, 2, 1, {(1, 2, 3): 2}),
    }


def test_of_very_many_colours_the_commonest_are_kept(tmp_path: Path) -> None:
    root = tmp_path / "data"
    strange = {(200, 100, index): 1 for index in range(COMMONEST)}
    paint_rows(root, "a", {**strange, (200, 0, 0): 3})
    (unknown,) = scan_masks(david(str(root), ENTRIES)).unknown.values()
    assert (unknown.pixels, unknown.values, len(unknown.commonest)) == (COMMONEST + 3, COMMONEST + 1, COMMONEST)
    assert next(iter(unknown.commonest.items())) == ((200, 0, 0), 3)


@pytest.mark.parametrize(("color", "near"), [((152, 88, 104), 6), ((153, 64, 128), 0)])
def test_near_is_up_to_24_in_the_channel_that_differs_most(tmp_path: Path, color: Color, near: int) -> None:
    """From road, (128, 64, 128)."""
    root = tmp_path / "data"
    paint_rows(root, "a", {color: 6})
    (unknown,) = scan_masks(david(str(root), ENTRIES)).unknown.values()
    assert unknown.near == near


def test_ignored_void_is_no_unknown_colour(root: Path) -> None:
    assert scan_masks(david(str(root), ENTRIES, ignore_void=True)).unknown == {}


def test_unreadable_masks_are_told_and_not_kept(root: Path, cache: Path) -> None:
    write_david(root, {"Video_001": 4}, size=(30, 40))
    labels = root / "Labels/Video_001"
    content = (labels / "0000.png").read_bytes()
    source = david(str(root), ENTRIES)
    (labels / "0000.png").write_bytes(content[: len(content) // 2])
    write_picture(labels / "0001.png", np.zeros((30, 40), np.uint8))
    assert cv2.imwrite(str(labels / "0002.png"), np.zeros((30, 40, 3), np.uint16))
    reads = Reads()
    scan = scan_masks(source, reads)
    assert list(scan.errors) == [f"Video_001/000{number}" for number in range(3)]
    assert all(str(labels / f"{key[-4:]}.png") in error for key, error in scan.errors.items())
    assert scan.counts.sum(axis=1).tolist() == [6, 6, 0, 0, 0, 1200]
    assert scan.sizes.tolist() == [[2, 3]] * 2 + [[0, 0]] * 3 + [[30, 40]]
    assert reads.count == 6
    assert not cache.exists()


def test_a_damaged_label_picture_with_a_palette_is_unreadable(tmp_path: Path) -> None:
    """Pillow, which knows the numbers behind the colours, does not look at the checksum of the pixels."""
    picture = Image.fromarray(np.arange(200, dtype=np.uint8).reshape(10, 20) % 3)
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    write_picture(tmp_path / "images/train/a.png", np.zeros((10, 20, 3), np.uint8))
    mask = tmp_path / "masks/train/a.png"
    mask.parent.mkdir(parents=True)
    picture.save(mask)
    source = folder(str(tmp_path), classes=["a", "b", "c"])
    assert scan_masks(source).errors == {}
    content = bytearray(mask.read_bytes())
    content[-14] ^= 255
    mask.write_bytes(content)
    assert list(scan_masks(source).errors) == ["train/a"]


def test_a_second_scan_reads_no_mask(source: ImageSource, cache: Path) -> None:
    reads = Reads()
    first = scan_masks(source, reads)
    assert reads.count == 2
    for sample in source.samples:
        change_bytes_only(sample.mask, lambda content: bytes(len(content)))
    again = scan_masks(source, reads)
    assert reads.count == 2
    assert_equal(again, first)
    assert [path.suffix for path in cache.iterdir()] == [".npz"]


def test_unknown_colours_come_back_from_the_cache(tmp_path: Path) -> None:
    root = tmp_path / "data"
    paint_rows(root, "a", {(1, 2, 3): 4, (0, 0, 140): 1})
    source = david(str(root), ENTRIES)
    first, reads = scan_masks(source), Reads()
    again = scan_masks(source, reads)
    assert reads.count == 0
    assert_equal(again, first)


def test_changed_masks_are_scanned_again(root: Path, source: ImageSource) -> None:
    reads = Reads()
    assert reads.of(source) == 2
    mask = source.samples[0].mask
    write_picture(mask, CLASSES.paint(np.full((2, 3), 2, np.uint8)))
    os.utime(mask, ns=(0, 10**18))
    assert scan_masks(source).counts.tolist() == [[0, 0, 6, 0, 0], COUNTS[1]]
    write_frame(root, "Video_001", "c", np.zeros((2, 3), np.uint8))
    assert scan_masks(david(str(root), ENTRIES)).counts.tolist() == [[0, 0, 6, 0, 0], COUNTS[1], [6, 0, 0, 0, 0]]


def test_other_classes_are_counted_anew(root: Path, source: ImageSource) -> None:
    scan_masks(source)
    swapped = [ENTRIES[1], ENTRIES[0], *ENTRIES[2:]]
    assert scan_masks(david(str(root), swapped)).counts.tolist() == [[1, 2, 0, 3, 0], [1, 0, 5, 0, 0]]
    assert scan_masks(david(str(root), ENTRIES, ignore_void=True)).counts.shape == (2, 4)
    assert scan_masks(david(str(root), ENTRIES[:3])).unknown["Video_000/a"].commonest == {(0, 0, 0): 3}


def test_videos_of_another_name_are_found_under_it(root: Path, source: ImageSource) -> None:
    """The masks' folder keeps its name: the files are the same, the keys are not."""
    scan_masks(source)
    (root / "Images/Video_000").rename(root / "Images/VIDEO_000")
    renamed = scan_masks(david(str(root), ENTRIES))
    assert renamed.keys == ("VIDEO_000/a", "VIDEO_000/b")
    assert renamed.counts_of({"VIDEO_000/b"}).tolist() == [COUNTS[1][:-1]]


def test_masks_that_are_paired_otherwise_are_counted_anew(source: ImageSource) -> None:
    scan_masks(source)
    assert scan_masks(with_swapped_masks(source)).counts.tolist() == COUNTS[::-1]


@pytest.mark.parametrize("damage", ["empty", "half", "text", "a flipped byte", "other arrays", "a folder"])
def test_a_damaged_cache_is_survived(source: ImageSource, cache: Path, damage: str) -> None:
    first = scan_masks(source)
    (kept,) = cache.iterdir()
    content = kept.read_bytes()
    if damage == "other arrays":
        np.savez(kept, counts=np.zeros(3))
    elif damage == "a folder":
        kept.unlink()
        kept.mkdir()
    elif damage == "a flipped byte":
        place = content.index(first.counts.tobytes())
        kept.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    else:
        kept.write_bytes({"empty": b"", "half": content[: len(content) // 2], "text": b"hello"}[damage])
    reads = Reads()
    assert_equal(scan_masks(source, reads), first)
    assert reads.count == 2
    if damage != "a folder":
        assert reads.of(source) == 0, "the cache was not mended"


def test_a_cache_that_cannot_be_written_costs_a_warning(
    source: ImageSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("kept")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert scan_masks(source).counts.tolist() == COUNTS
    assert len(caplog.records) == 2
    assert str(cache_folder()) in caplog.text
    assert (tmp_path / "file").read_text() == "kept"


def test_masks_of_many_classes(tmp_path: Path) -> None:
    """All 255 ids that leave 255 for ignored, each in as many pixels as its number says."""
    colors = tuple((index, 255 - index, index) for index in range(255))
    classes = Classes(tuple(f"class {index}" for index in range(255)), colors)
    ids = np.repeat(np.arange(255, dtype=np.uint8), np.arange(255))[None]
    write_picture(tmp_path / "data/Labels/v/a.png", classes.paint(ids))
    write_picture(tmp_path / "data/Images/v/a.png", classes.paint(ids))
    scan = scan_masks(david(str(tmp_path / "data"), classes.to_entries()))
    assert scan.counts.tolist() == [[*range(255), 0]]
