"""Labels that are painted: regions of classes (polygons, run lengths, mask files), the smaller ones on top."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from segmentation.classes import Classes
from segmentation.data.class_list import class_list
from segmentation.data.image.files import Size, read_stored
from segmentation.data.image.labels.index import reaches
from segmentation.data.image.labels.palette import check_8_bits
from segmentation.data.image.source import ImageSample, StoredValue
from segmentation.data.patch import Patch
from segmentation.errors import UserError


class Shape(Protocol):
    """`Polygons`, `RunLengths`, `MaskFile`: frozen, and small enough to be sent to every worker."""

    def patch(self, size: Size) -> Patch:
        """Where it is in a picture of (height, width); what is outside of the picture is cut off."""
        ...


@dataclass(frozen=True)
class MaskFile:
    """A picture of one object, which is where the stored value is `threshold` or above."""

    path: Path
    threshold: float = 128

    def patch(self, size: Size) -> Patch:
        """Raises `UserError` where the file cannot be read or is of another size."""
        stored = read_stored(self.path)
        mask = reaches(stored, self.threshold)
        if not mask.any() and stored.max() == 1:
            raise UserError(
                f"{self.path} holds 0 and 1, all below the threshold of {self.threshold:g}: set dataset.threshold=1"
            )
        if mask.shape != size:
            raise UserError(f"{self.path} is {mask.shape[1]}x{mask.shape[0]} pixels, its image {size[1]}x{size[0]}")
        return Patch.of(mask)


@dataclass(frozen=True)
class Region:
    """One object: a class id (or the ignore index) and where it is."""

    class_id: int
    shape: Shape


@dataclass(frozen=True)
class Painting:
    """The mask of a sample: its regions, and the files that say so."""

    regions: tuple[Region, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class PaintedLabels:
    """`sample.mask` is a `Painting`. What no region covers is `background`: a class id, or the ignore index.

    `reading` is how the regions were made of the files, where that can be chosen: caches depend on it.
    """

    classes: Classes
    background: int
    reading: str = ""

    def __post_init__(self) -> None:
        check_8_bits(self.classes)

    def read(self, sample: ImageSample) -> np.ndarray:
        return paint(sample.mask.regions, sample.size, self.background)

    def look(self, sample: ImageSample) -> tuple[np.ndarray, Mapping[StoredValue, int]]:
        return self.read(sample), {}

    def files(self, sample: ImageSample) -> tuple[Path, ...]:
        return tuple(sample.mask.files)


def paint(regions: Sequence[Region], size: Size, background: int) -> np.ndarray:
    """Class ids `[H, W]` uint8. Larger regions are painted first, so that smaller ones lie on top; of two of one area
    the later one does.
    """
    patches = [(region.class_id, region.shape.patch(size)) for region in regions]
    ids = np.full(size, background, np.uint8)
    for class_id, patch in sorted(patches, key=lambda each: -np.count_nonzero(each[1].mask)):
        height, width = patch.mask.shape
        ids[patch.top : patch.top + height, patch.left : patch.left + width][patch.mask] = class_id
    return ids


def painted_labels(
    spec: Any, root: Path, ignore_index: int, names: Sequence[str], background: str | None, reading: str = ""
) -> PaintedLabels:
    """The classes of objects called `names`, in the order of their ids, after the `background`'s, which None ignores.

    A `spec` (dataset.classes) names all of them, the background too, in its own order. Raises `UserError` where one
    is missing.
    """
    found = list(names) if background is None or background in names else [background, *names]
    classes = class_list(spec, root, ignore_index, found=found)
    missing = [name for name in found if name not in classes.names]
    if missing:
        raise UserError(
            f"dataset.classes lacks {', '.join(missing)}, which the data has: it has {', '.join(classes.names)}"
        )
    uncovered = ignore_index if background is None else classes.names.index(background)
    return PaintedLabels(classes, uncovered, reading)
