"""How a data set stores its masks, as its options say: which files they are and which labels read them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from segmentation.classes import Classes
from segmentation.data.class_list import Spec, class_list
from segmentation.data.image.labels.index import NUMBERS, BinaryDecoder, IndexDecoder
from segmentation.data.image.labels.palette import PaletteDecoder
from segmentation.data.image.labels.per_class import paintings, per_class_labels
from segmentation.data.image.labels.pictures import PictureLabels
from segmentation.data.image.labels.regions import MaskFile, Region
from segmentation.data.image.layouts.pairing import fitting, pictures
from segmentation.data.image.source import ImageSample, Labels
from segmentation.data.remap import Remap, remapped
from segmentation.errors import UserError, near

FORMATS = ("index", "palette", "binary", "per_class")
VOID = "void"


@dataclass(frozen=True)
class MaskOptions:
    """The options that all layouts of picture files share, except for the class list.

    - `index`: the numbers of a picture of 8 or 16 bits are class ids. `remap` gives those that are not, all of them:
      `{stored number: class id, class name or ignore}`.
    - `palette`: colours are classes.
    - `binary`: the second of two classes where the grey value is `threshold` or above.
    - `per_class`: a binary picture for each class that occurs, `<masks>/<class>/<stem>.png` or
      `<masks>/<stem>_<class>.png`, the smaller areas on top (`per_class_labels` says what the rest is).

    `suffix` is what a mask's name has beside its image's (`pairing.fitting`). With `ignore_void` the class `void` is
    nothing to learn or score, and those behind it move up. Raises `UserError` for a `format` that is none of these.
    """

    format: str = "index"
    threshold: float = 128
    remap: Mapping[int, int | str] | None = None
    suffix: str | None = None
    ignore_void: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            hint = near(self.format, FORMATS, f"choose {', '.join(FORMATS)}")
            raise UserError(f"dataset.mask_format={self.format}: there is no such format; {hint}")
        if self.remap is not None and self.format != "index":
            raise UserError(f"dataset.remap is for numbers: leave it out with dataset.mask_format={self.format}")

    def classes(self, spec: Spec, root: Path, ignore_index: int, found: Spec = None) -> Classes:
        """The classes as the masks have them, void included."""
        return class_list(spec, root, ignore_index, found, needs_colors=self.format == "palette")

    def find(self, folder: Path, stored: Classes) -> tuple[dict[str, Any], list[str]]:
        """The masks below `folder` by their images' stems, as the labels want them, and what is wrong with some."""
        found, faults = pictures(folder, below=True)
        if self.format != "per_class":
            return dict(fitting(found, self.suffix)), faults
        masks, strange = paintings(found, folder, stored.names, partial(self.region, stored))
        return dict(masks), faults + strange

    def region(self, stored: Classes, name: str, path: Path) -> Region:
        """The binary picture of one class of one image."""
        return Region(self._ids(stored)[name], MaskFile(path, self.threshold))

    def labels(self, stored: Classes, samples: Iterable[ImageSample]) -> Labels:
        """What reads the masks of the `samples`; raises `UserError` where the options do not fit the classes."""
        classes = stored.without(VOID) if self.ignore_void else stored
        if self.format == "per_class":
            return per_class_labels(classes, (sample.mask for sample in samples), f"threshold {self.threshold}")
        if self.format == "binary":
            return PictureLabels(BinaryDecoder(classes, self.threshold))
        if self.format == "index":
            return PictureLabels(IndexDecoder(classes, self._remapped(stored)))
        colors = dict(zip(stored.names, stored.colors, strict=True))
        return PictureLabels(PaletteDecoder(classes, (colors[VOID],) if self.ignore_void else ()))

    def _ids(self, stored: Classes) -> dict[str, int]:
        """The value that each stored class has in a target."""
        kept = [name for name in stored.names if not (self.ignore_void and name == VOID)]
        return {name: kept.index(name) if name in kept else stored.ignore_index for name in stored.names}

    def _remapped(self, stored: Classes) -> Remap:
        ids = self._ids(stored)
        if self.remap is None:
            return tuple(enumerate(ids.values())) if self.ignore_void else ()
        return remapped(self.remap, ids, stored.ignore_index, range(NUMBERS))
