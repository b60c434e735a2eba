from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_all_start_methods
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from segmentation.data.batch import Batch
from segmentation.data.mesh.augmentation import MeshAugmentation
from segmentation.data.mesh.dataset import MeshDataset, MeshInputs, collate
from segmentation.data.mesh.features import WIDTHS, FaceFeatures
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.data.mesh.prepared import Preparation, PreparedMeshes
from segmentation.data.sampler import Draw, batches_of_like_size
from tests.data.mesh.mesh_files import BOX, LOD3, SIDE_OF, TRIANGLES, needs_lod3, write_ply, write_texture

NAMES = ["a", "b", "c", "d", "e", "f"]
MOVED = MeshAugmentation((10, 10, 180), (0.8, 1.2), 0.05, (0.5, 0.5), 0.3, 0.3, 0.3)
STILL = MeshAugmentation((0, 0, 0), flip=(0, 0))
ALL = FaceFeatures(tuple(WIDTHS), frequencies=2)
PREPARATION = Preparation(faces_per_cluster=5, pixels_per_face=4)


def town(boxes: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes in a row, 10 m apart."""
    vertices = np.concatenate([BOX + np.array([10 * place, 0, 0]) for place in range(boxes)])
    return vertices, np.concatenate([TRIANGLES + 8 * place for place in range(boxes)])


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> PreparedMeshes:
    """One box, four boxes, two boxes: 12, 48 and 24 faces in 3, 10 and 5 clusters; every third face has a texture."""
    root = tmp_path_factory.mktemp("towns")
    for name, boxes in (("a", 1), ("b", 4), ("c", 2)):
        vertices, faces = town(boxes)
        uv = np.random.default_rng(boxes).random((len(faces), 6))
        image = np.arange(len(faces)) % 3 - 1
        labels = np.tile(SIDE_OF, boxes)
        write_ply(root / f"{name}.ply", vertices, faces, labels, uv, ["t.png", "t.png"], np.minimum(image, 0))
    write_texture(root / "t.png", np.random.default_rng(0).integers(0, 256, (16, 16, 3)))
    return PreparedMeshes(mesh_folder(str(root), NAMES), PREPARATION)


def dataset(
    meshes: PreparedMeshes, augmentation: MeshAugmentation | None = None, clusters: int | None = None
) -> MeshDataset:
    return MeshDataset(meshes, meshes.samples, ALL, augmentation, clusters)


def batch_of(data: MeshDataset, draws: Sequence[Draw]) -> Batch:
    return collate([data[draw] for draw in draws])


def faces_of(data: MeshDataset, index: int) -> np.ndarray:
    """Which triangle of the file is where in evaluation, `[N, F]`, -1 for padding."""
    mesh, valid = data.meshes.read(data.samples[index]), data[Draw(index, 0)].valid
    faces = np.full(valid.shape, -1)
    faces[valid] = mesh.order
    return faces


def same(first: Batch, second: Batch) -> bool:
    tensors = [
        (first.target, second.target),
        (first.weights, second.weights),
        *zip(first.inputs, second.inputs, strict=True),
    ]
    return all(torch.equal(one, other) for one, other in tensors if one is not None)


def test_in_evaluation_every_face_is_scored_once(meshes: PreparedMeshes) -> None:
    data = dataset(meshes)
    for index, count in enumerate((12, 48, 24)):
        batch = batch_of(data, [Draw(index, 0)])
        assert int(batch.inputs.mask.sum()) == count
        faces = faces_of(data, index)
        assert sorted(faces[faces >= 0].tolist()) == list(range(count))
        np.testing.assert_array_equal(batch.inputs.mask[0].numpy(), faces >= 0)
        np.testing.assert_array_equal(
            batch.target[0].numpy()[faces >= 0], np.tile(SIDE_OF, count // 12)[faces[faces >= 0]]
        )
        assert batch.weights is not None
        assert int(batch.weights.sum()) == 52_000_000 * count // 12


def test_a_batch_is_padded_to_its_largest(meshes: PreparedMeshes) -> None:
    data = dataset(meshes)
    batch = batch_of(data, [Draw(index, 0) for index in range(3)])
    inputs = batch.inputs
    assert isinstance(inputs, MeshInputs)
    assert inputs.features.shape == (3, 10, 5, ALL.width)
    assert inputs.mask.shape == batch.target.shape == (3, 10, 5)
    assert inputs.centres.shape == (3, 10, 3)
    assert inputs.pixels is not None
    assert inputs.pixel_counts is not None
    assert inputs.pixels.shape == (3, 10, 5, 4, 3)
    assert (inputs.pixels.dtype, inputs.pixel_counts.dtype) == (torch.uint8, torch.int64)
    assert (inputs.features.dtype, batch.target.dtype) == (torch.float32, torch.uint8)
    assert batch.weights is not None
    assert batch.weights.dtype == torch.int64
    padding = ~inputs.mask
    assert (batch.target[padding] == 255).all()
    assert (batch.target[inputs.mask] < 6).all()
    for part in (inputs.features, inputs.pixels, inputs.pixel_counts, batch.weights):
        assert not part[padding].any()
    assert not inputs.mask[0, 3:].any()
    assert not inputs.centres[0, 3:].any()
    assert batch.keys == ("a", "b", "c")
    alone = batch_of(data, [Draw(2, 0)])
    clusters, faces = alone.target.shape[1:]
    assert torch.equal(alone.inputs.features[0], inputs.features[2, :clusters, :faces])
    assert torch.equal(alone.target[0], batch.target[2, :clusters, :faces])


def test_features_are_those_of_the_faces(meshes: PreparedMeshes) -> None:
    """The corners of a face and the centre of its cluster are its place from the middle of the mesh on the ground."""
    data = dataset(meshes)
    faces, batch = faces_of(data, 1), batch_of(data, [Draw(1, 0)])
    vertices, triangles = town(4)
    corners = batch.inputs.features[0, ..., :9].reshape(*faces.shape, 3, 3) + batch.inputs.centres[0, :, None, None]
    valid = faces >= 0
    np.testing.assert_allclose(
        corners.numpy()[valid], (vertices - np.array([17, 1, 0]))[triangles[faces[valid]]], atol=1e-5
    )
    centroids = corners.numpy().mean(axis=2)
    for cluster, centre in enumerate(batch.inputs.centres[0].numpy()):
        np.testing.assert_allclose(centroids[cluster][valid[cluster]].mean(axis=0), centre, atol=1e-5)


def test_untextured_faces_are_masked(meshes: PreparedMeshes) -> None:
    data = dataset(meshes)
    faces, inputs = faces_of(data, 1), batch_of(data, [Draw(1, 0)]).inputs
    textured = (faces >= 0) & (np.minimum(np.arange(48) % 3 - 1, 0)[faces] == 0)
    np.testing.assert_array_equal(inputs.pixel_counts[0].numpy() > 0, textured)


def test_training_draws_some_clusters_in_their_order(meshes: PreparedMeshes) -> None:
    data = dataset(meshes, STILL, clusters=4)
    whole = batch_of(dataset(meshes), [Draw(1, 0)]).inputs.centres[0].tolist()
    seen = set()
    for seed in range(40):
        centres = batch_of(data, [Draw(1, seed)]).inputs.centres[0].tolist()
        places = [whole.index(centre) for centre in centres]
        assert len(places) == 4
        assert places == sorted(set(places))
        seen |= set(places)
    assert seen == set(range(10))
    assert int(batch_of(data, [Draw(0, 0)]).inputs.mask.sum()) == 12  # of three clusters all


def test_an_item_is_a_pure_function_of_the_draw(meshes: PreparedMeshes) -> None:
    data, other = dataset(meshes, MOVED, 4), dataset(meshes, MOVED, 4)
    first = batch_of(data, [Draw(1, 7), Draw(2, 8)])
    assert same(first, batch_of(other, [Draw(1, 7), Draw(2, 8)]))
    assert not same(first, batch_of(data, [Draw(1, 9), Draw(2, 8)]))
    assert same(batch_of(dataset(meshes), [Draw(1, 1)]), batch_of(dataset(meshes), [Draw(1, 2)]))


@pytest.mark.parametrize("method", sorted({"fork", "spawn"} & set(get_all_start_methods())))
def test_workers_change_nothing(meshes: PreparedMeshes, method: str) -> None:
    data, draws = dataset(meshes, MOVED, 4), [[Draw(1, 5), Draw(0, 6)], [Draw(2, 7)]]
    loader: DataLoader[Batch] = DataLoader(
        data,  # type: ignore[arg-type]  # its items become batches in collate
        num_workers=1,
        multiprocessing_context=method,
        collate_fn=collate,
        batch_sampler=draws,
    )
    for batch, expected in zip(loader, draws, strict=True):
        assert isinstance(batch, Batch)
        assert same(batch, batch_of(data, expected))


def test_augmentation_moves_the_features_and_keeps_labels_and_areas(meshes: PreparedMeshes) -> None:
    plain, moved = (batch_of(dataset(meshes, how), [Draw(1, 3)]) for how in (None, MOVED))
    assert torch.equal(plain.target, moved.target)
    assert plain.weights is not None
    assert moved.weights is not None
    assert torch.equal(plain.weights, moved.weights)
    assert not torch.equal(plain.inputs.pixels, moved.inputs.pixels)
    assert not torch.allclose(plain.inputs.features, moved.inputs.features)


def test_a_mirrored_mesh_keeps_its_angles_and_faces_outwards(meshes: PreparedMeshes) -> None:
    flipped = dataset(meshes, MeshAugmentation((0, 0, 0), flip=(1, 0)))
    plain, mirrored = (batch_of(data, [Draw(0, 0)]).inputs for data in (dataset(meshes), flipped))
    valid = plain.mask
    angles = slice(9, 12)
    assert torch.allclose(
        plain.features[valid][:, angles][:, [0, 2, 1]], mirrored.features[valid][:, angles], atol=1e-5
    )
    turned = plain.features[valid][:, 12:15] * torch.tensor([-1, 1, 1])
    assert torch.allclose(turned, mirrored.features[valid][:, 12:15], atol=1e-5)


def test_heights_are_scaled_with_the_mesh(meshes: PreparedMeshes) -> None:
    large = dataset(meshes, MeshAugmentation((0, 0, 0), (2, 2), flip=(0, 0)))
    plain, scaled = (batch_of(data, [Draw(1, 0)]).inputs.features[..., 17:19] for data in (dataset(meshes), large))
    assert torch.allclose(plain * 2, scaled, atol=1e-4)


def test_meshes_of_like_size_share_a_batch_and_large_ones_come_more_often(meshes: PreparedMeshes) -> None:
    assert dataset(meshes).sizes() == [4, 16, 8]
    assert [[draw.index for draw in batch] for batch in batches_of_like_size(dataset(meshes).sizes(), 2)] == [
        [0],
        [1],
        [2],
    ]
    assert dataset(meshes, MOVED, 4).passes() == [0, 1, 1, 1, 2, 2]
    assert dataset(meshes, MOVED).passes() == [0, 1, 2]


def test_what_tells_the_label_never_reaches_a_model(tmp_path: Path) -> None:
    """The inputs of two files that differ in these properties alone are equal."""
    batches = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        tell = {name: ("int", rng.integers(0, 9, 12)) for name in ("face_segment_id", "label_probabilities")}
        colors = {name: ("uchar", rng.integers(0, 256, 12)) for name in ("red", "green", "blue")}
        root = tmp_path / str(seed)
        write_ply(
            root / "a.ply",
            uv=np.ones((12, 6)),
            images=["t.png"],
            labels=rng.permutation(SIDE_OF),
            more={**tell, **colors},
        )
        write_texture(root / "t.png", np.full((4, 4, 3), 9))
        meshes = PreparedMeshes(mesh_folder(str(root), NAMES), PREPARATION)
        batches.append(batch_of(dataset(meshes), [Draw(0, 0)]))
    first, second = batches
    assert not torch.equal(first.target, second.target)  # not even the order of the faces follows the labels
    for one, other in zip(first.inputs, second.inputs, strict=True):
        assert torch.equal(one, other)


@needs_lod3
def test_the_areas_of_lod3_are_those_of_its_readme() -> None:
    source = mesh_folder(str(LOD3), texture_dir="textures")
    val = tuple(sample for sample in source.samples if sample.part == "val")
    data = MeshDataset(PreparedMeshes(replace(source, samples=val), Preparation()), val, FaceFeatures())
    totals = np.zeros(256)
    for index in range(len(data)):
        batch = batch_of(data, [Draw(index, 0)])
        assert batch.weights is not None
        totals += np.bincount(batch.target.numpy().ravel(), batch.weights.numpy().ravel() / 1e6, 256)
    np.testing.assert_allclose(totals[:7], [6091, 477, 51, 2631, 2027, 68, 280], atol=0.6)
    assert totals[255] == pytest.approx(30, abs=0.6)
