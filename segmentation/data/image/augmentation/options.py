"""The augmentation group of the configuration: what training makes of a sample."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segmentation.data.image.augmentation.crops import Crop
from segmentation.data.image.augmentation.mixing import Mixing
from segmentation.data.image.augmentation.strength import Spec
from segmentation.data.image.augmentation.transforms import Entry, Transforms, faults_in_transforms, transforms_of


@dataclass(frozen=True)
class Augmentation:
    """In this order: crop, mixing with other samples, transforms.

    `transforms` and `val` (what validation does beyond resizing) list transforms by name, bare or with parameters:
    `{"HorizontalFlip": {"p": 0.5}}`. `strength` scales `transforms`. `rare_classes` names those that crops and
    copy-paste favour; None: what the pixel counts tell.
    """

    transforms: Sequence[Entry]
    ignore_index: int
    strength: float = 1.0
    crop: Crop = field(default_factory=Crop)
    mixing: Mixing = field(default_factory=Mixing)
    rare_classes: Sequence[str] | None = None
    val: Sequence[Entry] = ()

    @property
    def spec(self) -> Spec:
        """Names and parameters of the training transforms as they are used, with the strength in them."""
        return self.for_training().spec

    def for_training(self) -> Transforms:
        """Raises `UserError` for what `faults` finds."""
        return transforms_of(self.transforms, self.ignore_index, self.strength)

    def for_validation(self) -> Transforms:
        return transforms_of(self.val, self.ignore_index)

    @staticmethod
    def faults(node: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with the lists of transforms in the node of a configuration."""
        given = node.get("strength")
        strength = (
            float(given) if isinstance(given, int | float) and given >= 0 else 1.0
        )  # its own fault is told anyway
        yield from faults_in_transforms(node.get("transforms", []), "transforms", strength)
        yield from faults_in_transforms(node.get("val", []), "val", 1.0)
