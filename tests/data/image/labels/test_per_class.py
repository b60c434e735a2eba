from pathlib import Path

import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.labels.masks import MaskOptions
from segmentation.data.image.source import ImageSample
from tests.data.image.david_files import write_picture

NAMES = ["background", "line", "road_line"]
WIDE, SMALL = [[255, 255, 255]], [[0, 200, 0]]


def write(root: Path, name: str, rows: list[list[int]]) -> Path:
    return write_picture(root / name, np.array(rows, np.uint8))


def ids(root: Path, names: list[str], options: MaskOptions | None = None) -> dict[str, list[list[int]]]:
    options, stored = options or MaskOptions("per_class"), Classes.from_entries(names)
    found, faults = options.find(root, stored)
    assert faults == []
    samples = [ImageSample(stem, stem, Path("a.png"), mask, (1, 3)) for stem, mask in found.items()]
    labels = options.labels(stored, samples)
    return {sample.key: labels.read(sample).tolist() for sample in samples}


def test_a_folder_a_class_and_a_suffix_a_class(tmp_path: Path) -> None:
    for root, line, road_line in (
        ("folders", "Line/0001.png", "road_line/0001.png"),
        ("suffixes", "0001_line.png", "0001_Road_Line.png"),
    ):
        write(tmp_path / root, line, SMALL)
        write(tmp_path / root, road_line, WIDE)
        assert ids(tmp_path / root, NAMES) == {"0001": [[2, 1, 2]]}


def test_folders_below_a_class_are_part_of_the_stem(tmp_path: Path) -> None:
    write(tmp_path, "line/a/0001.png", SMALL)
    write(tmp_path, "b/0001_line.png", SMALL)
    assert ids(tmp_path, NAMES) == {"a/0001": [[0, 1, 0]], "b/0001": [[0, 1, 0]]}


def test_what_nothing_covers_is_the_background_or_a_class_without_files_or_unknown(tmp_path: Path) -> None:
    write(tmp_path, "0001_line.png", SMALL)
    assert ids(tmp_path, ["line", "background"]) == {"0001": [[1, 0, 1]]}
    assert ids(tmp_path, ["intact", "line"]) == {"0001": [[0, 1, 0]]}
    assert ids(tmp_path, ["line", "other"]) == {"0001": [[255, 0, 255]]}


def test_the_threshold_and_a_void_that_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, "0001_line.png", [[0, 10, 255]])
    write(tmp_path, "0001_void.png", [[255, 0, 0]])
    options = MaskOptions("per_class", threshold=10, ignore_void=True)
    assert ids(tmp_path, ["void", "background", "line"], options) == {"0001": [[255, 1, 1]]}
    other = MaskOptions("per_class", threshold=11).labels(Classes.from_entries(NAMES), [])
    assert repr(other) != repr(options.labels(Classes.from_entries(["void", *NAMES]), []))


def test_a_cache_tells_thresholds_and_files_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "line/0001.png", SMALL)
    stored = Classes.from_entries(NAMES)
    found, _ = MaskOptions("per_class").find(tmp_path, stored)
    sample = ImageSample("0001", "0001", Path("a.png"), found["0001"], (1, 3))
    labels = [MaskOptions("per_class", threshold=level).labels(stored, [sample]) for level in (1, 2)]
    assert labels[0].files(sample) == (path,)
    assert repr(labels[0]) != repr(labels[1])


def test_a_file_that_names_no_class_is_a_fault(tmp_path: Path) -> None:
    for name in ("0001.png", "milk/0001.png", "line.png", "0001line.png"):
        write(tmp_path, name, SMALL)
    found, faults = MaskOptions("per_class").find(tmp_path, Classes.from_entries(NAMES))
    assert found == {}
    assert len(faults) == 4
    assert f"{tmp_path / '0001.png'} names no class: expected {tmp_path}/CLASS/0001.png" in faults[0]
