from collections.abc import Sequence
from math import pi

import numpy as np
import pytest
from scipy.spatial import Delaunay

from segmentation.data.mesh import render
from segmentation.data.mesh.render import DARKEST, FINER, HIGHEST, LOWEST, MARGIN, View, nearest_faces, view_of
from tests.data.mesh.mesh_files import BOX, SIDE_OF, TRIANGLES

WIDTH = 60
EDGE = FINER * WIDTH * MARGIN  # pixels


def flat(points: Sequence[tuple[float, float]], depth: float = 0.5) -> list[tuple[float, float, float]]:
    return [(x, y, depth) for x, y in points]


def by_hand(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Every face at every pixel, by barycentric coordinates."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    best, found = np.full(size, np.inf), np.full(size, -1)
    for face, ((ax, ay, az), (bx, by, bz), (cx, cy, cz)) in enumerate(corners):
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        b = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
        c = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
        depth = az + b * (bz - az) + c * (cz - az)
        seen = (b >= 0) & (c >= 0) & (b + c <= 1) & (depth < best)
        best[seen], found[seen] = depth[seen], face
    return found


def test_of_two_triangles_that_overlap_the_nearer_is_seen() -> None:
    """The halves of a square of 4 pixels below and above its diagonals: their overlap is the quarter to the left."""
    lower, upper = [(0, 0), (0, 4), (4, 4)], [(0, 0), (4, 0), (0, 4)]
    for near, far, overlap in ((0.2, 0.8, 0), (0.8, 0.2, 1)):
        found = nearest_faces(np.array([flat(lower, near), flat(upper, far)]), (4, 4))
        assert found.dtype == np.int32
        expected = np.full((4, 4), -1)
        for row in range(4):
            for column in range(4):
                below, above = row > column, row + column < 3
                if below or above:
                    expected[row, column] = overlap if below and above else (0 if below else 1)
        inner = ~np.eye(4, dtype=bool) & ~np.eye(4, dtype=bool)[::-1]  # whose middles lie on no edge
        assert (found == expected)[inner].all()


@pytest.mark.parametrize("at_once", [1, 7, render.AT_ONCE])
def test_faces_that_cut_through_each_other(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "AT_ONCE", at_once)
    corners = np.random.default_rng(0).random((25, 3, 3)) * (40, 30, 1)
    expected = by_hand(corners, (30, 40))
    assert len(np.unique(expected)) > 12
    np.testing.assert_array_equal(nearest_faces(corners, (30, 40)), expected)


def test_neighbours_leave_no_gap_and_do_not_overlap() -> None:
    """Points on whole and half pixels among them, so that edges go through the middles of pixels."""
    rng = np.random.default_rng(1)
    points = np.concatenate(
        [rng.random((60, 2)) * 20, rng.integers(0, 41, (60, 2)) / 2, [[0, 0], [0, 20], [20, 0], [20, 20]]]
    )
    once = np.append(points, np.full((len(points), 1), 0.5), axis=1)[Delaunay(points).simplices]
    found = nearest_faces(once, (20, 20))
    assert (found >= 0).all()
    covered = np.stack([nearest_faces(once[[face]], (20, 20)) >= 0 for face in range(len(once))])
    assert (covered.sum(axis=0) == 1).all()


def test_of_faces_at_the_same_place_the_first_is_seen() -> None:
    square = flat([(0, 0), (8, 0), (0, 8)])
    assert set(np.unique(nearest_faces(np.array([square, square[::-1]]), (8, 8)))) == {-1, 0}


def test_faces_without_area_cover_nothing() -> None:
    point, line, level = [(2.5, 2.5)] * 3, [(0.25, 0.0), (4.25, 4.0), (6.25, 6.0)], [(0.0, 3.5), (4.0, 3.5), (8.0, 3.5)]
    upright = [(3.5, 0.0), (3.5, 4.0), (3.5, 8.0)]
    behind = flat([(0, 0), (8, 0), (0, 8)], 0.9)
    corners = np.array([*map(flat, (point, line, level, upright)), behind])
    found = nearest_faces(corners, (8, 8))
    assert set(np.unique(found)) == {-1, 4}


def test_a_box_is_seen_from_above() -> None:
    view = view_of(BOX[TRIANGLES], WIDTH)
    sides = {int(SIDE_OF[face]) for face in np.unique(view.faces) if face >= 0}
    assert 1 in sides, "the top"
    assert 0 not in sides, "not the bottom"
    assert len(sides) == 3
    (top,) = set(view.shade[SIDE_OF == 1].tolist())
    assert ((view.shade >= DARKEST) & (view.shade <= 1)).all()
    assert len(set(view.shade[np.isin(SIDE_OF, list(sides))].round(5).tolist())) == 3, (
        "each has a brightness of its own"
    )
    assert top > DARKEST


def test_right_is_right_and_up_is_up() -> None:
    """Parts of a wall in the x-z plane, of which all are seen from everywhere: the first of the directions counts,
    from which x goes to the right.
    """
    left, right, above = (np.array([[x, 0, z], [x + 1, 0, z], [x, 0, z + 1]]) for x, z in ((0, 0), (3, 0), (0, 3)))
    found = view_of(np.stack([left, right, above]), WIDTH).faces
    (left_row, left_column), (right_row, right_column), (above_row, above_column) = (
        np.argwhere(found == face).mean(axis=0) for face in range(3)
    )
    assert right_column > left_column + WIDTH
    assert above_row < left_row - WIDTH / 2
    assert above_column == pytest.approx(left_column, abs=1.5)
    assert abs(right_row - left_row) < WIDTH / 2


def test_both_sides_of_a_face_look_alike() -> None:
    outside, inside = view_of(BOX[TRIANGLES], WIDTH), view_of(BOX[TRIANGLES[:, ::-1]], WIDTH)
    np.testing.assert_array_equal(outside.faces, inside.faces)
    np.testing.assert_allclose(outside.shade, inside.shade, rtol=1e-6)


@pytest.mark.parametrize(
    ("sides", "height"),
    [((1, 1, 9), HIGHEST), ((20, 0, 1), LOWEST), ((3, 3, 2.2), None), ((0, 0, 1), HIGHEST), ((1, 0, 0), None)],
)
def test_a_mesh_fills_the_picture(sides: tuple[float, ...], height: float | None) -> None:
    """Also one that is in a plane or a line, which is seen as what it is."""
    view = view_of((BOX / BOX.max(axis=0) * sides)[TRIANGLES], WIDTH)
    assert view.faces.shape[1] == FINER * WIDTH
    assert LOWEST * WIDTH <= view.faces.shape[0] / FINER <= HIGHEST * WIDTH
    if height is not None:
        assert view.faces.shape[0] == FINER * height * WIDTH
    if min(sides) > 0:
        rows, columns = np.nonzero(view.faces >= 0)
        free = [
            rows.min(),
            view.faces.shape[0] - 1 - rows.max(),
            columns.min(),
            view.faces.shape[1] - 1 - columns.max(),
        ]
        assert min(free) == pytest.approx(EDGE, abs=1.01)
        assert free[0] == pytest.approx(free[1], abs=1.01)
        assert free[2] == pytest.approx(free[3], abs=1.01)


@pytest.mark.parametrize("turn", [0, 0.5, 1, 1.5])
def test_it_is_seen_from_where_there_is_most_to_see(turn: float) -> None:
    """A box whose right side is 64 pairs of faces is shown from that side, wherever it looks."""
    grid = np.stack(np.meshgrid(np.linspace(0, 2, 9), np.linspace(0, 3, 9)), axis=2)
    squares = [
        np.stack([grid[y, x], grid[y, x + 1], grid[y + 1, x + 1], grid[y + 1, x]]) for y in range(8) for x in range(8)
    ]
    fine = np.array([corners for square in squares for corners in (square[[0, 1, 2]], square[[0, 2, 3]])])
    right = np.concatenate([np.full((*fine.shape[:2], 1), 4.0), fine], axis=2)
    corners = np.concatenate([BOX[TRIANGLES[SIDE_OF != 3]], right])
    angle = turn * pi
    turned = corners @ np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]).T
    assert len(np.unique(view_of(turned, WIDTH).faces)) > 128


def test_colours_are_shaded_and_edges_smooth() -> None:
    faces = np.full((4, 8), -1, np.int32)
    faces[:, :2], faces[:, 2:5] = 0, 1
    view = View(faces, np.array([1, 0.5], np.float32))
    picture = view.painted(np.array([[200, 100, 0], [100, 200, 50]]), (250, 250, 250))
    assert picture.dtype == np.uint8
    assert FINER == 2
    assert picture.shape == (2, 4, 3)
    row = [[200, 100, 0], [50, 100, 25], [150, 175, 138], [250, 250, 250]]  # the third is half face, half background
    np.testing.assert_allclose(picture, [row, row], atol=1)


def test_the_colours_that_come_out_are_those_of_the_faces_that_are_seen() -> None:
    view = view_of(BOX[TRIANGLES], WIDTH)
    colors = np.arange(36).reshape(12, 3) * 7
    picture = view.painted(colors, (255, 0, 255))
    fine = view.faces.reshape(len(picture), FINER, WIDTH, FINER)
    face = fine[:, 0, :, 0]
    within = (face >= 0) & (fine == face[:, None, :, None]).all(axis=(1, 3))
    assert within.mean() > 0.4
    np.testing.assert_array_equal(picture[within], np.rint(colors[face] * view.shade[face][..., None])[within])
    assert picture[0, 0].tolist() == [255, 0, 255]
