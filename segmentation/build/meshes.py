"""Meshes: how their samples are prepared, augmented and batched in a run. The same functions as of images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from omegaconf import DictConfig

from segmentation.build.make import make
from segmentation.build.sets import Parts, Sets, sample_chances
from segmentation.data.mesh.dataset import MeshDataset
from segmentation.data.mesh.dataset import collate as collate
from segmentation.data.mesh.features import FaceFeatures
from segmentation.data.mesh.prepared import Preparation, PreparedMeshes
from segmentation.data.mesh.source import MeshSample, MeshSource
from segmentation.data.sampler import Bucket, TrainingBatches
from segmentation.engine.options import TrainerOptions
from segmentation.reports.words import Words

WORDS = Words("mesh", "meshes", "face", "faces")
HAS_BOUNDARIES = False  # faces that are neighbours in a target need not be on the mesh
SHARED = ("features", "faces_per_cluster", "clusters_per_batch", "pixels_per_face", "monitor")  # not the reader's


def with_shared(source: MeshSource, dataset: DictConfig, given: frozenset[str]) -> MeshSource:
    """What every mesh data set is told is not the source's: it says what is made of the meshes."""
    return source


def is_labelled(source: MeshSource) -> bool:
    return source.labelled


def drawing(source: MeshSource) -> None:
    """There are no pictures of meshes."""


def class_counts(cfg: DictConfig, source: MeshSource, samples: Sequence[MeshSample]) -> np.ndarray:
    """Faces of each class in each sample, `[n, C]`. Raises `UserError` with the faults of all meshes."""
    return _prepared(cfg.dataset, source).counts_of(sample.key for sample in samples)


def training_sets(
    cfg: DictConfig, source: MeshSource, parts: Parts, options: TrainerOptions, counts: np.ndarray | None
) -> Sets:
    """In an epoch a mesh comes as often as it takes to see about all of its clusters; `counts` are `class_counts` of
    the training samples.
    """
    meshes, features = _prepared(cfg.dataset, source), face_features(cfg.dataset)
    clusters = cfg.dataset.clusters_per_batch
    training = MeshDataset(meshes, parts["train"], features, make(cfg.augmentation), clusters)
    bucket, chances = Bucket(training.passes(), options.batch_size), sample_chances(options, counts)
    batches = TrainingBatches([bucket], int(cfg.seed), chances=chances)
    validation, shown = (MeshDataset(meshes, samples, features) for samples in (parts["val"], parts["train"]))
    return Sets(training, batches, validation, validation if parts["val"] else shown)


def evaluation_set(cfg: DictConfig, source: MeshSource, samples: Sequence[MeshSample]) -> MeshDataset:
    """All clusters of each mesh, each face once."""
    return MeshDataset(_prepared(cfg.dataset, source), samples, face_features(cfg.dataset))


def is_for_meshes(node: Any) -> bool:
    """Whether a node of the configuration, of the group model, dataset or augmentation, is one for meshes."""
    return str(node["_target_"]).startswith(("segmentation.models.mesh.", "segmentation.data.mesh."))


def face_features(dataset: DictConfig) -> FaceFeatures:
    features: FaceFeatures = make(dataset.features)
    return features


def _prepared(dataset: DictConfig, source: MeshSource) -> PreparedMeshes:
    return PreparedMeshes(source, Preparation(dataset.faces_per_cluster, dataset.pixels_per_face))
