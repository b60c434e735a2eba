from pathlib import Path

import numpy as np
import pytest

from segmentation.data.mesh.formats.obj import read_obj
from segmentation.errors import UserError
from tests.data.mesh.mesh_files import write_obj

CORNERS = "v 0 0 0\nv 1 0 0 0.5 0.5 0.5\nv 1 1 0\nv 0 1 0\n"
MATERIALS = (
    "newmtl brick\nKd 1 1 1\nmap_Kd brick wall.jpg\nnewmtl plain\nKd 0 0 0\nnewmtl tile\nmap_Kd -s 2 2 2 tile.png\n"
)


def test_faces_keep_their_order_and_quads_become_triangles(tmp_path: Path) -> None:
    lines = "# a square\no first\nf 1 2 3\ng other\nf 1// 2//1 3/ 4\nf -4 -3 -2\n"
    mesh = read_obj(write_obj(tmp_path / "a.obj", CORNERS + "vn 0 0 1\n" + lines))
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert mesh.polygon.tolist() == [0, 1, 1, 2]
    assert mesh.labels is mesh.uv is mesh.image is None
    assert mesh.images == ()


def test_materials_name_the_texture_images(tmp_path: Path) -> None:
    write_obj(tmp_path / "a b.mtl", MATERIALS)
    body = "vt 0 0\nvt 2.5 0 0\nvt 1\nusemtl tile\nf 1/1 2/2 3/3\nusemtl plain\nf 1/1 2/2 3/3\nusemtl brick\n"
    body += "f 1/-3 2/-2 3/-1 4/1\nf 1 2 3\nusemtl unknown\nf 1/1 2/2 3/3\n"
    mesh = read_obj(write_obj(tmp_path / "a.obj", "mtllib a b.mtl\n" + CORNERS + body))
    assert mesh.images == ("tile.png", "brick wall.jpg")
    assert mesh.image is not None
    assert mesh.image.tolist() == [0, -1, 1, 1, -1, -1]
    assert mesh.uv is not None
    assert mesh.uv[0].tolist() == [[0, 0], [2.5, 0], [1, 0]]
    assert mesh.uv[3].tolist() == [[0, 0], [1, 0], [0, 0]]


def test_lines_may_go_on_and_files_may_be_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "a.obj"
    path.write_bytes(CORNERS.replace("\n", "\r\n").encode() + b"f 1 2 \\\n3\r\n")
    assert read_obj(path).faces.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("line", ["v 0 0", "v a b c", "f 1 2 x", "f 1 2 0", "f 1 2 -9", "vt u v", "f 1/q 2/2 3/3"])
def test_a_line_that_cannot_be_understood_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(UserError, match=rf"^{tmp_path / 'a.obj'}, line 5, cannot be read as OBJ: {line}$"):
        read_obj(write_obj(tmp_path / "a.obj", CORNERS + line))


def test_vertices_that_are_not_there_are_a_fault_of_the_mesh(tmp_path: Path) -> None:
    mesh = read_obj(write_obj(tmp_path / "a.obj", CORNERS + "f 1 2 3\nf 1 2 5\n"))
    assert list(mesh.faults()) == ["1 faces name vertices that are not there, the first is number 1"]
    assert "an empty mesh" in next(read_obj(write_obj(tmp_path / "b.obj", "")).faults())


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.obj cannot be read \(No such file"):
        read_obj(tmp_path / "nowhere.obj")
    with pytest.raises(UserError, match=r"lost.mtl cannot be read \(No such file"):
        read_obj(write_obj(tmp_path / "a.obj", "mtllib lost.mtl\n" + CORNERS))


def test_texture_coordinates_that_are_not_there_leave_a_face_without(tmp_path: Path) -> None:
    write_obj(tmp_path / "a.mtl", MATERIALS)
    mesh = read_obj(write_obj(tmp_path / "a.obj", "mtllib a.mtl\n" + CORNERS + "usemtl tile\nf 1/7 2/8 3/9\n"))
    assert mesh.uv is not None
    np.testing.assert_array_equal(mesh.uv, 0)
