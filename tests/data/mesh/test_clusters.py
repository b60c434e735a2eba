import numpy as np
import pytest

from segmentation.data.mesh.clusters import clusters, grid

POINTS = np.random.default_rng(0).random((1000, 3)) * (50, 10, 3)


def members(points: np.ndarray, most: int) -> list[np.ndarray]:
    order, starts = clusters(points, most)
    assert starts[0] == 0
    assert starts[-1] == len(points)
    return np.split(order, starts[1:-1])


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 127, 129, 500, 1000])
@pytest.mark.parametrize("most", [1, 7, 64])
def test_every_face_is_in_one_of_as_few_bounded_clusters_as_can_be(count: int, most: int) -> None:
    found = members(POINTS[:count], most)
    assert sorted(np.concatenate(found).tolist()) == list(range(count))
    assert len(found) == -(-count // most)
    assert all(1 <= len(faces) <= most for faces in found)


def test_what_lies_together_stays_together() -> None:
    """Three blobs of 40, 60 and 50 faces in clusters of at most 60, in any order of the faces."""
    rng = np.random.default_rng(1)
    blob = rng.permutation(np.repeat([0, 1, 2], [40, 60, 50]))
    points = rng.random((150, 3)) + np.array([[0, 0, 0], [9, 1, 0], [20, 30, 0]])[blob]
    assert [set(blob[faces].tolist()) for faces in members(points, 60)] == [{0}, {1}, {2}]


def test_a_few_faces_apart_are_a_cluster_of_their_own() -> None:
    """Two at -100 m and 58 from 0 to 20 m, of at most 58."""
    points = np.zeros((60, 3))
    points[:, 0] = [-100, -100, *np.linspace(0, 20, 58)]
    assert sorted(len(faces) for faces in members(points, 58)) == [2, 58]


def test_clusters_follow_each_other_in_space() -> None:
    """Of faces along a line, from its lower end to the other."""
    points = np.zeros((640, 3))
    points[:, 1] = np.random.default_rng(2).permutation(640)
    centres = [points[faces, 1].mean() for faces in members(points, 10)]
    assert centres == sorted(centres)


def test_clusters_are_about_as_compact_as_those_of_k_means() -> None:
    from sklearn.cluster import KMeans

    reference = KMeans(20, n_init=1, random_state=0).fit(POINTS)
    found = members(POINTS, 50)
    spread = sum(((POINTS[faces] - POINTS[faces].mean(axis=0)) ** 2).sum() for faces in found)
    assert spread < 1.3 * reference.inertia_


def test_faces_in_one_place_are_no_trouble() -> None:
    assert sorted(len(faces) for faces in members(np.ones((10, 3)), 4)) == [2, 4, 4]


def test_the_same_faces_give_the_same_clusters() -> None:
    for first, second in zip(clusters(POINTS, 64), clusters(POINTS.copy(), 64), strict=True):
        np.testing.assert_array_equal(first, second)


def test_chosen_clusters_make_a_grid() -> None:
    starts = np.array([0, 3, 4, 9, 11])
    assert grid(starts, np.array([0, 1, 3])).tolist() == [[0, 1, 2], [3, -1, -1], [9, 10, -1]]
    assert grid(starts, np.array([2])).tolist() == [[4, 5, 6, 7, 8]]
