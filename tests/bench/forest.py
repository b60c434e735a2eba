"""What a random forest makes of the faces of LOD3: the score that a mesh transformer has to beat.

python -m tests.bench.forest [EVALUATION.json of a run on the val split]
"""

import sys
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

from segmentation.data.mesh.dataset import MeshDataset, MeshItem
from segmentation.data.mesh.features import FaceFeatures
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.data.mesh.prepared import Preparation, PreparedMeshes
from segmentation.data.sampler import Draw
from segmentation.runtime.files import read_json
from tests.bench.meshes import LOD3, told

TREES, NEIGHBOURS = 200, 16
FEATURES = FaceFeatures(("corners", "angles", "normal", "area", "height"))


def described(item: MeshItem) -> np.ndarray:
    """`[R, 51]`: the 17 numbers of each face that a model sees, mean and standard deviation of the nearest 16."""
    centres = item.centres.repeat(item.valid.sum(axis=1), axis=0)
    centroids = item.features[:, :9].reshape(-1, 3, 3).mean(axis=1) + centres
    nearest = cKDTree(centroids).query(centroids, k=min(NEIGHBOURS, len(centroids)))[1]
    around = item.features[nearest]
    return np.concatenate([item.features, around.mean(axis=1), around.std(axis=1)], axis=1)


def faces_of(data: MeshDataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers `[R, 51]`, labels `[R]` and areas `[R]` in mm2 of all faces that are classified."""
    rows = []
    for index in range(len(data)):
        item = data[Draw(index, 0)]
        known = item.labels != item.ignore_index
        rows.append((described(item)[known], item.labels[known], item.areas[known]))
    numbers, labels, areas = (np.concatenate(column) for column in zip(*rows, strict=True))
    return numbers, labels, areas


def main() -> None:
    source = mesh_folder(str(LOD3), texture_dir="textures")
    meshes = PreparedMeshes(source, Preparation())
    training, validation = (
        MeshDataset(meshes, [sample for sample in meshes.samples if sample.part == part], FEATURES)
        for part in ("train", "val")
    )
    numbers, labels, _ = faces_of(training)
    told(f"{TREES} trees learn from {len(labels):,} faces, {numbers.shape[1]} numbers each: a minute or two")
    forest = RandomForestClassifier(TREES, n_jobs=-1, random_state=0).fit(numbers, labels)
    numbers, truth, areas = faces_of(validation)
    said = forest.predict(numbers)
    f1, iou = (score(truth, said, average=None, zero_division=0) for score in (f1_score, jaccard_score))
    by_area = accuracy_score(truth, said, sample_weight=areas)
    told(f"F1 by class    {np.round(f1, 3).tolist()}")
    told(
        f"random forest  mean F1 {f1.mean():.3f}  mIoU {iou.mean():.3f}  accuracy {accuracy_score(truth, said):.3f}, "
        f"{by_area:.3f} by area"
    )
    for path in map(Path, sys.argv[1:]):
        scores = read_json(path)["metrics"]
        names = {"mean F1": "val/mDice", "mIoU": "val/mIoU", "accuracy": "val/pixel_accuracy"}
        told(f"{path}  {'  '.join(f'{name} {scores[key]:.3f}' for name, key in names.items())}")


if __name__ == "__main__":
    main()
