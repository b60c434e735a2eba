"""Inputs of mesh models, drawn."""

import torch

from segmentation.data.mesh.dataset import MeshInputs

FEATURES, CLASSES = 16, 5


def drawn(meshes: int = 2, clusters: int = 3, faces: int = 10, pixels: int = 0, seed: int = 0) -> MeshInputs:
    """A tenth of the places of each cluster is padding, and the last cluster of every mesh but the first."""
    generator = torch.Generator().manual_seed(seed)
    shape = (meshes, clusters, faces)
    mask = torch.ones(shape, dtype=torch.bool)
    mask[..., -max(faces // 10, 1) :] = False
    mask[1:, -1] = False
    features = torch.randn(*shape, FEATURES, generator=generator) * mask.unsqueeze(-1)
    centres = 10 * torch.randn(meshes, clusters, 3, generator=generator)
    if not pixels:
        return MeshInputs(features, mask, centres)
    colors = torch.randint(0, 256, (*shape, pixels, 3), dtype=torch.uint8, generator=generator)
    counts = torch.randint(0, pixels + 1, shape, generator=generator) * mask
    return MeshInputs(features, mask, centres, colors, counts)
