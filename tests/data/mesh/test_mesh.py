from dataclasses import replace

import numpy as np

from segmentation.data.mesh.mesh import Mesh, Polygons
from tests.data.mesh.mesh_files import BOX, TRIANGLES

GOOD = Mesh(BOX, TRIANGLES.astype(np.int32), np.arange(12))


def test_polygons_are_fans_of_triangles_and_keep_their_texture_coordinates() -> None:
    corners = np.array([7, 8, 9, 0, 1, 2, 3, 4, 5, 6])
    uv = np.stack([corners * 10, corners * 100], axis=1)
    faces, face_uv, polygon = Polygons(np.array([3, 2, 5]), corners, uv).triangles()
    assert faces.tolist() == [[7, 8, 9], [2, 3, 4], [2, 4, 5], [2, 5, 6]]
    assert polygon.tolist() == [0, 2, 2, 2]
    assert face_uv is not None
    assert face_uv[2].tolist() == [[20, 200], [40, 400], [50, 500]]


def test_a_good_mesh_has_no_faults() -> None:
    assert list(GOOD.faults()) == []
    assert (len(GOOD), GOOD.polygons) == (12, 12)


def test_what_makes_a_mesh_unusable_is_told() -> None:
    vertices = BOX.copy()
    vertices[3, 1], vertices[5] = np.nan, np.inf
    faces = GOOD.faces.copy()
    faces[4, 2] = 8
    uv = np.zeros((12, 3, 2), np.float32)
    uv[1, 0, 0] = np.nan
    bad = replace(GOOD, vertices=vertices, faces=faces, uv=uv, image=np.full(12, 2), images=("a.png", "b.png"))
    finite, outside, image, coordinates = bad.faults()
    assert finite.startswith("2 vertices are not finite, the first is number 3")
    assert outside == "1 faces name vertices that are not there, the first is number 4"
    assert image == "texture number 2, but 2 texture images are named (from 0 on)"
    assert coordinates == "1 faces have texture coordinates that are not finite"


def test_an_empty_mesh_is_told() -> None:
    (told,) = replace(GOOD, faces=GOOD.faces[:0], polygon=GOOD.polygon[:0]).faults()
    assert told == "an empty mesh (8 vertices, 0 faces): remove it"
