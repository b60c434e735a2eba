from pathlib import Path

import pytest

from segmentation.data.given import keys_of, search
from segmentation.errors import UserError

SUFFIXES = (".ply", ".obj")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.ply", "sub/a.OBJ", "notes.txt", "sub/b.mtl", ".hidden.ply", ".git/c.ply", "out/b.ply"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_is_searched_with_all_below_it(folder: Path) -> None:
    found = search(str(folder), SUFFIXES, "no mesh", folder / "out")
    assert found == (folder, (folder / "b.ply", folder / "sub/a.OBJ"), (), 2)


def test_a_pattern_or_a_file(folder: Path) -> None:
    assert search(f"{folder}/*/*", SUFFIXES, "no mesh").files == (folder / "out/b.ply", folder / "sub/a.OBJ")
    assert search(f"{folder}/b.ply", SUFFIXES, "no mesh")[:2] == (folder, (folder / "b.ply",))


def test_what_is_nothing_is_told(folder: Path) -> None:
    with pytest.raises(UserError, match=r"notes.txt is no mesh by its name: known are .ply, .obj$"):
        search(f"{folder}/notes.txt", SUFFIXES, "no mesh")
    with pytest.raises(UserError, match=r"input=.*\*.stl holds no mesh: known are .ply, .obj$"):
        search(f"{folder}/*.stl", SUFFIXES, "no mesh")
    with pytest.raises(UserError, match=r"there is no such file, folder or pattern$"):
        search(f"{folder}/c.ply", SUFFIXES, "no mesh")
    with pytest.raises(UserError, match=r"are one folder: give the results a folder of their own$"):
        search(str(folder), SUFFIXES, "no mesh", folder)


def test_keys_keep_what_tells_them_apart() -> None:
    paths = [Path("a.ply"), Path("a.obj"), Path("sub/a.ply"), Path("sub.ply")]
    assert keys_of(paths) == ["a.ply", "a.obj", "sub/a", "sub"]
    assert keys_of(paths, takes_folder=lambda path: True)[-1] == "sub.ply"
