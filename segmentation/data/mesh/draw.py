"""Pictures of meshes: shape, truth, prediction and errors side by side, all seen from the same place, with a legend."""

from collections.abc import Iterator

import numpy as np

from segmentation.classes import Color
from segmentation.data.batch import Batch
from segmentation.data.legend import BACKGROUND, WRONG, entries
from segmentation.data.mesh.prepared import PreparedMesh, PreparedMeshes
from segmentation.data.mesh.render import view_of
from segmentation.data.panels import PANEL_WIDTH, side_by_side
from segmentation.outputs import Outputs, labels_from

PLAIN: Color = (225, 225, 225)  # of a face that has no colour, and of one that is right among errors
IGNORED: Color = (165, 165, 165)


class MeshDrawing:
    """Draws the whole meshes of a batch."""

    def __init__(self, meshes: PreparedMeshes) -> None:
        self.meshes, self.classes = meshes, meshes.source.classes
        self._samples = {sample.key: sample for sample in meshes.samples}

    def __call__(self, batch: Batch, outputs: Outputs | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """(key, RGB picture `[h, w, 3]` uint8) of each sample, as it is in its files; without `outputs` the truth
        alone is shown. Samples that have only some of the clusters, as in training, are left out.
        """
        labels = None if outputs is None else labels_from(outputs).cpu().numpy()
        masks, targets = batch.inputs.mask.cpu().numpy(), batch.target.cpu().numpy()
        for index, (key, mask, target) in enumerate(zip(batch.keys, masks, targets, strict=True)):
            mesh = self.meshes.read(self._samples[key])
            if mask.sum() == len(mesh.faces):  # row by row, they are the faces in their order
                yield key, self._sample(mesh, target[mask], None if labels is None else labels[index][mask])

    def _sample(self, mesh: PreparedMesh, target: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """Of class ids `[F]`."""
        view = view_of(mesh.vertices[mesh.faces], PANEL_WIDTH)
        colored = [("mesh", texture_colors(mesh)), ("truth", self.classes.paint(target, IGNORED))]
        named = entries(self.classes, np.union1d(target, target if labels is None else labels), IGNORED)
        if labels is not None:
            scored = target != self.classes.ignore_index
            wrong = scored & (labels != target)
            errors = np.select([wrong[:, None], scored[:, None]], [WRONG, PLAIN], IGNORED)
            shares = [(wrong * each).sum() / max((scored * each).sum(), 1) for each in (np.int64(1), mesh.areas)]
            colored += [
                ("prediction", self.classes.paint(labels)),
                ("errors ({:.1%} of the faces, {:.1%} of the area)".format(*shares), errors),
            ]
            named.append(("wrong", WRONG))
        return side_by_side([(title, view.painted(colors, BACKGROUND)) for title, colors in colored], named)


def texture_colors(mesh: PreparedMesh) -> np.ndarray:
    """`[F, 3]`, 0-255: the mean of the pixels of each face, `PLAIN` for one without a texture."""
    counts = mesh.counts.astype(np.float32)[:, None]
    shown = np.arange(mesh.pixels.shape[1]) < counts
    sums = (mesh.pixels * shown[..., None]).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.array(PLAIN, np.float32))
