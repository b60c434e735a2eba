import os
from pathlib import Path
from typing import Any

import pytest

from segmentation.data.folders import data_folder, files_by_stem, find_folder, stem_below
from segmentation.errors import UserError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_folder_that_may_not_be_read_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.png", "closed/b.png")
    scandir = os.scandir

    def refuse(path: Any) -> Any:  # root may read every folder, so the refusal is the system's in name only
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found, faults = files_by_stem(tmp_path, (".png",), below=True)
    assert list(found) == ["a"]
    assert faults == [f"{tmp_path / 'closed'} cannot be read (Permission denied)"]


def test_a_folder_is_found_in_any_case_by_the_first_name_that_fits(tmp_path: Path) -> None:
    for name in ("Labels", "MASKS"):
        (tmp_path / name).mkdir()
    touch(tmp_path, "images")
    assert find_folder(tmp_path, "masks", "labels") == tmp_path / "MASKS"
    assert find_folder(tmp_path, "annotations", "labels") == tmp_path / "Labels"
    assert find_folder(tmp_path, "images") is None
    assert find_folder(tmp_path / "nowhere", "images") is None


def test_a_stem_has_the_folders_below(tmp_path: Path) -> None:
    assert stem_below(tmp_path / "sub" / "a.b.png", tmp_path) == "sub/a.b"


def test_a_root_that_is_not_there_no_folder_or_empty_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "file", "data/a.png")
    (tmp_path / "empty").mkdir()
    assert data_folder(str(tmp_path / "data")) == tmp_path / "data"
    for name, told in (("nowhere", "No such file"), ("file", "Not a directory"), ("empty", "is empty")):
        with pytest.raises(UserError, match=rf"^dataset.root={tmp_path / name} .*{told}"):
            data_folder(str(tmp_path / name))


def test_a_root_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:  # root may read every folder, so the refusal is the system's in name only
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        data_folder(str(tmp_path))
