"""Meshes and the class ids of their faces, ready to be batched.

B samples, N clusters, F faces in a cluster, D numbers for a face, K pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from segmentation.data.batch import Batch
from segmentation.data.mesh.augmentation import MeshAugmentation
from segmentation.data.mesh.clusters import grid
from segmentation.data.mesh.features import FaceFeatures
from segmentation.data.mesh.prepared import PreparedMesh, PreparedMeshes
from segmentation.data.mesh.source import MeshSample
from segmentation.data.sampler import Draw


class MeshInputs(NamedTuple):
    """What a mesh model takes.

    `features` `[B, N, F, D]` float32 as `FaceFeatures` says, 0 where there is no face; `mask` `[B, N, F]` bool, true
    where there is one; `centres` `[B, N, 3]` float32, of the clusters, in m from the middle of the mesh above its
    lowest point; `pixels` `[B, N, F, K, 3]` uint8 and `pixel_counts` `[B, N, F]` int64, how many of the K mean
    something: 0 for a face without a texture. Both None where no textures are asked for.
    """

    features: Tensor
    mask: Tensor
    centres: Tensor
    pixels: Tensor | None = None
    pixel_counts: Tensor | None = None


class MeshItem(NamedTuple):
    """R faces in n clusters of up to f: `valid` `[n, f]` says where each is. `features` `[R, D]`, `labels` `[R]` uint8,
    `areas` `[R]` int64 in mm2, `centres` `[n, 3]`, `pixels` `[R, K, 3]` uint8, `counts` `[R]`.
    """

    valid: np.ndarray
    features: np.ndarray
    centres: np.ndarray
    labels: np.ndarray
    areas: np.ndarray
    pixels: np.ndarray
    counts: np.ndarray
    key: str
    ignore_index: int


class MeshDataset(Dataset[MeshItem]):
    """Samples as training or evaluation wants them; an item is a pure function of (sample, seed).

    With an `augmentation` (training) an item has `clusters_per_batch` of the clusters, drawn at random (None, or a mesh
    that has fewer: all). Without one (evaluation) it has all of them, each face once.
    """

    def __init__(
        self,
        meshes: PreparedMeshes,
        samples: Sequence[MeshSample],
        features: FaceFeatures,
        augmentation: MeshAugmentation | None = None,
        clusters_per_batch: int | None = None,
    ) -> None:
        self.meshes, self.samples, self.features = meshes, list(samples), features
        self.augmentation, self.clusters_per_batch = augmentation, clusters_per_batch
        clusters = {sample.key: int(count) for sample, count in zip(meshes.samples, meshes.clusters, strict=True)}
        self._clusters = [clusters[sample.key] for sample in self.samples]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, draw: Draw) -> MeshItem:
        sample = self.samples[draw.index]
        mesh = self.meshes.read(sample)
        rng = np.random.default_rng(draw.seed)
        chosen = self._chosen(len(mesh.starts) - 1, rng)
        ignore_index = self.meshes.source.classes.ignore_index
        return item_of(mesh, chosen, self.features, sample.key, ignore_index, self.augmentation, rng)

    def _chosen(self, clusters: int, rng: np.random.Generator) -> np.ndarray:
        """In their order, which is that of proximity."""
        most = self.clusters_per_batch
        if self.augmentation is None or most is None or clusters <= most:
            return np.arange(clusters)
        return np.sort(rng.choice(clusters, most, replace=False))

    def sizes(self) -> list[int]:
        """The number of clusters, rounded up to a power of two: a batch of one size has little padding."""
        return [1 << (count - 1).bit_length() for count in self._clusters]

    def passes(self) -> list[int]:
        """Indices of the samples, each as often as training needs to see about all of its clusters once."""
        most = self.clusters_per_batch
        return [
            index for index, count in enumerate(self._clusters) for _ in range(1 if most is None else -(-count // most))
        ]


def item_of(
    mesh: PreparedMesh,
    chosen: np.ndarray,
    features: FaceFeatures,
    key: str,
    ignore_index: int,
    augmentation: MeshAugmentation | None,
    rng: np.random.Generator,
) -> MeshItem:
    """The `chosen` clusters of a mesh."""
    vertices, factor, mirrored = mesh.vertices, 1.0, False
    places = grid(mesh.starts, chosen)
    valid = places >= 0
    rows = places[valid]
    if augmentation is not None:
        vertices, factor, mirrored = augmentation.move(vertices, rng)
    faces = mesh.faces[rows]
    corners = vertices[faces[:, [0, 2, 1]] if mirrored else faces]
    sizes = valid.sum(axis=1)
    centres = np.add.reduceat(corners.mean(axis=1), np.cumsum(sizes) - sizes) / sizes[:, None].astype(np.float32)
    around = mesh.around[rows] * np.float32(factor)
    described = features(corners, centres.repeat(sizes, axis=0), around, mesh.extra[rows])
    pixels = mesh.pixels[rows]
    if augmentation is not None:
        pixels = augmentation.recolor(pixels, rng)
    labels, areas, counts = mesh.labels[rows], mesh.areas[rows], mesh.counts[rows]
    return MeshItem(valid, described, centres, labels, areas, pixels, counts, key, ignore_index)


def whole_item(mesh: PreparedMesh, features: FaceFeatures, key: str, ignore_index: int) -> MeshItem:
    """As evaluation has it: all clusters, so that its faces are those of `mesh`, in their order."""
    every = np.arange(len(mesh.starts) - 1)
    return item_of(mesh, every, features, key, ignore_index, None, np.random.default_rng(0))


def collate(items: Sequence[MeshItem]) -> Batch:
    """Inputs padded to the most clusters and the largest cluster of the batch; the target `[B, N, F]` uint8 is the
    ignore index there, and the weights are the faces' areas in mm2, int64, 0 there.
    """
    shape = (len(items), *(max(item.valid.shape[axis] for item in items) for axis in (0, 1)))
    mask = np.zeros(shape, bool)
    centres = np.zeros((*shape[:2], 3), np.float32)
    for place, item in enumerate(items):
        clusters, faces = item.valid.shape
        mask[place, :clusters, :faces] = item.valid
        centres[place, :clusters] = item.centres

    def padded(parts: list[np.ndarray], fill: int = 0) -> Tensor:
        """The rows of `mask` are those of the samples one after the other: both go cluster by cluster."""
        rows = np.concatenate(parts)
        whole = np.full((*shape, *rows.shape[1:]), fill, rows.dtype)
        whole[mask] = rows
        return torch.from_numpy(whole)

    textured = items[0].pixels.shape[1] > 0
    inputs = MeshInputs(
        features=padded([item.features for item in items]),
        mask=torch.from_numpy(mask),
        centres=torch.from_numpy(centres),
        pixels=padded([item.pixels for item in items]) if textured else None,
        pixel_counts=padded([item.counts.astype(np.int64) for item in items]) if textured else None,
    )
    target = padded([item.labels for item in items], items[0].ignore_index)
    weights = padded([item.areas for item in items])
    return Batch(inputs, target, tuple(item.key for item in items), weights=weights)
