import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segmentation.data.faults import noting_faults
from segmentation.data.fingerprint import cache_folder
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.data.mesh.prepared import Preparation, PreparedMesh, PreparedMeshes
from segmentation.data.mesh.source import MeshSource
from segmentation.errors import UserError
from tests.data.mesh.mesh_files import AREAS, BOX, SIDE_OF, TRIANGLES, write_ply, write_texture

NAMES = ["a", "b", "c", "d", "e", "f"]
FEW = Preparation(faces_per_cluster=5, pixels_per_face=4)
FAR = np.array([5000.0, 7000.0, 40.0])
UV = np.tile(np.array([[0, 0], [0.1, 0], [0, 0.1]]).ravel(), (12, 1))
IMAGE = np.array([0, -1] * 6)


@pytest.fixture
def source(tmp_path: Path) -> MeshSource:
    """Two boxes with a texture on every second face, and a label that is ignored."""
    labels = np.where(np.arange(12) == 3, -1, SIDE_OF)
    for name in ("one", "two"):
        path = tmp_path / "data" / f"{name}.ply"
        write_ply(path, BOX + FAR, labels=labels, uv=UV, images=["t.png"], image=IMAGE)
    write_texture(tmp_path / "data/t.png", np.full((8, 8, 3), 77))
    return mesh_folder(str(tmp_path / "data"), NAMES)


def assert_same(first: PreparedMesh, second: PreparedMesh) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_a_box_by_hand(source: MeshSource) -> None:
    meshes = PreparedMeshes(source, FEW)
    mesh = meshes.read(meshes.samples[0])
    np.testing.assert_allclose(mesh.vertices, BOX - (2, 1, 0))  # from the middle, above the lowest
    assert sorted(mesh.order.tolist()) == list(range(12))
    np.testing.assert_array_equal(mesh.faces, TRIANGLES[mesh.order])
    np.testing.assert_array_equal(mesh.labels, np.where(mesh.order == 3, 255, SIDE_OF[mesh.order]))
    np.testing.assert_array_equal(mesh.areas, AREAS[mesh.order] * 1_000_000)
    np.testing.assert_allclose(mesh.around[:, 0], BOX[TRIANGLES].mean(axis=1)[mesh.order, 2], atol=1e-3)
    assert len(mesh.starts) == 4
    np.testing.assert_array_equal(mesh.counts, np.where(IMAGE[mesh.order] == 0, 1, 0))
    np.testing.assert_array_equal(mesh.pixels[:, 0], np.where(IMAGE[mesh.order, None] == 0, 77, [[0, 0, 0]]))


def test_all_of_them_are_counted(source: MeshSource) -> None:
    meshes = PreparedMeshes(source, FEW)
    assert meshes.clusters.tolist() == [3, 3]
    assert meshes.counts.tolist() == [[2, 1, 2, 2, 2, 2, 1]] * 2
    assert meshes.counts_of(["two"]).tolist() == [[2, 1, 2, 2, 2, 2]]
    assert [(odd.faces, odd.parts) for odd in meshes.conditions] == [(12, 1)] * 2


def test_what_is_kept_is_not_made_again(source: MeshSource) -> None:
    """The files become garbage of the same size and age: whoever read them would fail."""
    first = PreparedMeshes(source, FEW)
    made = [first.read(sample) for sample in first.samples]
    for path in [*(sample.mesh for sample in source.samples), *source.pictures()]:
        status = path.stat()
        path.write_bytes(b"x" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = PreparedMeshes(source, FEW)
    assert again.samples == first.samples
    for sample, mesh in zip(again.samples, made, strict=True):
        assert_same(again.read(sample), mesh)
    np.testing.assert_array_equal(again.counts, first.counts)


def changed_labels(source: MeshSource) -> MeshSource:
    return replace(source, label_ids=tuple((number, 0) for number, _ in source.label_ids))


@pytest.mark.parametrize("change", [changed_labels, lambda source: replace(source, labelled=False)])
def test_what_is_understood_in_another_way_is_made_again(source: MeshSource, change: object) -> None:
    before = PreparedMeshes(source, FEW)
    after = PreparedMeshes(change(source), FEW)  # type: ignore[operator]
    assert (before.read(before.samples[0]).labels != after.read(after.samples[0]).labels).any()
    assert (before.counts != after.counts).any()


def test_a_changed_file_is_read_again(source: MeshSource, tmp_path: Path) -> None:
    before = PreparedMeshes(source, FEW)
    write_ply(source.samples[0].mesh, BOX * 2, images=["t.png"], uv=UV, image=IMAGE)
    after = PreparedMeshes(source, FEW)
    large, small = (after.read(sample) for sample in after.samples)
    np.testing.assert_array_equal(large.areas, AREAS[large.order] * 4_000_000)
    assert_same(small, before.read(before.samples[1]))
    write_texture(tmp_path / "data/t.png", np.full((8, 8, 3), 11))
    recolored = PreparedMeshes(source, FEW)
    assert set(np.unique(recolored.read(recolored.samples[0]).pixels)) == {0, 11}


def test_other_parameters_make_another_mesh(source: MeshSource) -> None:
    assert PreparedMeshes(source, replace(FEW, faces_per_cluster=3)).clusters.tolist() == [4, 4]
    plain = PreparedMeshes(source, replace(FEW, pixels_per_face=0))
    assert plain.read(plain.samples[0]).pixels.shape == (12, 0, 3)


def test_what_is_damaged_or_gone_from_the_disk_is_made_again(source: MeshSource) -> None:
    meshes = PreparedMeshes(source, FEW)
    made = meshes.read(meshes.samples[0])
    files = sorted((cache_folder() / "meshes").glob("*.npz"))
    for path in files:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert_same(meshes.read(meshes.samples[0]), made)
    for path in files:
        path.unlink()
    assert_same(PreparedMeshes(source, FEW).read(meshes.samples[0]), made)


def test_all_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_ply(root / "empty.ply", faces=np.zeros((0, 3), int), labels=[])
    write_ply(root / "nan.ply", BOX * np.nan)
    write_ply(root / "unknown.ply", labels=SIDE_OF + 1)
    write_ply(root / "texture.ply", uv=UV, images=["lost.png"])
    write_ply(root / "number.ply", uv=UV, images=["t.png"], image=IMAGE + 2)
    write_ply(root / "broken.ply", uv=UV, images=["b.png"])
    write_ply(root / "good.ply")
    (root / "text.ply").write_text("no mesh", encoding="utf-8")
    write_texture(root / "t.png", np.zeros((2, 2, 3)))
    (root / "b.png").write_bytes(b"no picture")
    source = mesh_folder(str(root), NAMES)
    with pytest.raises(UserError, match=r"has 7 faults: mend or remove these") as error:
        PreparedMeshes(source, FEW)
    for told in (
        "empty.ply: an empty mesh",
        "nan.ply: 8 vertices are not finite",
        r"unknown.ply has labels outside of the classes: 6 (2 faces)",
        "texture.ply names 1 texture images that are not in",
        "number.ply: texture number 2, but 1 texture images are named",
        "b.png cannot be read",
        "text.ply cannot be read as PLY",
    ):
        assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 8
    with noting_faults() as noted:
        meshes = PreparedMeshes(source, FEW)
    assert len(noted[0][1]) == 7
    assert [sample.key for sample in meshes.samples] == ["good"]
    assert meshes.counts.shape == (1, 7)
    geometry = PreparedMeshes(replace(source, samples=(source.samples[-2],)), replace(FEW, pixels_per_face=0))
    assert geometry.samples[0].key == "texture"  # a lost texture is no fault where none is asked for


def test_where_no_mesh_is_left_this_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_text("no mesh", encoding="utf-8")
    source = mesh_folder(str(tmp_path), NAMES)
    with noting_faults(), pytest.raises(UserError, match="holds no mesh that can be used"):
        PreparedMeshes(source, FEW)


def test_odd_meshes_are_prepared(tmp_path: Path) -> None:
    """Faces without area or twice, edges with three faces, parts apart, vertices of no face: all faces get clusters."""
    vertices = np.vstack([BOX, BOX[:3] + 50, [[1, 1, 1]]])
    faces = np.vstack([TRIANGLES, TRIANGLES[:1], [[8, 9, 10]], [[0, 0, 0]], [[0, 1, 10]], [[0, 1, 9]]])
    write_ply(tmp_path / "data/a.ply", vertices, faces, np.zeros(17, int))
    meshes = PreparedMeshes(mesh_folder(str(tmp_path / "data"), NAMES), FEW)
    mesh = meshes.read(meshes.samples[0])
    assert sorted(mesh.order.tolist()) == list(range(17))
    assert all(np.isfinite(array).all() for array in mesh)
    assert mesh.areas[mesh.order == 14].tolist() == [0]


def test_what_was_used_longest_ago_makes_room(source: MeshSource) -> None:
    """Two meshes and the file of both are kept for each way to prepare them."""
    folder = cache_folder() / "meshes"
    for path in folder.glob("*"):
        path.unlink()
    for faces in (5, 4, 3):
        PreparedMeshes(source, replace(FEW, faces_per_cluster=faces))
        for path in folder.glob("*"):
            os.utime(path, (1000, path.stat().st_mtime - 100))
    oldest = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime)[:3]
    sizes = {path: path.stat().st_size for path in folder.glob("*")}
    PreparedMeshes(source, FEW, cache_bytes=10**9)
    assert len(list(folder.glob("*"))) == 9
    PreparedMeshes(source, FEW, cache_bytes=sum(sizes.values()) - 1)
    left = set(folder.glob("*"))
    assert len(left) == 8
    assert set(oldest) <= left, "they are in use, and now the newest"
    PreparedMeshes(source, FEW, cache_bytes=0)
    assert set(folder.glob("*")) == set(oldest)
