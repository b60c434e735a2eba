import numpy as np
import pytest
import torch
from torch import Tensor

from segmentation.data.batch import Batch
from segmentation.data.legend import BACKGROUND, MARGIN, TEXT_SIZE, WRONG
from segmentation.data.mesh.augmentation import MeshAugmentation
from segmentation.data.mesh.dataset import MeshDataset, collate
from segmentation.data.mesh.draw import IGNORED, PLAIN, MeshDrawing, texture_colors
from segmentation.data.mesh.features import FaceFeatures
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.data.mesh.prepared import Preparation, PreparedMeshes
from segmentation.data.mesh.render import View, view_of
from segmentation.data.panels import PANEL_WIDTH
from segmentation.data.sampler import Draw
from tests.data.mesh.mesh_files import BOX, SIDE_OF, TRIANGLES, write_ply, write_texture

NAMES = ["bottom", "top", "front", "right", "back", "left"]
TOP = TEXT_SIZE + MARGIN
PAINT = (10, 120, 200)


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> PreparedMeshes:
    """A box whose front is ignored and whose right side has a texture, and two boxes one above the other."""
    root = tmp_path_factory.mktemp("meshes")
    textured = np.where(SIDE_OF == 3, 0, -1)
    uv = np.tile([0.1, 0.1, 0.9, 0.1, 0.1, 0.9], (12, 1))
    write_ply(root / "box.ply", labels=np.where(SIDE_OF == 2, -1, SIDE_OF), uv=uv, images=["t.png"], image=textured)
    write_texture(root / "t.png", np.full((8, 8, 3), PAINT))
    tower = np.concatenate([BOX, BOX + np.array([0, 0, 3])])
    write_ply(root / "tower.ply", tower, np.concatenate([TRIANGLES, TRIANGLES + 8]), np.tile(SIDE_OF, 2))
    return PreparedMeshes(mesh_folder(str(root), NAMES), Preparation(faces_per_cluster=5, pixels_per_face=4))


def batch_of(meshes: PreparedMeshes, *places: int) -> Batch:
    data = MeshDataset(meshes, meshes.samples, FaceFeatures())
    return collate([data[Draw(place, 0)] for place in places])


def logits_of(batch: Batch, said: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(said.long(), len(NAMES)).movedim(-1, 1).float()


def truth_of(batch: Batch) -> Tensor:
    """What is ignored, and padding, is taken for the top."""
    return torch.where(batch.target == 255, 1, batch.target.long())


def view_in(meshes: PreparedMeshes, place: int) -> View:
    mesh = meshes.read(meshes.samples[place])
    return view_of(mesh.vertices[mesh.faces], PANEL_WIDTH)


def panel(picture: np.ndarray, view: View, place: int) -> np.ndarray:
    height, left = view.faces.shape[0] * PANEL_WIDTH // view.faces.shape[1], MARGIN + place * (PANEL_WIDTH + MARGIN)
    return picture[TOP : TOP + height, left : left + PANEL_WIDTH]


def test_a_mesh_its_truth_the_prediction_and_the_errors(meshes: PreparedMeshes) -> None:
    """The top is taken for the left side, and so is what is ignored."""
    batch = batch_of(meshes, 0)
    said = torch.where(truth_of(batch) == 1, 5, truth_of(batch))
    ((key, picture),) = MeshDrawing(meshes)(batch, logits_of(batch, said))
    assert key == "box"
    assert picture.dtype == np.uint8
    assert picture.shape[1] == MARGIN + 4 * (PANEL_WIDTH + MARGIN)

    mesh, view = meshes.read(meshes.samples[0]), view_in(meshes, 0)
    side = SIDE_OF[mesh.order]
    colors = np.array(meshes.source.classes.colors)
    seen = set(side[np.unique(view.faces[view.faces >= 0])].tolist())
    assert {1, 2} < seen, "the top and the front"
    for place, of_side in enumerate(
        (
            {3: PAINT, **dict.fromkeys((0, 1, 2, 4, 5), PLAIN)},
            {**dict(enumerate(colors)), 2: IGNORED},
            {**dict(enumerate(colors)), 1: colors[5], 2: colors[5]},
            {1: WRONG, 2: IGNORED, **dict.fromkeys((0, 3, 4, 5), PLAIN)},
        )
    ):
        expected = view.painted(np.array([of_side[one] for one in side]), BACKGROUND)
        np.testing.assert_array_equal(panel(picture, view, place), expected)


def test_the_legend_names_what_is_there(meshes: PreparedMeshes) -> None:
    """In front of the tower all of its classes, of the box not the front; a class that is only predicted too."""
    drawing, box, tower = MeshDrawing(meshes), batch_of(meshes, 0), batch_of(meshes, 1)

    def named(batch: Batch, outputs: Tensor | None) -> set[tuple[int, ...]]:
        ((key, picture),) = drawing(batch, outputs)
        view = view_in(meshes, 0 if key == "box" else 1)
        below = picture[TOP + len(panel(picture, view, 0)) + MARGIN :]
        found, counts = np.unique(below.reshape(-1, 3), axis=0, return_counts=True)
        return {tuple(color) for color in found[counts > 150].tolist()}  # letters have less of any grey

    colors = meshes.source.classes.colors
    assert IGNORED in named(box, None)
    assert not {WRONG, colors[2]} & named(box, None)
    assert {*colors} <= named(tower, None)
    assert not {IGNORED, WRONG} & named(tower, None)
    assert {WRONG, colors[2]} <= named(box, logits_of(box, torch.full_like(box.target, 2)))


def test_meshes_of_one_batch_are_drawn_without_their_padding(meshes: PreparedMeshes) -> None:
    both = batch_of(meshes, 0, 1)
    outputs = logits_of(both, truth_of(both))
    drawn = dict(MeshDrawing(meshes)(both.to(torch.device("cpu")), {"out": outputs, "more": outputs}))
    assert list(drawn) == ["box", "tower"]
    for place, key in enumerate(drawn):
        alone = batch_of(meshes, place)
        ((_, picture),) = MeshDrawing(meshes)(alone, logits_of(alone, truth_of(alone)))
        np.testing.assert_array_equal(drawn[key], picture)


def test_without_a_prediction_there_are_mesh_and_truth(meshes: PreparedMeshes) -> None:
    ((_, picture),) = MeshDrawing(meshes)(batch_of(meshes, 1))
    assert picture.shape[1] == MARGIN + 2 * (PANEL_WIDTH + MARGIN)


def test_some_clusters_of_a_mesh_are_not_drawn(meshes: PreparedMeshes) -> None:
    data = MeshDataset(meshes, meshes.samples, FaceFeatures(), MeshAugmentation(), clusters_per_batch=2)
    assert list(MeshDrawing(meshes)(collate([data[Draw(0, 0)]]))) == []


def test_the_colour_of_a_face_is_the_mean_of_its_pixels() -> None:
    pixels = np.full((12, 3, 3), 99, np.uint8)
    pixels[0, :2] = [[10, 20, 30], [30, 60, 90]]
    counts = np.zeros(12, np.uint16)
    counts[:2] = 2, 3
    colors = texture_colors(pixels, counts)
    assert colors[:3].tolist() == [[20, 40, 60], [99, 99, 99], list(PLAIN)]
    none = texture_colors(pixels[:, :0], counts * 0)
    assert none.tolist() == [list(PLAIN)] * 12
