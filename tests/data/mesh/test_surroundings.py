import numpy as np
import pytest

from segmentation.data.mesh.surroundings import ground_plane, surroundings
from tests.data.mesh.mesh_files import BOX, TRIANGLES

SLOPE = np.array([0.1, -0.05, 40.0])


def heights(points: np.ndarray, plane: np.ndarray) -> np.ndarray:
    return points @ plane[:2] + plane[2]


def test_the_ground_is_found_below_a_town() -> None:
    """A slope of 100 x 60 m, two thirds of it under roofs 8 m above, and a few points dug in."""
    rng = np.random.default_rng(0)
    flat = rng.random((6000, 2)) * (100, 60) + (5000, 7000)
    above = np.where((flat[:, 0] // 10 % 3) == 0, 0.0, 8.0) + rng.random(6000) * 0.02
    above[:20] = -2
    found = ground_plane(np.column_stack([flat, heights(flat, SLOPE) + above]))
    np.testing.assert_allclose(heights(flat, found), heights(flat, SLOPE), atol=0.2)


def test_points_in_a_plane_give_that_plane() -> None:
    flat = np.random.default_rng(1).random((50, 2)) * 10
    np.testing.assert_allclose(ground_plane(np.column_stack([flat, heights(flat, SLOPE)])), SLOPE, atol=1e-6)


@pytest.mark.parametrize("points", [[[1, 2, 3]], [[1, 2, 3], [1, 2, 9]], [[0, 0, 3], [2, 0, 3]]])
def test_few_points_give_a_level_ground(points: list[list[float]]) -> None:
    np.testing.assert_allclose(ground_plane(np.array(points, float)), [0, 0, 3], atol=1e-6)


def test_the_height_of_a_box_is_that_above_its_floor() -> None:
    unused = np.vstack([BOX + np.array([10, 20, 30]), [[0, 0, -500]]])  # a vertex of no face is no ground
    found = surroundings(unused, TRIANGLES)
    np.testing.assert_allclose(found[:, 0], BOX[TRIANGLES].mean(axis=1)[:, 2], atol=1e-4)


def test_the_roughness_is_that_of_all_faces_around() -> None:
    rng = np.random.default_rng(2)
    vertices = BOX + rng.random(BOX.shape) + (0, 0, 1000)
    for face, roughness in zip(TRIANGLES, surroundings(vertices, TRIANGLES)[:, 1], strict=True):
        around = [vertices[other, 2] for corner in face for other in TRIANGLES if corner in other]
        assert roughness == pytest.approx(np.std(np.concatenate(around)), rel=1e-4)


def test_a_level_surface_is_not_rough() -> None:
    level = BOX * (1, 1, 0) + (0, 0, 1e4)
    np.testing.assert_allclose(surroundings(level, TRIANGLES), 0, atol=1e-4)
