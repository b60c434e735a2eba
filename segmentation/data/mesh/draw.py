"""Pictures of meshes: shape, truth, prediction and errors side by side, all seen from the same place, with a legend."""

from collections.abc import Iterator

import numpy as np

from segmentation.classes import Classes, Color
from segmentation.data.batch import Batch
from segmentation.data.legend import BACKGROUND, WRONG, entries
from segmentation.data.mesh.features import areas
from segmentation.data.mesh.prepared import PreparedMeshes, in_mm2
from segmentation.data.mesh.render import view_of
from segmentation.data.panels import PANEL_WIDTH, side_by_side
from segmentation.outputs import Outputs, labels_from

PLAIN: Color = (225, 225, 225)  # of a face that has no colour, and of one that is right among errors
IGNORED: Color = (165, 165, 165)


class MeshDrawing:
    """Draws the whole meshes of a batch."""

    def __init__(self, meshes: PreparedMeshes) -> None:
        self.meshes = meshes
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
                said = None if labels is None else labels[index][mask]
                colors = texture_colors(mesh.pixels, mesh.counts)
                yield (
                    key,
                    mesh_picture(mesh.vertices[mesh.faces], colors, self.meshes.source.classes, target[mask], said),
                )


def mesh_picture(
    corners: np.ndarray, colors: np.ndarray, classes: Classes, target: np.ndarray, labels: np.ndarray | None = None
) -> np.ndarray:
    """RGB `[h, w, 3]` uint8 of faces: their `corners` `[F, 3, 3]` in m, the `colors` that they have `[F, 3]`, class ids
    `[F]` in truth and, unless None, as predicted.
    """
    view = view_of(corners, PANEL_WIDTH)
    colored = [("mesh", colors), ("truth", classes.paint(target, IGNORED))]
    named = entries(classes, np.union1d(target, target if labels is None else labels), IGNORED)
    if labels is not None:
        scored = target != classes.ignore_index
        wrong = scored & (labels != target)
        errors = np.select([wrong[:, None], scored[:, None]], [WRONG, PLAIN], IGNORED)
        of_faces = np.int64(1), in_mm2(areas(corners))
        shares = [(wrong * each).sum() / max((scored * each).sum(), 1) for each in of_faces]
        colored += [
            ("prediction", classes.paint(labels)),
            ("errors ({:.1%} of the faces, {:.1%} of the area)".format(*shares), errors),
        ]
        named.append(("wrong", WRONG))
    return side_by_side([(title, view.painted(painted, BACKGROUND)) for title, painted in colored], named)


def texture_colors(pixels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """`[F, 3]`, 0-255: the mean of the first `counts` `[F]` of the pixels `[F, K, 3]` of each face, `PLAIN` for one
    without a texture.
    """
    counts = counts.astype(np.float32)[:, None]
    shown = np.arange(pixels.shape[1]) < counts
    sums = (pixels * shown[..., None]).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.array(PLAIN, np.float32))
