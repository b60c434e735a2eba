"""Meshes: how their samples are prepared, augmented and batched in a run. The same functions as of images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from omegaconf import DictConfig

from segmentation.build.make import make
from segmentation.build.sets import Parts, Sets, sample_chances
from segmentation.data.mesh.dataset import MeshDataset
from segmentation.data.mesh.dataset import collate as collate
from segmentation.data.mesh.draw import MeshDrawing
from segmentation.data.mesh.features import FaceFeatures
from segmentation.data.mesh.prepared import Preparation, PreparedMeshes
from segmentation.data.mesh.source import MeshSample, MeshSource
from segmentation.data.sampler import Bucket, TrainingBatches
from segmentation.engine.options import TrainerOptions
from segmentation.reports.words import Words
from segmentation.runtime.device import GIB

WORDS = Words("mesh", "meshes", "face", "faces")
HAS_BOUNDARIES = False  # faces that are neighbours in a target need not be on the mesh
IS_TIMED = False
# of dataset, not the reader's
SHARED: tuple[str, ...] = (
    "features",
    "faces_per_cluster",
    "clusters_per_batch",
    "pixels_per_face",
    "cache_gb",
    "monitor",
)


def with_shared(source: MeshSource, dataset: DictConfig, given: frozenset[str]) -> MeshSource:
    """What every mesh data set is told is not the source's: it says what is made of the meshes."""
    return source


def is_labelled(source: MeshSource) -> bool:
    return source.labelled


def drawing(dataset: DictConfig, source: MeshSource) -> MeshDrawing:
    return MeshDrawing(prepared(dataset, source))


def class_counts(cfg: DictConfig, source: MeshSource, samples: Sequence[MeshSample]) -> np.ndarray:
    """Faces of each class in each sample, `[n, C]`. Raises `UserError` with the faults of all meshes."""
    return prepared(cfg.dataset, source).counts_of(sample.key for sample in samples)


def training_sets(
    cfg: DictConfig, source: MeshSource, parts: Parts, options: TrainerOptions, counts: np.ndarray | None
) -> Sets:
    """In an epoch a mesh comes as often as it takes to see about all of its clusters; `counts` are `class_counts` of
    the training samples.
    """
    meshes, features = prepared(cfg.dataset, source), face_features(cfg.dataset)
    clusters = cfg.dataset.clusters_per_batch
    training = MeshDataset(meshes, parts["train"], features, make(cfg.augmentation), clusters)
    batches = _training_batches(training, int(cfg.seed), options, sample_chances(options, counts))
    validation, shown = (MeshDataset(meshes, samples, features) for samples in (parts["val"], parts["train"]))
    return Sets(training, batches, validation, validation if parts["val"] else shown)


def epoch_length(cfg: DictConfig, source: MeshSource, samples: Sequence[MeshSample], options: TrainerOptions) -> int:
    """Batches in an epoch of these training samples, whose clusters are counted."""
    training = MeshDataset(
        prepared(cfg.dataset, source), samples, face_features(cfg.dataset), None, cfg.dataset.clusters_per_batch
    )
    return len(_training_batches(training, 0, options, None))


def _training_batches(
    training: MeshDataset, seed: int, options: TrainerOptions, chances: np.ndarray | None
) -> TrainingBatches:
    return TrainingBatches([Bucket(training.passes(), options.batch_size)], seed, chances=chances)


def evaluation_set(cfg: DictConfig, source: MeshSource, samples: Sequence[MeshSample]) -> MeshDataset:
    """All clusters of each mesh, each face once."""
    return MeshDataset(prepared(cfg.dataset, source), samples, face_features(cfg.dataset))


def is_for_meshes(node: Any) -> bool:
    """Whether a node of the configuration, of the group model, dataset or augmentation, is one for meshes."""
    target = node.get("_target_") if isinstance(node, Mapping) else None
    return str(target).startswith(("segmentation.models.mesh.", "segmentation.data.mesh."))


def face_features(dataset: DictConfig) -> FaceFeatures:
    features: FaceFeatures = make(dataset.features)
    return features


def preparation(dataset: DictConfig) -> Preparation:
    return Preparation(dataset.faces_per_cluster, dataset.pixels_per_face)


def prepared(dataset: DictConfig, source: MeshSource) -> PreparedMeshes:
    """Raises `UserError` with the faults of all meshes."""
    return PreparedMeshes(source, preparation(dataset), int(dataset.cache_gb * GIB))
