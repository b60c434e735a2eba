"""What meshes cost: features and clusters, samples kept on disk, a run's waiting for data, a large mesh's memory.

python -m tests.bench.meshes
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from segmentation.apps.training.train import train
from segmentation.build.make import plain
from segmentation.build.meshes import face_features
from segmentation.build.model import build_model
from segmentation.build.training import build_options
from segmentation.classes import Classes
from segmentation.data.mesh.augmentation import MeshAugmentation
from segmentation.data.mesh.clusters import clusters, grid
from segmentation.data.mesh.condition import condition
from segmentation.data.mesh.dataset import MeshDataset, MeshInputs, collate
from segmentation.data.mesh.features import WIDTHS, FaceFeatures, areas
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.data.mesh.prepared import Preparation, PreparedMeshes, prepare_mesh
from segmentation.data.mesh.surroundings import surroundings
from segmentation.data.sampler import Draw
from segmentation.runtime.device import peak_memory_mb, reset_peak_memory
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.engine.configured import configured

ROOT = Path(__file__).resolve().parents[2]
LOD3 = ROOT.parent / "shared" / "data" / "lod3"
FACES, MANY_FACES, ROUNDS, PIXELS, BATCH = 100_000, 150_000, 5, 16, 4
FEATURES = FaceFeatures(tuple(WIDTHS), frequencies=4)
MOST_SECONDS, LEAST_RATIO = 1.0, 20.0  # for all features of 100,000 faces; building over loading
MOST_WAITING = 0.05  # of the time of training, for data
CPU = torch.device("cpu")


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The median, of processor time: other processes do not count."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def told(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def hills(faces: int) -> tuple[np.ndarray, np.ndarray]:
    """A square of terrain, vertices `[V, 3]` 1 m apart and about `faces` triangles."""
    side = round((faces / 2) ** 0.5)
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(side + 1.0), np.arange(side + 1.0), indexing="ij"))
    corner = (np.arange(side)[:, None] * (side + 1) + np.arange(side)).ravel()
    first = np.stack([corner, corner + side + 1, corner + 1], axis=1)
    second = np.stack([corner + 1, corner + side + 1, corner + side + 2], axis=1)
    heights = 5 * np.sin(x / 20) + np.random.default_rng(0).random(len(x))
    return np.stack([x, y, heights], axis=1), np.concatenate([first, second]).astype(np.int32)


def features_of_a_large_mesh() -> float:
    """Prints the time of each step; returns that of all features, in seconds."""
    vertices, faces = hills(FACES)
    corners = vertices[faces].astype(np.float32)
    around, nothing = np.zeros((len(faces), 2), np.float32), np.zeros((len(faces), 0), np.float32)
    steps = {
        "features of faces": lambda: FEATURES(corners, corners[:, 0], around, nothing),
        "height and roughness": lambda: surroundings(vertices, faces),
        "clusters": lambda: clusters(corners.mean(axis=1), 128),
        "condition": lambda: condition(vertices, faces, areas(corners)),
    }
    taken = {name: seconds(step) for name, step in steps.items()}
    for name, time_taken in taken.items():
        told(f"{name:24} {1000 * time_taken:8.0f} ms for {len(faces):,} faces")
    return taken["features of faces"] + taken["height and roughness"]


def loading_over_building() -> float:
    """Prints what samples of the largest building cost; returns how much faster loading is."""
    source = mesh_folder(str(LOD3), texture_dir="textures")
    meshes = PreparedMeshes(source, Preparation(pixels_per_face=PIXELS))
    counts = meshes.counts.sum(axis=1)
    largest = meshes.samples[int(counts.argmax())]
    building = seconds(lambda: prepare_mesh(source, largest, meshes.preparation))
    loading = seconds(lambda: meshes.read(largest), 20)
    data = MeshDataset(meshes, meshes.samples, FEATURES, MeshAugmentation(noise=0.01, contrast=0.2), 16)
    drawing = seconds(lambda: data[Draw(int(counts.argmax()), 0)], 20)
    items = [data[Draw(index, 0)] for index in np.argsort(-counts)[:BATCH]]
    batching = seconds(lambda: collate(items), 20)
    told(f"{counts.max():,} faces of {PIXELS} pixels, ms: built {1000 * building:.0f}, loaded {1000 * loading:.1f}")
    told(
        f"16 of its clusters, ms: loaded and augmented {1000 * drawing:.1f}; {BATCH} such batched {1000 * batching:.1f}"
    )
    return building / loading


def waiting_share() -> float:
    """Of the second epoch of a run on the buildings, its meshes being prepared: what goes to waiting for samples."""
    with TemporaryDirectory() as folder:
        train(
            configured("experiment=lod3_textured", f"dataset.root={LOD3}", "trainer.epochs=2", "trainer.device=cpu"),
            Path(folder) / "run",
        )
        return float(read_json(RunFolder(Path(folder) / "run").history)[1]["data_wait_fraction"])


def memory_of_a_large_mesh() -> float:
    """GB that the forward pass of the shipped network adds at its peak, in fp32."""
    cfg = configured("model=nomeformer", "dataset=lod3")
    vertices, faces = hills(MANY_FACES)
    corners = vertices[faces].astype(np.float32)
    _, starts = clusters(corners.mean(axis=1), cfg.dataset.faces_per_cluster)
    places = grid(starts, np.arange(len(starts) - 1))
    mask = torch.from_numpy(places >= 0)[None]
    features = torch.zeros(*mask.shape, face_features(cfg.dataset).width)
    inputs = MeshInputs(features, mask, torch.zeros(*mask.shape[:2], 3))
    classes = Classes.from_entries(plain(cfg.dataset.classes), cfg.dataset.ignore_index)
    model = build_model(cfg, classes, build_options(cfg, validates=True), CPU, pretrained=False).eval()
    reset_peak_memory(CPU)
    before = peak_memory_mb(CPU)
    with torch.inference_mode():
        model(inputs)
    return (peak_memory_mb(CPU) - before) / 1000


def main() -> None:
    taken = features_of_a_large_mesh()
    passed = taken <= MOST_SECONDS
    told(f"all features             {taken:8.2f} s, at most {MOST_SECONDS}: {'ok' if passed else 'TOO SLOW'}")
    if LOD3.is_dir():
        with TemporaryDirectory() as cache:
            os.environ["XDG_CACHE_HOME"] = cache
            ratio = loading_over_building()
            waiting = waiting_share()
        fast = ratio >= LEAST_RATIO
        told(f"loading over building    {ratio:8.0f} x, at least {LEAST_RATIO:.0f}: {'ok' if fast else 'TOO SLOW'}")
        passed &= fast
        ready = waiting <= MOST_WAITING
        verdict = "ok" if ready else "TOO SLOW"
        told(f"waiting for data         {waiting:8.1%} of training, at most {MOST_WAITING:.0%}: {verdict}")
        passed &= ready
    told(f"a forward pass of {MANY_FACES:,} faces takes {memory_of_a_large_mesh():.2f} GB more, in fp32")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
