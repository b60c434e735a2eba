"""Kinds of data: what building a run asks of each, and the one place that chooses."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from omegaconf import DictConfig

from segmentation.build import images, meshes
from segmentation.build.sets import Draws, Parts, SampleSet, Sets
from segmentation.data.batch import Batch
from segmentation.data.image.source import ImageSource
from segmentation.data.mesh.source import MeshSource
from segmentation.engine.options import TrainerOptions
from segmentation.reports.words import Words

SHARED = ("split", "split_seed", "split_file", "force_resplit")  # options of every data set that no reader takes


class Kind(Protocol):
    """A module of functions: build/images.py says what each does. `source` and samples are of its kind."""

    WORDS: Words
    HAS_BOUNDARIES: bool
    IS_TIMED: bool
    SHARED: tuple[str, ...]

    def with_shared(self, source: Any, dataset: DictConfig, given: frozenset[str]) -> Any: ...
    def is_labelled(self, source: Any) -> bool: ...
    def drawing(self, dataset: DictConfig, source: Any) -> Draws: ...
    def class_counts(self, cfg: DictConfig, source: Any, samples: Sequence[Any]) -> np.ndarray: ...
    def training_sets(
        self, cfg: DictConfig, source: Any, parts: Parts, options: TrainerOptions, counts: np.ndarray | None
    ) -> Sets: ...
    def epoch_length(self, cfg: DictConfig, source: Any, samples: Sequence[Any], options: TrainerOptions) -> int: ...
    def evaluation_set(self, cfg: DictConfig, source: Any, samples: Sequence[Any]) -> SampleSet: ...
    def collate(self, items: Sequence[Any]) -> Batch: ...


OF_SOURCE: dict[type, Kind] = {ImageSource: images, MeshSource: meshes}


def kind_of(source: Any) -> Kind:
    """By the type of what a reader returned."""
    return OF_SOURCE[type(source)]


def kind_for(dataset: Any) -> Kind:
    """By the node of the configuration that names the reader."""
    return meshes if meshes.is_for_meshes(dataset) else images


def shared_options(dataset: Mapping[str, Any]) -> set[str]:
    """Those of a node of the group dataset that are not its reader's, but of every data set of its kind."""
    return {*SHARED, *kind_for(dataset).SHARED}
