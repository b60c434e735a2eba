import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from segmentation.classes import Classes
from segmentation.data.class_weights import class_weights
from segmentation.data.fingerprint import cache_folder
from segmentation.data.image.david import david
from segmentation.data.image.scan import MaskScan, scan_masks, tell_unknown_values
from segmentation.data.image.source import ImageSource
from segmentation.errors import UserError
from tests.data.image.david_files import CLASSES, ENTRIES, write_david, write_frame, write_picture

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
    assert first.unknown == second.unknown
    assert first.unknown_masks == second.unknown_masks


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
    assert scan.unknown == scan.unknown_masks == {}


def test_ignored_void_counts_as_ignored(root: Path) -> None:
    scan = scan_masks(david(str(root), ENTRIES, ignore_void=True, ignore_index=9))
    assert scan.counts.tolist() == [[2, 1, 0, 3], [0, 1, 5, 0]]
    assert scan.unknown == {}


def test_counts_of_the_training_masks_alone(source: ImageSource) -> None:
    """Road 2, car 1, void 3 of 6 pixels: their inverses 3, 6, 2 over the mean 11/3."""
    counts = scan_masks(source).counts_of({"Video_000/a"})
    assert counts.tolist() == [COUNTS[0][:-1]]
    assert class_weights(counts, "inverse") == pytest.approx([9 / 11, 18 / 11, 0, 6 / 11])


def test_unknown_colours_are_counted_over_all_masks(tmp_path: Path) -> None:
    root = tmp_path / "data"
    paint_rows(root, "a", {(1, 2, 3): 4, (0, 0, 140): 1})
    paint_rows(root, "b", {(1, 2, 3): 2})
    scan = scan_masks(david(str(root), ENTRIES))
    assert scan.counts.tolist() == [[995, 0, 0, 0, 5], [998, 0, 0, 0, 2]]
    assert scan.unknown == {(1, 2, 3): 6, (0, 0, 140): 1}
    assert scan.unknown_masks == {(1, 2, 3): 2, (0, 0, 140): 1}


def test_up_to_one_percent_of_unknown_pixels_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "data"
    paint_rows(root, "a", {(1, 0, 140): 7, (150, 150, 155): 3})
    scan = scan_masks(david(str(root), ENTRIES))
    with caplog.at_level(logging.WARNING):
        tell_unknown_values(scan, CLASSES)
    (record,) = caplog.records
    message = record.getMessage()
    assert "2 colours of no class, 10 pixels (1.00%)" in message
    assert "(1, 0, 140): 7 pixels in 1 masks, nearest class car" in message
    assert "(150, 150, 155): 3 pixels in 1 masks, nearest class pole" in message
    assert message.index("(1, 0, 140)") < message.index("(150, 150, 155)")


def test_more_than_one_percent_stops(tmp_path: Path) -> None:
    root = tmp_path / "data"
    paint_rows(root, "a", {(1, 0, 140): 8, (150, 150, 155): 3})
    scan = scan_masks(david(str(root), ENTRIES))
    with pytest.raises(UserError) as told:
        tell_unknown_values(scan, CLASSES)
    lines = str(told.value).splitlines()
    assert "11 pixels (1.10%)" in lines[0]
    assert "(1, 0, 140): 8 pixels in 1 masks, nearest class car" in lines[1]
    assert "(150, 150, 155): 3 pixels in 1 masks, nearest class pole" in lines[2]


def test_the_share_is_of_all_pixels_of_all_masks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "data"
    paint_rows(root, "a", {(1, 2, 3): 15})
    paint_rows(root, "b", {})
    with caplog.at_level(logging.WARNING):
        tell_unknown_values(scan_masks(david(str(root), ENTRIES)), CLASSES)
    assert "(0.75%)" in caplog.text


def test_known_colours_alone_are_not_worth_a_word(source: ImageSource, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        tell_unknown_values(scan_masks(source), source.classes)
    assert caplog.records == []


def test_ignored_void_is_no_unknown_colour(root: Path) -> None:
    source = david(str(root), ENTRIES, ignore_void=True)
    tell_unknown_values(scan_masks(source), source.classes)


def test_unreadable_masks_are_told_together(root: Path, cache: Path) -> None:
    write_david(root, {"Video_001": 3}, size=(30, 40))
    labels = root / "Labels/Video_001"
    content = (labels / "0000.png").read_bytes()
    source = david(str(root), ENTRIES)
    (labels / "0000.png").write_bytes(content[: len(content) // 2])
    write_picture(labels / "0001.png", np.zeros((30, 40), np.uint8))
    assert cv2.imwrite(str(labels / "0002.png"), np.zeros((30, 40, 3), np.uint16))
    reads = Reads()
    with pytest.raises(UserError) as told:
        scan_masks(source, reads)
    lines = str(told.value).splitlines()
    assert "3 unreadable" in lines[0]
    assert len(lines) == 4
    for line, name in zip(lines[1:], ("0000.png", "0001.png", "0002.png"), strict=True):
        assert str(labels / name) in line
    assert reads.count == 5
    assert not cache.exists()


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
    assert scan_masks(david(str(root), ENTRIES[:3])).unknown == {(0, 0, 0): 3}


def test_videos_of_another_name_are_found_under_it(root: Path, source: ImageSource) -> None:
    """The masks' folder keeps its name: the files are the same, the keys are not."""
    scan_masks(source)
    (root / "Images/Video_000").rename(root / "Images/VIDEO_000")
    renamed = scan_masks(david(str(root), ENTRIES))
    assert renamed.keys == ("VIDEO_000/a", "VIDEO_000/b")
    assert renamed.counts_of({"VIDEO_000/b"}).tolist() == [COUNTS[1][:-1]]


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
