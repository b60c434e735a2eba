"""Meshes made ready for batches: clustered, measured, their textures sampled, and kept on disk."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from segmentation.data.faults import counted, refuse
from segmentation.data.fingerprint import fingerprint
from segmentation.data.kept import keep_arrays, keep_within, read_arrays
from segmentation.data.mesh.clusters import clusters
from segmentation.data.mesh.condition import Condition, condition
from segmentation.data.mesh.features import areas
from segmentation.data.mesh.formats.per_face import read_pixels
from segmentation.data.mesh.mesh import Mesh
from segmentation.data.mesh.source import MeshSample, MeshSource
from segmentation.data.mesh.surroundings import surroundings
from segmentation.data.mesh.texture import read_texture, sample_pixels
from segmentation.errors import UserError
from segmentation.runtime.console import progress_bar

VERSION = 1  # counts up when what is kept changes
MM2 = 1e6  # in a square metre
FOLDER = "meshes"  # of what is kept


@dataclass(frozen=True)
class Preparation:
    """`faces_per_cluster`: at most. `pixels_per_face`: of the texture, at most; 0: no textures are read."""

    faces_per_cluster: int = 128
    pixels_per_face: int = 0


class PreparedMesh(NamedTuple):
    """V vertices, F faces in the order of the clusters, of which there are N.

    `vertices` `[V, 3]` float32 in m, from the middle of the mesh above its lowest point. `faces` `[F, 3]` int32.
    `labels` `[F]` uint8 class ids. `areas` `[F]` int64 in mm2. `order` `[F]`: the place of each face among the
    triangles of the file. `starts` `[N + 1]`: cluster i has the faces from `starts[i]` to `starts[i + 1]`. `around`
    `[F, 2]` float32: height above the ground and roughness, in m. `extra` `[F, E]` float32. `pixels` `[F, K, 3]` uint8
    and how many each face has, `counts` `[F]` uint16. `condition` is that of the mesh.
    """

    vertices: np.ndarray
    faces: np.ndarray
    labels: np.ndarray
    areas: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    around: np.ndarray
    extra: np.ndarray
    pixels: np.ndarray
    counts: np.ndarray
    condition: np.ndarray


def prepare(mesh: Mesh, source: MeshSource, sample: MeshSample, preparation: Preparation) -> PreparedMesh:
    """Of a mesh as `source` read it. Raises `UserError` for pixels or texture images that cannot be used."""
    pixels, counts = texture_pixels(mesh, source, sample, preparation.pixels_per_face)
    corners = mesh.vertices[mesh.faces]
    face_areas = areas(corners)
    order, starts = clusters(corners.mean(axis=1), preparation.faces_per_cluster)
    low, high = (bound(corners.reshape(-1, 3), axis=0) for bound in (np.min, np.max))
    middle = np.append((low[:2] + high[:2]) / 2, low[2])
    extra = np.array(list(mesh.extra.values()), np.float32).reshape(len(mesh.extra), len(mesh)).T
    assert mesh.labels is not None
    return PreparedMesh(
        vertices=(mesh.vertices - middle).astype(np.float32),
        faces=mesh.faces[order],
        labels=mesh.labels[order],
        areas=in_mm2(face_areas[order]),
        order=order,
        starts=starts,
        around=surroundings(mesh.vertices - middle, mesh.faces)[order],
        extra=extra[order],
        pixels=pixels[order],
        counts=counts[order],
        condition=np.array(condition(mesh.vertices, mesh.faces, face_areas)),
    )


def in_mm2(areas: np.ndarray) -> np.ndarray:
    """Of areas in m2 `[F]`, int64: sums of them are exact."""
    return np.rint(areas * MM2).astype(np.int64)


def counts_by_class(labels: np.ndarray, areas: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """How many faces each of `classes` has, the ignored ones last, and their area: `[C + 1]` int64 each. `labels` `[F]`
    are class ids or the ignore index, `areas` `[F]` int64.
    """
    column = np.minimum(labels, classes)
    by_area = np.zeros(classes + 1, np.int64)
    np.add.at(by_area, column, areas)
    return np.bincount(column, minlength=classes + 1), by_area


def texture_pixels(mesh: Mesh, source: MeshSource, sample: MeshSample, most: int) -> tuple[np.ndarray, np.ndarray]:
    """`[F, K, 3]` uint8, and how many each face has, up to `most`: `[F]` uint16. Raises `UserError` for pixels or
    texture images that cannot be used.
    """
    if most and sample.pixels is not None:
        return read_pixels(sample.pixels, mesh, most)
    if not most or mesh.uv is None or mesh.image is None:
        return np.zeros((len(mesh), most, 3), np.uint8), np.zeros(len(mesh), np.uint16)
    images = [read_texture(path) for path in source.texture_files(sample, mesh)]
    return sample_pixels(mesh.uv, mesh.image, images, most)


class PreparedMeshes:
    """All meshes of a source; those that are on disk already are not read again.

    `samples` are those that can be used; `clusters` `[n]` says how many each has, `counts` `[n, C + 1]` int64 how many
    faces of each class, the ignored ones last, `conditions` what is odd about each. On disk, all that was ever prepared
    takes `cache_bytes` at most, or what this source needs; None: any. Raises `UserError` with all faults of all files.
    """

    def __init__(self, source: MeshSource, preparation: Preparation, cache_bytes: int | None = None) -> None:
        self.source, self.preparation = source, preparation
        pictures = fingerprint(source.pictures() if preparation.pixels_per_face else ())
        self._names = {sample.key: _name(source, sample, pictures, preparation) for sample in source.samples}
        name_of_all = f"{FOLDER}/all-{fingerprint((), *self._names.values())}"
        kept = read_arrays(name_of_all)
        if kept is None:
            kept = self._look_at_all()
            if kept["good"].all():  # faults may be of the moment
                keep_arrays(name_of_all, kept)
        if cache_bytes is not None:
            keep_within(FOLDER, (name_of_all, *self._names.values()), cache_bytes)
        self.samples = [sample for sample, good in zip(source.samples, kept["good"], strict=True) if good]
        self.clusters, self.counts = kept["clusters"], kept["counts"]
        self.conditions = [Condition(*row) for row in kept["conditions"].tolist()]

    def read(self, sample: MeshSample) -> PreparedMesh:
        """From disk; prepared anew where it is not there."""
        name = self._names[sample.key]
        kept = read_arrays(name)
        if kept is not None and kept.keys() == set(PreparedMesh._fields):
            return PreparedMesh(**kept)
        mesh = prepare(self.source.read(sample), self.source, sample, self.preparation)
        keep_arrays(name, mesh._asdict())
        return mesh

    def counts_of(self, keys: Iterable[str]) -> np.ndarray:
        """Faces by class `[n, C]` of the samples named, in their order here: for class weights and sampling."""
        chosen = set(keys)
        return self.counts[np.array([sample.key in chosen for sample in self.samples], bool), :-1]

    def _look_at_all(self) -> dict[str, np.ndarray]:
        faults, rows = [], []
        good = np.zeros(len(self.source.samples), bool)
        with progress_bar("preparing meshes", len(good)) as bar:
            for place, sample in enumerate(self.source.samples):
                try:
                    rows.append(self._row(self.read(sample)))
                    good[place] = True
                except UserError as error:
                    faults.append(str(error))
                bar.advance()
        refuse(f"{self.source.title} has {counted(faults)}: mend or remove these", faults)
        if not rows:
            raise UserError(f"{self.source.title} holds no mesh that can be used")
        columns = map(np.array, zip(*rows, strict=True))
        return dict(zip(("clusters", "counts", "conditions"), columns, strict=True)) | {"good": good}

    def _row(self, mesh: PreparedMesh) -> tuple[int, np.ndarray, np.ndarray]:
        counts, _ = counts_by_class(mesh.labels, mesh.areas, len(self.source.classes))
        return len(mesh.starts) - 1, counts, mesh.condition


def _name(source: MeshSource, sample: MeshSample, pictures: str, preparation: Preparation) -> str:
    """Changes with the files, the `pictures` among them, and with all that decides what is made of them."""
    labels = (len(source.classes), source.classes.ignore_index, source.label_ids, source.labelled)
    wanted = (sample.mesh, sample.labels, sample.pixels, sample.extra)
    told = (wanted, labels, source.extra_names, source.textures, pictures, preparation, VERSION)
    return f"{FOLDER}/{fingerprint(source.files(sample), *told)}"
