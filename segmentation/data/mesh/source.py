"""What a reader of a mesh layout returns: the samples, and how their meshes, labels and textures are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segmentation.classes import Classes
from segmentation.data.mesh.formats.obj import read_obj
from segmentation.data.mesh.formats.per_face import read_extra, read_labels
from segmentation.data.mesh.formats.ply import read_ply
from segmentation.data.mesh.mesh import Mesh
from segmentation.data.remap import Remap
from segmentation.errors import UserError

FORMATS = {".ply": read_ply, ".obj": read_obj}
PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")


@dataclass(frozen=True)
class MeshSample:
    """`key` names the sample everywhere. `group` is what a split keeps together (a parcel; else the key).

    `mesh` is a PLY or OBJ file. `labels`, `pixels` and `extra` are files with something for each face, where the data
    has them. `part` is the split that the data set itself puts the sample in.
    """

    key: str
    group: str
    mesh: Path
    labels: Path | None = None
    pixels: Path | None = None
    extra: Path | None = None
    part: str | None = None


@dataclass(frozen=True)
class MeshSource:
    """All samples of a data set; `title` is for messages.

    `label_ids` holds (number in the files, class id or ignore index) for all numbers that may occur. Texture images are
    looked for in `textures`, then beside the mesh. `extra_names`: which numbers of the samples' `extra` files are used.
    Without labels (`labelled` false) all faces are ignored.
    """

    title: str
    samples: tuple[MeshSample, ...]
    classes: Classes
    label_ids: Remap
    textures: Path | None = None
    extra_names: Sequence[str] = ()
    labelled: bool = True

    def read(self, sample: MeshSample) -> Mesh:
        """With class ids as labels, uint8. Raises `UserError` naming the file."""
        mesh = FORMATS[sample.mesh.suffix.lower()](sample.mesh)
        faults = list(mesh.faults())
        if faults:
            raise UserError(f"{sample.mesh}: {'; '.join(faults)}")
        extra = {} if sample.extra is None else read_extra(sample.extra, mesh, self.extra_names)
        return replace(mesh, labels=self._class_ids(sample, mesh), extra=extra)

    def texture_files(self, sample: MeshSample, mesh: Mesh) -> list[Path]:
        """Of all images that the mesh names. Raises `UserError` with those that are not there."""
        found = [self.texture_file(sample, name) for name in mesh.images]
        missing = [name for name, path in zip(mesh.images, found, strict=True) if path is None]
        if missing:
            raise UserError(
                f"{sample.mesh} names {len(missing)} texture images that are not in "
                f"{' or '.join(map(str, self._texture_folders(sample)))}: {', '.join(missing[:3])}"
            )
        return [path for path in found if path is not None]

    def texture_file(self, sample: MeshSample, name: str) -> Path | None:
        """Of an image that the mesh names, as on Windows or not; None where there is none."""
        places = (folder / name.replace("\\", "/") for folder in self._texture_folders(sample))
        return next((place for place in places if place.is_file()), None)

    def _texture_folders(self, sample: MeshSample) -> list[Path]:
        return [place for place in (self.textures, sample.mesh.parent) if place is not None]

    def files(self, sample: MeshSample) -> list[Path]:
        """What the sample, less its texture images, is read from: when one changes, what was made of it is out of
        date.
        """
        own = [sample.mesh, sample.labels, sample.pixels, sample.extra]
        materials = sample.mesh.parent.glob("*.mtl") if sample.mesh.suffix.lower() == ".obj" else ()
        return [*(path for path in own if path is not None), *materials]

    def pictures(self) -> list[Path]:
        """All pictures in and below the folders where texture images are looked for."""
        places = {sample.mesh.parent for sample in self.samples} | ({self.textures} if self.textures else set())
        return sorted({path for place in places for path in place.rglob("*") if path.suffix.lower() in PICTURES})

    def _class_ids(self, sample: MeshSample, mesh: Mesh) -> np.ndarray:
        """`[F]` uint8."""
        if not self.labelled:
            return np.full(len(mesh), self.classes.ignore_index, np.uint8)
        place = sample.labels or sample.mesh
        stored = mesh.labels if sample.labels is None else read_labels(sample.labels, mesh)
        if stored is None:
            raise UserError(f"{place} has no labels: expected a property label of its faces, or dataset.label_dir")
        numbers, inverse, counts = np.unique(stored, return_inverse=True, return_counts=True)
        ids = dict(self.label_ids)
        unknown = [
            f"{number} ({count} faces)" for number, count in zip(numbers, counts, strict=True) if number not in ids
        ]
        if unknown:
            raise UserError(
                f"{place} has labels outside of the classes: {', '.join(unknown[:5])}; expected "
                f"{', '.join(map(str, sorted(ids)))} (dataset.remap)"
            )
        return np.array([ids[number] for number in numbers.tolist()], np.uint8)[inverse]
