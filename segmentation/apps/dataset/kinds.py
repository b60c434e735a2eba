"""Kinds of data: what checking a data set asks of each, and the one place that chooses."""

from collections.abc import Sequence
from typing import Any, Protocol

from omegaconf import DictConfig

from segmentation.apps.dataset import images, meshes
from segmentation.apps.dataset.seen import Seen
from segmentation.build.sets import Parts
from segmentation.data.check.findings import Finding
from segmentation.data.image.source import ImageSource
from segmentation.data.mesh.source import MeshSource


class Kind(Protocol):
    """A module of functions: images.py says what each does. `source` and samples are of its kind."""

    def can_be_listed(self, samples: Sequence[Any]) -> bool: ...
    def look_at_all(self, source: Any, dataset: DictConfig) -> Seen: ...
    def look_quickly(self, cfg: DictConfig, source: Any, parts: Parts) -> list[Finding]: ...


OF_SOURCE: dict[type, Kind] = {ImageSource: images, MeshSource: meshes}


def kind_of(source: Any) -> Kind:
    """By the type of what a reader returned."""
    return OF_SOURCE[type(source)]
