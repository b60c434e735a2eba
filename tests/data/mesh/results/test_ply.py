from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from segmentation.classes import Classes
from segmentation.data.mesh.formats.obj import read_obj
from segmentation.data.mesh.formats.ply import read_ply
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.data.mesh.mesh import Mesh
from segmentation.data.mesh.results.ply import write_ply
from tests.data.mesh import mesh_files
from tests.data.mesh.mesh_files import SUM, needs_sum

CLASSES = Classes(("wall", "flat roof"), ((200, 100, 50), (10, 20, 30)))
LABELS = np.array([0, 1, 255] * 4, np.uint8)
SURE = np.linspace(0.3, 1, 12).astype(np.float32)


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    uv = np.random.default_rng(0).random((12, 6))
    return read_ply(mesh_files.write_ply(tmp_path / "in.ply", uv=uv, images=["x.png"], image=[0, -1] * 6))


def test_what_was_read_is_written_with_labels(mesh: Mesh, tmp_path: Path) -> None:
    write_ply(tmp_path / "out.ply", mesh, LABELS, SURE, CLASSES)
    written = read_ply(tmp_path / "out.ply")
    assert written.labels is not None
    assert written.labels.tolist() == LABELS.tolist()
    for name in ("vertices", "faces", "polygon", "uv", "image", "images"):
        assert np.array_equal(getattr(written, name), getattr(mesh, name)), name


def test_others_read_colours_and_confidence(tmp_path: Path) -> None:
    mesh = read_ply(mesh_files.write_ply(tmp_path / "in.ply"))
    write_ply(tmp_path / "out.ply", mesh, LABELS, SURE, CLASSES)
    loaded: Any = trimesh.load(tmp_path / "out.ply", process=False)
    assert np.array_equal(loaded.faces, mesh.faces)
    assert loaded.visual.face_colors[:3, :3].tolist() == [[200, 100, 50], [10, 20, 30], [255, 255, 255]]
    assert np.array_equal(loaded.metadata["_ply_raw"]["face"]["data"]["confidence"], SURE)
    header = (tmp_path / "out.ply").read_bytes().partition(b"end_header")[0]
    assert b"TextureFile" not in header
    assert b"texcoord" not in header


def test_a_folder_of_them_is_a_data_set(mesh: Mesh, tmp_path: Path) -> None:
    write_ply(tmp_path / "set/a.ply", mesh, LABELS, SURE, CLASSES)
    source = mesh_folder(str(tmp_path / "set"))
    assert source.classes.names == CLASSES.names
    assert source.read(source.samples[0]).labels.tolist() == LABELS.tolist()  # type: ignore[union-attr]


def test_polygons_are_written_as_the_triangles_they_became(tmp_path: Path) -> None:
    path = mesh_files.write_obj(tmp_path / "a.obj", "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n")
    write_ply(tmp_path / "out.ply", read_obj(path), np.array([1, 1]), np.ones(2), CLASSES)
    assert read_ply(tmp_path / "out.ply").faces.tolist() == [[0, 1, 2], [0, 2, 3]]


@needs_sum
def test_a_real_mesh_keeps_what_it_has(tmp_path: Path) -> None:
    mesh = read_ply(SUM / "tiny_test_c.ply")
    write_ply(tmp_path / "out.ply", mesh, np.zeros(len(mesh), int), np.ones(len(mesh)), CLASSES)
    written = read_ply(tmp_path / "out.ply")
    assert np.array_equal(written.vertices, mesh.vertices)
    assert written.uv is not None
    assert mesh.uv is not None
    assert np.array_equal(written.uv, mesh.uv)
    assert written.images == mesh.images
