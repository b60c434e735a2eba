"""What is odd about a mesh and is told, but stops nothing: real ones are neither closed nor clean."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


class Condition(NamedTuple):
    """How many faces have no area, or repeat another one (the same vertices, whatever the winding); how many parts
    there are that have no vertex in common, and how many faces are outside of the largest; how many edges have one
    face, or more than two; how many vertices belong to no face. All of them are kept and dealt with: each face gets its
    features and its label.
    """

    faces: int
    degenerate: int
    duplicated: int
    parts: int
    isolated: int
    border_edges: int
    non_manifold_edges: int
    unused_vertices: int


def condition(vertices: np.ndarray, faces: np.ndarray, areas: np.ndarray) -> Condition:
    """Of vertices `[V, 3]`, faces `[F, 3]` and their areas `[F]`."""
    ordered = np.sort(faces, axis=1).astype(np.int64)
    edges = np.concatenate([ordered[:, [0, 1]], ordered[:, [1, 2]], ordered[:, [0, 2]]])
    edges = edges[edges[:, 0] != edges[:, 1]]
    _, faces_of_edge = np.unique(edges[:, 0] * len(vertices) + edges[:, 1], return_counts=True)
    used = np.unique(faces)
    links = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(len(vertices),) * 2)
    part = connected_components(links, directed=False)[1][faces[:, 0]]
    sizes = np.unique(part, return_counts=True)[1]
    return Condition(
        faces=len(faces),
        degenerate=int((areas <= 0).sum()),
        duplicated=len(faces) - len(np.unique(ordered, axis=0)),
        parts=len(sizes),
        isolated=int(sizes.sum() - sizes.max()),
        border_edges=int((faces_of_edge == 1).sum()),
        non_manifold_edges=int((faces_of_edge > 2).sum()),
        unused_vertices=len(vertices) - len(used),
    )


def told(conditions: list[Condition]) -> str:
    """All of them together, in words."""
    total = Condition(*(sum(column) for column in zip(*conditions, strict=True)))
    return (
        f"{total.faces} faces in {total.parts} parts ({total.isolated} outside of the largest), {total.degenerate} "
        f"without area, {total.duplicated} repeated; {total.border_edges} edges of one face, "
        f"{total.non_manifold_edges} of more than two; {total.unused_vertices} vertices of none"
    )
