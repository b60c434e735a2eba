"""One look at every mesh: whether it can be used, what its faces are, and what tells copies of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segmentation.data.fingerprint import fingerprint
from segmentation.data.kept import keep_arrays, read_arrays
from segmentation.data.mesh.condition import Condition, condition
from segmentation.data.mesh.features import areas
from segmentation.data.mesh.formats.per_face import read_pixels
from segmentation.data.mesh.mesh import Mesh
from segmentation.data.mesh.prepared import counts_by_class, in_mm2
from segmentation.data.mesh.source import MeshSample, MeshSource
from segmentation.data.mesh.texture import read_texture
from segmentation.errors import UserError

DIGEST_BYTES = 16
STEP = 1e-3  # m: corners that are nearer are the same


@dataclass(frozen=True)
class MeshScan:
    """Of each sample, 0 where the mesh cannot be used, which `errors` tells by key: `counts` `[N, C + 1]` int64, faces
    of each class, the ignored ones last; `areas` `[N, C + 1]` int64, the same in mm2; `conditions` `[N, 8]` as
    `Condition`; `textured` `[N]`, faces that show a texture; `digests` `[N, 16]` uint8, the same for the same triangles
    in any order and place. `images`: the names of all texture images of each sample. `texture_errors`: what is missing
    or unreadable of them, by the file or by the mesh that names it.
    """

    keys: tuple[str, ...]
    counts: np.ndarray
    areas: np.ndarray
    conditions: np.ndarray
    textured: np.ndarray
    digests: np.ndarray
    images: tuple[tuple[str, ...], ...]
    errors: Mapping[str, str]
    texture_errors: Mapping[str, str]

    def contents(self) -> dict[str, bytes]:
        """By key, of the meshes that can be used: the same bytes for the same geometry."""
        digests = zip(self.keys, self.digests, strict=True)
        return {key: digest.tobytes() for key, digest in digests if key not in self.errors}


class _Look(NamedTuple):
    counts: np.ndarray
    areas: np.ndarray
    conditions: np.ndarray
    textured: np.ndarray
    digests: np.ndarray
    images: np.ndarray


def scan_meshes(source: MeshSource, advance: Callable[[], None] = lambda: None) -> MeshScan:
    """Read all meshes and what belongs to them, or take what an earlier scan of the same files found."""
    keys = tuple(sample.key for sample in source.samples)
    name = _name(source)
    kept = read_arrays(name)
    if kept is not None and kept.keys() == set(_Look._fields):
        return _scan(keys, _Look(**kept), {}, {})
    looks: list[_Look] = []
    errors: dict[str, str] = {}
    texture_errors: dict[str, str] = {}
    readable: dict[Path, str | None] = {}
    for sample in source.samples:
        try:
            mesh = source.read(sample)
            textured = _textured(sample, mesh)
            looks.append(_look(source, mesh, textured))
            texture_errors |= _texture_errors(source, sample, mesh, readable)
        except UserError as error:
            errors[sample.key] = str(error)
            looks.append(_nothing(source))
        advance()
    look = _Look(*map(np.array, zip(*looks, strict=True)))
    if not errors and not texture_errors:  # they may be of the moment
        keep_arrays(name, look._asdict())
    return _scan(keys, look, errors, texture_errors)


def _scan(keys: tuple[str, ...], look: _Look, errors: Mapping[str, str], of_textures: Mapping[str, str]) -> MeshScan:
    images = tuple(tuple(json.loads(names)) for names in look.images)
    return MeshScan(keys, *look[:-1], images, errors, of_textures)


def _name(source: MeshSource) -> str:
    """What the scan is kept under."""
    files = {path for sample in source.samples for path in source.files(sample)}
    told = (source.classes.names, source.classes.ignore_index, source.label_ids, source.labelled, source.extra_names)
    return f"meshes-{fingerprint(files | set(source.pictures()), source.samples, source.textures, told)}"


def _look(source: MeshSource, mesh: Mesh, textured: int) -> _Look:
    assert mesh.labels is not None
    corners = mesh.vertices[mesh.faces]
    of_faces = areas(corners)
    counts, by_area = counts_by_class(mesh.labels, in_mm2(of_faces), len(source.classes))
    odd = condition(mesh.vertices, mesh.faces, of_faces)
    return _Look(
        counts, by_area, np.array(odd), np.array(textured), _digest(corners), np.array(json.dumps(mesh.images))
    )


def _nothing(source: MeshSource) -> _Look:
    zeros = np.zeros(len(source.classes) + 1, np.int64)
    odd = np.zeros(len(Condition._fields), np.int64)
    return _Look(zeros, zeros, odd, np.array(0), np.zeros(DIGEST_BYTES, np.uint8), np.array("[]"))


def _textured(sample: MeshSample, mesh: Mesh) -> int:
    """How many faces show a texture. Raises `UserError` for pickled pixels that cannot be read."""
    if sample.pixels is not None:
        return int((read_pixels(sample.pixels, mesh, 1)[1] > 0).sum())
    return 0 if mesh.image is None else int((mesh.image >= 0).sum())


def _texture_errors(
    source: MeshSource, sample: MeshSample, mesh: Mesh, readable: dict[Path, str | None]
) -> dict[str, str]:
    """By mesh or by file. `readable` has what was read before: many meshes may show one image."""
    if sample.pixels is not None:
        return {}
    try:
        paths = source.texture_files(sample, mesh)
    except UserError as error:
        return {sample.key: str(error)}
    for path in paths:
        if path not in readable:
            readable[path] = _why_not(path)
    return {str(path): told for path in paths if (told := readable[path]) is not None}


def _why_not(path: Path) -> str | None:
    try:
        read_texture(path)
    except UserError as error:
        return str(error)
    return None


def _digest(corners: np.ndarray) -> np.ndarray:
    """Of the triangles `[F, 3, 3]`, wherever they are: `[16]` uint8."""
    steps = np.rint((corners - corners.min(axis=(0, 1))) / STEP).astype(np.int64)
    by_corner = np.lexsort(steps.transpose(2, 0, 1), axis=1)
    triangles = np.take_along_axis(steps, by_corner[..., None], axis=1).reshape(len(steps), 9)
    in_order = np.ascontiguousarray(triangles[np.lexsort(triangles.T)])
    return np.frombuffer(blake2b(in_order.data, digest_size=DIGEST_BYTES).digest(), np.uint8)
