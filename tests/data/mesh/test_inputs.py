import pickle
from pathlib import Path

import numpy as np
import pytest

from segmentation.classes import Classes
from segmentation.data.mesh.inputs import Beside, GivenMesh, find_meshes
from segmentation.errors import UserError
from tests.data.mesh.mesh_files import write_obj, write_ply, write_texture

CLASSES = Classes(("a", "b"), ((1, 1, 1), (2, 2, 2)))
PIXELS = Beside("textures")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two meshes in val/, a texture and the numbers of one in folders beside."""
    for name in ("a_labeled", "sub/b"):
        write_ply(tmp_path / f"val/{name}.ply", labels=None, uv=np.zeros((12, 6)), images=["x.png"])
    write_texture(tmp_path / "textures/x.png", np.zeros((2, 2, 3)))
    (tmp_path / "json").mkdir()
    (tmp_path / "json/a.json").write_text(f'{{"light": {list(range(12))}}}')
    return tmp_path


def given(path: Path | str) -> list[GivenMesh]:
    return list(find_meshes(str(path)).meshes)


def test_meshes_are_named_by_their_place(data: Path) -> None:
    write_obj(data / "val/sub/b.obj", "v 0 0 0\n")
    found = find_meshes(str(data))
    assert [mesh.key for mesh in found.meshes] == ["val/a_labeled", "val/sub/b.obj", "val/sub/b.ply"]
    assert found.passed_over == 2


@pytest.mark.parametrize("below", ["", "val", "val/a_labeled.ply", "val/*.ply"])
def test_what_belongs_to_a_mesh_is_found_from_wherever_it_is_given(data: Path, below: str) -> None:
    source = Beside("textures", "json", ["light"]).source(given(data / below)[0], CLASSES)
    mesh = source.read(source.samples[0])
    assert mesh.extra["light"].tolist() == list(range(12))
    assert source.texture_files(source.samples[0], mesh) == [data / "textures/x.png"]


def test_nothing_is_looked_for_above_the_second_folder_above(data: Path) -> None:
    (mesh,) = given(data / "val/sub")
    assert PIXELS.source(mesh, CLASSES).textures == data / "textures"
    (deep,) = given(write_ply(data / "val/sub/deep/c.ply"))
    assert PIXELS.source(deep, CLASSES).textures is None


@pytest.mark.parametrize("below", ["", "meshes", "meshes/val", "meshes/val/c.ply"])
def test_what_lies_in_the_same_parts_beside_a_folder_of_meshes_is_found(below: str, data: Path) -> None:
    write_ply(data / "meshes/val/c.ply", labels=None)
    for place, value in (("json/train/c.json", 1), ("json/c.json", 2), ("json/val/c.json", 3)):
        (data / place).parent.mkdir(exist_ok=True)
        (data / place).write_text(f'{{"light": {[value] * 12}}}')
    (mesh,) = (mesh for mesh in given(data / below) if mesh.path.name == "c.ply")
    source = Beside(None, "json", ["light"]).source(mesh, CLASSES)
    assert source.read(source.samples[0]).extra["light"].tolist() == [3] * 12


def test_pixels_may_be_pickled(data: Path) -> None:
    path = data / "textures/a_labeled.pkl"
    path.write_bytes(pickle.dumps([]))
    assert PIXELS.source(given(data)[0], CLASSES).samples[0].pixels == path
    assert PIXELS.source(given(data)[1], CLASSES).samples[0].pixels is None


def test_numbers_that_the_model_needs_must_be_there(data: Path) -> None:
    with pytest.raises(UserError, match=r"b.ply has no json/b.json, which tells light: the model needs it$"):
        Beside(None, "json", ["light"]).source(given(data)[1], CLASSES)


def test_labels_are_not_looked_at(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", labels=np.full(12, 99))
    source = Beside().source(given(tmp_path)[0], CLASSES)
    labels = source.read(source.samples[0]).labels
    assert labels is not None
    assert (labels == 255).all()
