"""A mesh on its way: read, shown to the models with all its clusters, and written with a class for each face."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from segmentation.apps.prediction.output import Row
from segmentation.classes import Classes
from segmentation.data.batch import Batch
from segmentation.data.mesh.dataset import collate, whole_item
from segmentation.data.mesh.features import FaceFeatures, areas
from segmentation.data.mesh.inputs import Beside, GivenMesh
from segmentation.data.mesh.mesh import Mesh
from segmentation.data.mesh.prepared import Preparation, counts_by_class, in_mm2, prepare
from segmentation.data.mesh.results.picture import write_picture
from segmentation.data.mesh.results.ply import write_ply
from segmentation.engine.memory import explains_out_of_memory
from segmentation.engine.predictions import predictions
from segmentation.inference.postprocessing import PostProcessing
from segmentation.outputs import probabilities_from
from segmentation.runtime.device import Precision

log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class MeshMember:
    """`model` in evaluation mode, and what its run makes of a mesh."""

    model: nn.Module
    beside: Beside
    preparation: Preparation
    features: FaceFeatures

    def read(self, given: GivenMesh, classes: Classes) -> "Shown":
        """Raises `UserError` naming the file."""
        source = self.beside.source(given, classes)
        (sample,) = source.samples
        mesh = source.read(sample)
        prepared = prepare(mesh, source, sample, self.preparation)
        if self.preparation.pixels_per_face and not prepared.counts.any():
            log.warning("%s shows no texture, which the model was trained with: it goes by the geometry", given.path)
        batch = collate([whole_item(prepared, self.features, given.key, classes.ignore_index)])
        return Shown(mesh, batch, prepared.order)


@dataclass(frozen=True)
class Shown:
    """A mesh as a member is shown it: the faces of `batch`, of this mesh alone, are its triangles `order` `[F]`."""

    mesh: Mesh
    batch: Batch
    order: np.ndarray


@dataclass(frozen=True)
class Read:
    """`shown` are one for each member."""

    given: GivenMesh
    shown: Sequence[Shown]


@dataclass(frozen=True)
class Asked:
    """`probabilities` `[C, F]` float32, of the triangles of `mesh` in their order."""

    given: GivenMesh
    mesh: Mesh
    probabilities: np.ndarray


@dataclass(frozen=True)
class Meshes:
    """The mean of the probabilities that the `members` give, written to `folder`. `post` asks for `sure` faces where
    there are to be pseudo-labels. `pictures`: whether meshes are drawn too.
    """

    members: Sequence[MeshMember]
    classes: Classes
    device: torch.device
    precision: Precision
    post: PostProcessing
    folder: Path
    pictures: bool

    def read(self, given: GivenMesh) -> Read:
        return Read(given, [member.read(given, self.classes) for member in self.members])

    def ask(self, read: Read) -> Asked:
        of_members = zip(self.members, read.shown, strict=True)
        mesh = read.shown[0].mesh
        with explains_out_of_memory(f"out of memory with {len(mesh)} faces at once: give precision=bf16 or device=cpu"):
            probabilities = np.mean([self._said(member.model, shown) for member, shown in of_members], axis=0)
        return Asked(read.given, mesh, probabilities)

    def _said(self, model: nn.Module, shown: Shown) -> np.ndarray:
        """`[C, F]`."""
        ((batch, logits),) = predictions(model, [shown.batch], self.device, self.precision)
        of_faces = probabilities_from(logits)[0, :, batch.inputs.mask[0]].cpu().numpy()
        in_order = np.empty_like(of_faces)
        in_order[:, shown.order] = of_faces
        return in_order

    def write(self, asked: Asked) -> Row:
        """Its row."""
        given, mesh = asked.given, asked.mesh
        if mesh.polygons < len(mesh):
            log.warning("%s: its %d polygons became %d triangles", given.path, mesh.polygons, len(mesh))
        labels, sure = self.post.decided(asked.probabilities)
        confidence = asked.probabilities.max(axis=0)
        by_faces, by_area = counts_by_class(labels, in_mm2(areas(mesh.vertices[mesh.faces])), len(self.classes))
        return {
            "key": given.key,
            "path": str(given.path.resolve()),
            "faces": by_faces.tolist(),
            "areas": by_area.tolist(),
            "confidence": round(float(confidence.mean(dtype=np.float64)), 5),
            "files": list(self._written(asked, labels, sure, confidence)),
        }

    def _written(
        self, asked: Asked, labels: np.ndarray, sure: np.ndarray | None, confidence: np.ndarray
    ) -> Iterator[str]:
        """The names of the files, as they are written."""
        mesh, key = asked.mesh, asked.given.key
        write_ply(self.folder / (name := f"meshes/{key}.ply"), mesh, labels, confidence, self.classes)
        yield name
        if self.pictures:
            write_picture(self.folder / (name := f"overlay/{key}.png"), mesh, labels, self.classes)
            yield name
        if sure is not None:
            pseudo = self.post.sure_alone(labels, sure)
            write_ply(self.folder / (name := f"pseudo_labels/{key}.ply"), mesh, pseudo, confidence, self.classes)
            yield name
