"""Pictures of the meshes of a data set, as their files have them."""

import numpy as np

from segmentation.data.mesh.draw import mesh_picture, texture_colors
from segmentation.data.mesh.mesh import Mesh
from segmentation.data.mesh.prepared import texture_pixels
from segmentation.data.mesh.source import MeshSample, MeshSource
from segmentation.errors import UserError

PIXELS = 4  # of the texture of a face, at most


def sample_picture(source: MeshSource, sample: MeshSample) -> np.ndarray | None:
    """RGB `[h, w, 3]` uint8: shape and truth side by side, with a legend; None of a mesh that cannot be used."""
    try:
        mesh = source.read(sample)
    except UserError:
        return None
    assert mesh.labels is not None
    return mesh_picture(mesh.vertices[mesh.faces], _colors(mesh, source, sample), source.classes, mesh.labels)


def _colors(mesh: Mesh, source: MeshSource, sample: MeshSample) -> np.ndarray:
    """Those of a mesh without a texture where its texture cannot be used."""
    try:
        return texture_colors(*texture_pixels(mesh, source, sample, PIXELS))
    except UserError:
        return texture_colors(*texture_pixels(mesh, source, sample, 0))
