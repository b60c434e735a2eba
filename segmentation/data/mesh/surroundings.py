"""What a face's place in the mesh tells: its height above the ground, and how rough the surface around it is."""

import numpy as np

CELLS = 32  # along the longer side of the ground: each tells its lowest vertex
QUANTILE = 0.1  # of these that may lie below the ground plane
ROUNDS = 20


def surroundings(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """`[F, 2]` float32, in m, of vertices `[V, 3]` and faces `[F, 3]`: the height of the centroid above the ground
    plane, and the roughness, the standard deviation of the heights of the corners of all faces that share a vertex with
    it (weighing a face by the number of vertices shared).
    """
    plane = ground_plane(vertices[np.unique(faces)])
    centroids = vertices[faces].mean(axis=1)
    height = centroids[:, 2] - (centroids[:, :2] @ plane[:2] + plane[2])
    return np.stack([height, _roughness(vertices[:, 2], faces)], axis=1).astype(np.float32)


def ground_plane(points: np.ndarray) -> np.ndarray:
    """(a, b, c) of the plane z = a x + b y + c that a tenth of the lowest points `[n, 3]` lie below, one point for each
    cell of the ground; level where all lie in one place.

    A quantile regression (Koenker and Bassett 1978) by least squares with weights that change: roofs and eaves, under
    which no ground is seen, lie above it and do not lift it.
    """
    middle = points.mean(axis=0)
    lowest = _lowest(points) - middle
    flat = np.column_stack([lowest[:, :2], np.ones(len(lowest))])
    weights = np.ones(len(lowest))
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        plane = np.linalg.lstsq(flat * root[:, None], lowest[:, 2] * root, rcond=1e-9)[0]
        above = lowest[:, 2] - flat @ plane
        weights = np.where(above > 0, QUANTILE, 1 - QUANTILE) / np.maximum(np.abs(above), 1e-3)
    return np.array([plane[0], plane[1], plane[2] + middle[2] - plane[:2] @ middle[:2]])


def _lowest(points: np.ndarray) -> np.ndarray:
    """The lowest point in each square cell that has one, `[n, 3]`."""
    corner, size = points[:, :2].min(axis=0), float(np.ptp(points[:, :2], axis=0).max())
    cell = np.minimum((points[:, :2] - corner) / max(size, 1e-9) * CELLS, CELLS - 1).astype(np.int64)
    order = np.lexsort((points[:, 2], cell[:, 1], cell[:, 0]))
    number = (cell @ np.array([CELLS, 1]))[order]
    return points[order[np.append(True, number[1:] != number[:-1])]]


def _roughness(heights: np.ndarray, faces: np.ndarray) -> np.ndarray:
    z = heights[faces] - heights[faces].mean()
    sums = np.stack([np.full(len(faces), 3.0), z.sum(axis=1), (z**2).sum(axis=1)])
    corners = faces.ravel()
    by_vertex = np.stack([np.bincount(corners, np.repeat(row, 3), len(heights)) for row in sums])
    count, first, second = by_vertex[:, faces].sum(axis=2)
    return np.sqrt(np.maximum(second / count - (first / count) ** 2, 0))
