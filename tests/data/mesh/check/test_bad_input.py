"""Files that cannot be used, each told in one line by the check and before a run, beside good ones; and odd ones that
can be used.
"""

import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.data.mesh.check.scan import scan_meshes
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.data.mesh.prepared import Preparation, PreparedMeshes
from segmentation.data.mesh.source import MeshSource
from segmentation.errors import UserError
from tests.data.mesh.mesh_files import BOX, SIDE_OF, SIDES, TRIANGLES, write_obj, write_ply, write_texture

NAMES = ["a", "b", "c", "d", "e", "f"]
UV = np.random.default_rng(0).random((12, 6))
LITTLE, BIG = "binary_little_endian", "binary_big_endian"
PENTAGON = (0, 1, 3, 2, 4)
OBJ = "".join(f"v {x} {y} {z}\n" for x, y, z in BOX) + "".join(f"f {a + 1} {b + 1} {c + 1}\n" for a, b, c in TRIANGLES)
Write = Callable[[Path], Any]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])


def changed(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new), encoding="utf-8")


def nan(path: Path, form: str = "ascii", value: float = np.nan) -> None:
    write_ply(path, np.where(BOX == 3, value, BOX), form=form)


def of_other_type(path: Path) -> None:
    write_ply(path, more={"quality": ("int", [7] * 12)})
    changed(path, "property int label", "property float label")
    changed(path, " 5 7\n", " 4.5 7\n")


BAD: dict[str, tuple[Write, str]] = {
    "no mesh": (lambda path: path.write_text("solid box"), r"cannot be read as PLY \(no header"),
    "an empty file": (lambda path: path.write_bytes(b""), r"cannot be read as PLY \(no header"),
    "no faces": (lambda path: write_ply(path, BOX, np.zeros((0, 3), int), []), r"an empty mesh \(8 vertices, 0 faces"),
    "faces of two corners": (lambda path: write_ply(path, BOX, TRIANGLES[:, :2]), r"an empty mesh"),
    "NaN": (nan, r"4 vertices are not finite, the first is number 4"),
    "NaN, binary": (lambda path: nan(path, LITTLE), r"4 vertices are not finite"),
    "inf": (lambda path: nan(path, value=np.inf), r"4 vertices are not finite"),
    "inf, binary": (lambda path: nan(path, BIG, -np.inf), r"4 vertices are not finite"),
    "far too wide": (lambda path: write_ply(path, BOX * 1e6), r"it is 4e\+06 m across: expected .* in metres"),
    "no such vertex": (lambda path: write_ply(path, faces=TRIANGLES + 1), r"5 faces name vertices that are not there"),
    "a vertex below 0": (lambda path: write_ply(path, faces=TRIANGLES - 1, form=LITTLE), r"5 faces name vertices that"),
    "cut short": (lambda path: cut(write_ply(path)), r"it ends within the element face"),
    "cut short, binary": (lambda path: cut(write_ply(path, form=LITTLE)), r"cannot be read as PLY"),
    "no labels": (lambda path: write_ply(path, labels=None), r"has no labels: expected a property label"),
    "labels of no class": (lambda path: write_ply(path, labels=SIDE_OF + 3), r"outside of the classes: 6 \(2 faces\)"),
    "labels that are no numbers of classes": (of_other_type, r"labels that are no whole numbers"),
    "triangles and quads, binary": (
        lambda path: write_ply(path, BOX, [SIDES[0], *TRIANGLES[2:]], SIDE_OF[1:], form=LITTLE),
        r"faces of different numbers of corners, .* need an ascii file",
    ),
    "corners that add up, binary": (
        lambda path: write_ply(path, BOX, [SIDES[0], TRIANGLES[0], PENTAGON], [0, 1, 2], form=LITTLE),
        r"lists vertex_indices of different lengths",
    ),
    "no such image": (
        lambda path: write_ply(path, uv=UV, images=["lost.png"]),
        r"names 1 texture image.*: lost.png$",
    ),
    "no such number of an image": (
        lambda path: write_ply(path, uv=UV, images=["t.png"], image=np.full(12, 3)),
        r"texture number 3, but 1 texture images are named",
    ),
    "no picture": (lambda path: write_ply(path, uv=UV, images=["torn.png"]), r"the texture image .*torn.png cannot be"),
    "coordinates that are NaN": (
        lambda path: write_ply(path, uv=UV * np.nan, images=["t.png"]),
        r"12 faces have texture coordinates that are not finite",
    ),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A good mesh and its texture."""
    root = tmp_path / "data"
    write_ply(root / "good.ply", BOX * 2, uv=UV, images=["t.png"])
    write_texture(root / "t.png", np.zeros((4, 4, 3)))
    (root / "torn.png").write_bytes(b"no picture")
    return root


def told(source: MeshSource) -> str:
    """What the check and the preparation for a run both say: one line each, and the same."""
    scan = scan_meshes(source)
    (fault,) = [*scan.errors.values(), *scan.texture_errors.values()]
    with pytest.raises(UserError) as error:
        PreparedMeshes(source, Preparation(pixels_per_face=2))
    title, *lines = str(error.value).splitlines()
    assert "has 1 fault: mend or remove these" in title
    assert lines == [f"  - {fault}"]
    return fault


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_told_in_one_line(name: str, root: Path) -> None:
    write, expected = BAD[name]
    write(root / "bad.ply")
    fault = told(mesh_folder(str(root), NAMES))
    assert re.search(expected, fault)
    assert "bad.ply" in fault or "torn.png" in fault


class Hostile:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.proof),)


BESIDE: dict[str, tuple[str, Write, str]] = {
    "too few labels": ("label_dir", lambda path: path.write_text("0\n" * 11), r"has 11 labels, the mesh 12 faces"),
    "too many labels": ("label_dir", lambda path: path.write_text("0\n" * 13), r"has 13 labels, the mesh 12 faces"),
    "labels of no class": ("label_dir", lambda path: path.write_text("9\n" * 12), r"outside of the classes: 9 \(12"),
    "labels that are words": ("label_dir", lambda path: path.write_text("wall\n" * 12), r"one whole number a line"),
    "too few numbers": (
        "json_dir",
        lambda path: path.write_text(json.dumps({"light": [1, 2]})),
        r"has 2 light, the mesh 12 faces",
    ),
    "other numbers": ("json_dir", lambda path: path.write_text(json.dumps({"dark": [1] * 12})), r"has no 'light'"),
    "no JSON": ("json_dir", lambda path: path.write_text("light: 3"), r"is not as expected, JSON"),
    "too few pixels": (
        "texture_dir",
        lambda path: path.write_bytes(pickle.dumps([(1, [[1, 2, 3]])])),
        r"has 1 lists of pixels, the mesh 12 faces",
    ),
    "a hostile pickle": (
        "texture_dir",
        lambda path: path.write_bytes(pickle.dumps(Hostile(path.with_name("proof")))),
        r"is refused \(it wants \w+.mkdir\)",
    ),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_file_that_does_not_belong_to_its_mesh_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    option, write, expected = BESIDE[name]
    write_obj(tmp_path / "m/a.obj", OBJ)
    good: dict[str, tuple[str, Write]] = {
        "label_dir": ("a.txt", lambda path: path.write_text("0\n" * 12)),
        "json_dir": ("a.json", lambda path: path.write_text(json.dumps({"light": [1] * 12}))),
        "texture_dir": ("a.pkl", lambda path: path.write_bytes(pickle.dumps([(1, [[1, 2, 3]])] * 12))),
    }
    for folder, (file, usual) in good.items():
        (tmp_path / folder).mkdir()
        (write if folder == option else usual)(tmp_path / folder / file)
    folders: Any = {folder: folder for folder in good}
    fault = told(mesh_folder(str(tmp_path), NAMES, mesh_dir="m", json_features=["light"], **folders))
    assert re.search(expected, fault)
    assert str(tmp_path / option) in fault
    assert not (tmp_path / option / "proof").exists()


@pytest.mark.parametrize(
    ("write", "faces"),
    [
        (lambda path: write_ply(path, uv=UV * 30 - 9, images=["t.png"]), 12),  # repeats
        (lambda path: write_ply(path, BOX, SIDES, range(6)), 12),
        (lambda path: write_ply(path, BOX, SIDES, range(6), form=LITTLE), 12),
        (lambda path: write_ply(path, BOX, [SIDES[0], *TRIANGLES[2:], PENTAGON], [*SIDE_OF[1:], 5]), 15),
    ],
    ids=["repeated texture", "quads", "quads, binary", "polygons of all sizes"],
)
def test_a_file_that_is_only_odd_is_used(write: Write, faces: int, root: Path) -> None:
    write(root / "odd.ply")
    source = mesh_folder(str(root), NAMES)
    scan = scan_meshes(source)
    assert scan.errors == scan.texture_errors == {}
    assert scan.counts.sum(axis=1).tolist() == [12, faces]
    meshes = PreparedMeshes(source, Preparation(pixels_per_face=2))
    assert len(meshes.read(meshes.samples[1]).labels) == faces
