import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segmentation.data.mesh.check.scan import scan_meshes
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.data.mesh.source import MeshSource
from tests.data.mesh.mesh_files import AREAS, BOX, SIDE_OF, TRIANGLES, write_ply, write_texture

NAMES = ["a", "b", "c", "d", "e", "f"]
UV = np.random.default_rng(0).random((12, 6))


@pytest.fixture
def source(tmp_path: Path) -> MeshSource:
    """A box with a texture on every third face, whose second side is ignored, and one without texture."""
    root = tmp_path / "data"
    labels = np.where(SIDE_OF == 1, -1, SIDE_OF)
    image = np.where(np.arange(12) % 3, -1, 0)
    write_ply(root / "a.ply", labels=labels, uv=UV, images=["t.png", "u.png"], image=image)
    write_ply(root / "b.ply", np.vstack([BOX * 2, BOX[:1]]))
    for name in ("t.png", "u.png"):
        write_texture(root / name, np.zeros((4, 4, 3)))
    return mesh_folder(str(root), NAMES)


def test_faces_area_textures_and_condition_by_hand(source: MeshSource) -> None:
    scan = scan_meshes(source)
    assert scan.keys == ("a", "b")
    assert scan.counts.tolist() == [[2, 0, 2, 2, 2, 2, 2], [2, 2, 2, 2, 2, 2, 0]]
    of_sides = (AREAS[::2] * 2_000_000).astype(int).tolist()  # mm2, of two triangles
    assert scan.areas.tolist() == [[8_000_000, 0, *of_sides[2:], 8_000_000], [*(4 * area for area in of_sides), 0]]
    assert scan.textured.tolist() == [4, 0]
    assert scan.images == (("t.png", "u.png"), ())
    assert scan.conditions[:, [0, -1]].tolist() == [[12, 0], [12, 1]]
    assert scan.errors == scan.texture_errors == {}


def scanned(folder: Path, *vertices_and_faces: tuple[np.ndarray, np.ndarray]) -> list[bytes]:
    for place, (vertices, faces) in enumerate(vertices_and_faces):
        write_ply(folder / f"{place}.ply", vertices, faces)
    return list(scan_meshes(mesh_folder(str(folder), NAMES)).contents().values())


def test_the_digest_is_of_the_triangles_in_any_order_and_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(8)
    numbered_anew = BOX[order] + (100, 200, 30), np.argsort(order)[TRIANGLES][rng.permutation(12)]
    turned = BOX, np.roll(TRIANGLES, 1, axis=1)
    moved = BOX.copy()
    moved[3, 2] += 0.002
    first, second, third, other = scanned(tmp_path, (BOX, TRIANGLES), numbered_anew, turned, (moved, TRIANGLES))
    assert first == second == third != other


def test_the_digest_is_not_that_of_one_triangle_less(tmp_path: Path) -> None:
    whole, double = scanned(tmp_path, (BOX, TRIANGLES), (BOX, np.vstack([TRIANGLES[:11], TRIANGLES[:1]])))
    assert whole != double


def test_a_second_scan_reads_nothing_until_a_file_changes(source: MeshSource) -> None:
    """The files become garbage of the same size and age: whoever read them would find faults."""
    first = scan_meshes(source)
    for path in [*(sample.mesh for sample in source.samples), *source.pictures()]:
        status = path.stat()
        path.write_bytes(b"x" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = scan_meshes(source)
    np.testing.assert_array_equal(again.counts, first.counts)
    np.testing.assert_array_equal(again.digests, first.digests)
    assert again.images == first.images
    os.utime(source.samples[0].mesh)
    assert set(scan_meshes(source).errors) == {"a", "b"}


def test_classes_that_are_understood_in_another_way_are_counted_anew(source: MeshSource) -> None:
    first = scan_meshes(source)
    other = replace(source, label_ids=tuple((number, 0) for number, _ in source.label_ids))
    assert scan_meshes(other).counts.tolist() == [[12, 0, 0, 0, 0, 0, 0]] * 2 != first.counts.tolist()
