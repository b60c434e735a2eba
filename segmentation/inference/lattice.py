"""Gaussian filtering in many dimensions at once: the permutohedral lattice, in NumPy and SciPy.

Adams, Baek and Davis 2010, Fast High-Dimensional Filtering Using the Permutohedral Lattice, doi
10.1111/j.1467-8659.2009.01645.x. N points with d features each; M corners of the lattice that are in use.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Lattice:
    """Sums over all points, each weighted by exp(-|f_i - f_j|^2 / 2), up to a common factor, in time linear in N.

    Every point lies in a simplex of the lattice; what it has is divided among the d + 1 corners (`splat`, `[M, N]`),
    spread from corner to corner along the d + 1 directions (`neighbours`, `[d + 1, 2, M]`, M where there is none), and
    collected from the corners. That gives the Gaussian approximately; see the tests for how well.
    """

    splat: sparse.csr_array
    neighbours: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> "Lattice":
        """Of features `[N, d]`, in units of their standard deviations."""
        keys, weights, steps = _corners(np.asarray(features, np.float32))
        used, places = np.unique(keys, return_inverse=True)
        ends = np.arange(len(keys) + 1) * keys.shape[1]
        collect = sparse.csr_array(
            (weights.ravel(), places.ravel().astype(np.int32), ends.astype(np.int32)), shape=(len(keys), len(used))
        )
        neighbours = np.array([[_places(used, used + step), _places(used, used - step)] for step in steps])
        return cls(collect.T.tocsr(), neighbours)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """`[N, C]`, float32, of values `[N, C]`."""
        corners = np.zeros((self.splat.shape[0] + 1, values.shape[1]), np.float32)
        corners[:-1] = self.splat @ values
        for behind, ahead in self.neighbours:
            corners[:-1] += (corners[behind] + corners[ahead]) / 2
        filtered: np.ndarray = self.splat.T @ corners[:-1]
        return filtered


def _corners(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The corners around each point as keys `[N, d + 1]`, the point's barycentric weights there `[N, d + 1]`, and what
    is between the keys of neighbours in each direction, `[d + 1]`.

    The lattice lies in the plane of d + 1 coordinates whose sum is 0. Corners are its whole points whose coordinates
    are all the same modulo d + 1; the corner of remainder k around a point has, from its corner of remainder 0, k more
    in some coordinates and k - (d + 1) in the k coordinates in which the point lies the least beyond that corner.
    """
    dims = features.shape[1]
    period = dims + 1
    plane = _in_plane(features)
    nearest = np.rint(plane / period)
    beyond, zeroth = plane - nearest * period, nearest.astype(np.int64)
    rank = np.argsort(np.argsort(-beyond, axis=1, kind="stable"), axis=1) + zeroth.sum(axis=1, keepdims=True)
    back = (rank < 0).astype(np.int8) - (rank > dims)  # so that the sum of the zeroth corner's coordinates is 0
    zeroth, rank = zeroth + back, rank + back * period

    by_rank = np.empty_like(beyond)
    np.put_along_axis(by_rank, dims - rank, beyond / period - back, axis=1)
    weights = by_rank - np.roll(by_rank, 1, axis=1)
    weights[:, 0] += 1

    radix = 2 * period * (int(np.abs(zeroth).max(initial=0)) + 2) + 1
    digits = radix ** np.arange(dims)  # the last coordinate follows from the others; past 64 bits it is a hash
    ones = digits.sum(keepdims=True)
    first = zeroth[:, :dims] @ digits * period
    keys = [first + k * ones - (rank[:, :dims] > dims - k) @ digits * period for k in range(period)]
    return np.stack(keys, axis=1), weights, np.append(digits, 0) * period - ones


def _in_plane(features: np.ndarray) -> np.ndarray:
    """`[N, d]` -> `[N, d + 1]`, turned into the plane and scaled so that the blur is a Gaussian of deviation 1."""
    dims = features.shape[1]
    index = np.arange(1, dims + 1)
    scaled = features * (np.sqrt(2 / 3) * (dims + 1) / np.sqrt(index * (index + 1))).astype(np.float32)
    plane = np.zeros((len(features), dims + 1), np.float32)
    plane[:, :-1] = scaled[:, ::-1].cumsum(axis=1)[:, ::-1]
    plane[:, 1:] -= scaled * index.astype(np.float32)
    return plane


def _places(used: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where the wanted keys are among those used, which are sorted; their number where one is not."""
    places = np.searchsorted(used, wanted)
    found = used[np.minimum(places, len(used) - 1)] == wanted
    return np.where(found, places, len(used)).astype(np.int32)
