import numpy as np

from segmentation.data.mesh.condition import Condition, condition, told
from segmentation.data.mesh.features import areas
from tests.data.mesh.mesh_files import BOX, TRIANGLES


def condition_of(vertices: np.ndarray, faces: np.ndarray) -> Condition:
    return condition(vertices, faces.astype(np.int32), areas(vertices[faces]))


def test_a_closed_box_has_nothing_odd() -> None:
    assert condition_of(BOX, TRIANGLES) == Condition(12, 0, 0, 1, 0, 0, 0, 0)


def test_everything_odd_is_counted() -> None:
    """The box with a fin on an edge, a face repeated the other way round, a part apart, a point and a line as faces."""
    vertices = np.vstack([BOX, [[9, 9, 9], [8, 9, 9], [9, 8, 9], [7, 7, 7], [6, 6, 6]]])
    fin, apart = [0, 1, 8], [9, 10, 11]
    first = TRIANGLES[0]
    faces = np.vstack([TRIANGLES, [fin], [first[[1, 0, 2]]], [apart], [[3, 3, 3]], [[0, 0, 1]]])
    found = condition_of(vertices, faces)
    assert found.faces == 17
    assert found.degenerate == 2
    assert found.duplicated == 1
    assert (found.parts, found.isolated) == (2, 1)
    assert found.unused_vertices == 1
    # of one face: two edges of the fin, three of the part apart
    assert found.border_edges == 5
    # of more than two: the fin's, which is the line's too, and the two others of the repeated face, or all three of it
    edges = {tuple(sorted(edge)) for edge in ((0, 1), *zip(first, np.roll(first, 1), strict=True))}
    assert found.non_manifold_edges == len(edges)


def test_it_is_told_for_all_meshes_together() -> None:
    line = told([Condition(12, 1, 2, 3, 4, 5, 6, 7), Condition(10, 10, 10, 10, 10, 10, 10, 10)])
    assert line == (
        "22 faces in 13 parts (14 outside of the largest), 11 without area, 12 repeated; 15 edges of one face, 16 of "
        "more than two; 17 vertices of none"
    )
