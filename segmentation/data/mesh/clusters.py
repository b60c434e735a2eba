"""Which faces a model looks at together: balanced, compact clusters that follow each other in space."""

import numpy as np


def clusters(points: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces with the centroids `[F, 3]` in clusters of at most `most`: their order `[F]`, in which cluster i is
    `order[starts[i]:starts[i + 1]]`, and `starts` `[N + 1]`. There are as few clusters as can be; every face is in one.

    Recursive bisection: of all cuts across x, y or z that do not cost a further cluster, the one that leaves the faces
    nearest to the means of their sides.
    """
    order = np.arange(len(points))
    ends = []
    waiting = [(0, len(points))]
    while waiting:
        start, end = waiting.pop()
        if end - start <= most:
            ends.append(end)
            continue
        members = order[start:end]
        along, size = _cut(points[members], most)
        order[start:end] = members[along]
        waiting += [(start + size, end), (start, start + size)]
    return _by_proximity(points, order, np.array([0, *ends]))


def _cut(points: np.ndarray, most: int) -> tuple[np.ndarray, int]:
    """The order `[n]` along an axis, and how many of the first come apart from the rest."""
    count = len(points)
    size = np.arange(1, count)
    size = size[-(-size // most) - (size - count) // most == -(-count // most)]
    from_mean = points - points.mean(axis=0)
    best, found = -1.0, (np.arange(count), 1)
    for axis in range(points.shape[1]):
        order = np.argsort(points[:, axis], kind="stable")
        sums = np.cumsum(from_mean[order], axis=0)[size - 1]  # the rest has the same sum, with the other sign
        between = (sums**2).sum(axis=1) * (1 / size + 1 / (count - size))
        if between.max() > best:
            best, found = float(between.max()), (order, int(size[between.argmax()]))
    return found


def _by_proximity(points: np.ndarray, order: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The clusters in another order: each is followed by the nearest one that is left."""
    sizes = np.diff(starts)
    centres = np.add.reduceat(points[order], starts[:-1]) / sizes[:, None]
    chain = [int(centres.sum(axis=1).argmin())]
    left = np.ones(len(centres), bool)
    left[chain] = False
    while left.any():
        distance = ((centres - centres[chain[-1]]) ** 2).sum(axis=1)
        chain.append(int(np.where(left, distance, np.inf).argmin()))
        left[chain[-1]] = False
    members = np.concatenate([order[starts[place] : starts[place + 1]] for place in chain])
    return members, np.append(0, np.cumsum(sizes[chain]))


def grid(starts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The places of the faces in the chosen clusters, `[n, largest]`, -1 where a cluster has no more.

    >>> grid(np.array([0, 2, 3]), np.array([0, 1])).tolist()
    [[0, 1], [2, -1]]
    """
    sizes = (starts[1:] - starts[:-1])[chosen]
    column = np.arange(sizes.max())
    return np.where(column < sizes[:, None], starts[chosen, None] + column, -1)
