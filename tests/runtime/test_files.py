import json
import math
import os
from pathlib import Path

import pytest

from segmentation.runtime.files import jsonable, link_or_copy, read_json, write_atomically, write_json, write_text


def test_a_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "text.txt"
    write_text(path, "Grüße\n")
    assert path.read_text(encoding="utf-8") == "Grüße\n"
    assert [file.name for file in path.parent.iterdir()] == ["text.txt"]


def test_a_writer_that_fails_half_way_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    write_text(path, "earlier")

    def fails(temporary: Path) -> None:
        temporary.write_text("half of the")
        assert path.read_text() == "earlier", "nobody sees what is being written"
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        write_atomically(path, fails)
    assert path.read_text() == "earlier"
    assert [file.name for file in tmp_path.iterdir()] == ["text.txt"]


def test_who_has_the_earlier_file_open_keeps_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    write_text(path, "earlier")
    with path.open() as reader:
        write_text(path, "later")
        assert reader.read() == "earlier"
    assert path.read_text() == "later"


def test_json_is_standard_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    write_json(
        path,
        {
            "nan": math.nan,
            "inside": [1.5, (math.inf, -math.inf, {"deep": math.nan})],
            "path": Path("data/david"),
            "name": "Straße",
            3: True,
            "none": None,
        },
    )

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    expected = {
        "nan": None,
        "inside": [1.5, [None, None, {"deep": None}]],
        "path": "data/david",
        "name": "Straße",
        "3": True,
        "none": None,
    }
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse) == expected
    assert read_json(path) == expected
    assert "Straße" in path.read_text(encoding="utf-8")


def test_what_json_cannot_hold_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    write_json(path, [1])
    with pytest.raises(TypeError):
        write_json(path, [object()])
    assert read_json(path) == [1]


def test_finite_numbers_are_left_alone() -> None:
    assert jsonable({"a": 0.0, "b": [1, -2.5, False]}) == {"a": 0.0, "b": [1, -2.5, False]}


def test_a_link_is_the_same_file_until_the_source_is_replaced(tmp_path: Path) -> None:
    source, destination = tmp_path / "last.pt", tmp_path / "best.pt"
    write_text(source, "epoch 1")
    link_or_copy(source, destination)
    assert destination.samefile(source)
    write_text(source, "epoch 2")
    assert destination.read_text() == "epoch 1"


def test_without_hard_links_it_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(source: Path, destination: Path) -> None:
        raise OSError("operation not supported")

    monkeypatch.setattr(os, "link", refuses)
    source, destination = tmp_path / "last.pt", tmp_path / "kept" / "best.pt"
    write_text(source, "epoch 1")
    link_or_copy(source, destination)
    assert not destination.samefile(source)
    assert destination.read_text() == "epoch 1"
    assert [file.name for file in destination.parent.iterdir()] == ["best.pt"]


def test_a_link_replaces_what_was_there(tmp_path: Path) -> None:
    source, destination = tmp_path / "last.pt", tmp_path / "best.pt"
    write_text(destination, "an earlier best")
    write_text(source, "better")
    link_or_copy(source, destination)
    assert destination.read_text() == "better"
    link_or_copy(source, destination)  # once more is no error
    assert destination.read_text() == source.read_text() == "better"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["best.pt", "last.pt"]


def test_a_source_that_is_missing_leaves_the_destination(tmp_path: Path) -> None:
    destination = tmp_path / "best.pt"
    write_text(destination, "the best")
    with pytest.raises(FileNotFoundError):
        link_or_copy(tmp_path / "missing.pt", destination)
    assert destination.read_text() == "the best"
