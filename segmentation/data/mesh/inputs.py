"""Meshes to predict: a file, a folder with all below it, or a pattern; and where lies what belongs to each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from segmentation.classes import Classes
from segmentation.data.given import keys_of, search
from segmentation.data.mesh.layouts.mesh_folder import EXTRA, LABELED, PIXELS
from segmentation.data.mesh.source import FORMATS, MeshSample, MeshSource
from segmentation.errors import UserError


class GivenMesh(NamedTuple):
    """`key` is the path below `base`, what was searched, without the suffix: results are named by it."""

    key: str
    path: Path
    base: Path

    def above(self) -> Iterator[Path]:
        """The folder of the mesh and those above it, up to the second above `base`."""
        top = self.base.absolute().parent.parent
        return (folder for folder in self.path.absolute().parents if folder.is_relative_to(top))


class GivenMeshes(NamedTuple):
    """In the order of their names; `unreadable` tells in a line each what cannot be looked at, `passed_over` is how
    many other files are there.
    """

    meshes: tuple[GivenMesh, ...]
    unreadable: tuple[str, ...]
    passed_over: int


def find_meshes(given: str, leave_out: Path | None = None) -> GivenMeshes:
    """PLY and OBJ files, found as pictures are (`data.given.search`); two of one name keep their suffixes in their
    keys. Nothing is read: a mesh may yet turn out to be damaged.
    """
    found = search(given, tuple(FORMATS), "no mesh", leave_out)
    keys = keys_of([path.relative_to(found.base) for path in found.files])
    meshes = (GivenMesh(key, path, found.base) for key, path in zip(keys, found.files, strict=True))
    return GivenMeshes(tuple(meshes), found.unlisted, found.passed_over)


@dataclass(frozen=True)
class Beside:
    """What a data set has beside its meshes, by the names of its folders: `textures`, images or pickled pixels, and
    `extra`, JSON files of which the numbers `extra_names` are used.

    Each is looked for in the folder of a mesh and in those above it, up to the second above what was given: with
    `textures` beside `meshes`, `meshes/val/a.ply`, `meshes/val`, `meshes` and the folder of both can be given. Texture
    images may lie beside the mesh too.
    """

    textures: str | None = None
    extra: str | None = None
    extra_names: Sequence[str] = ()

    def source(self, mesh: GivenMesh, classes: Classes) -> MeshSource:
        """Of this mesh alone, whose labels, if it has any, are not looked at. Raises `UserError` where the numbers of
        its faces are not there.
        """
        textures, extra = (_folder(mesh, name) for name in (self.textures, self.extra))
        numbers = None if extra is None else _companion(mesh, extra, EXTRA)
        if self.extra_names and numbers is None:
            place = f"{self.extra}/{mesh.path.stem}.json"
            raise UserError(
                f"{mesh.path} has no {place}, which tells {', '.join(self.extra_names)}: the model needs it"
            )
        pixels = None if textures is None else _companion(mesh, textures, PIXELS)
        sample = MeshSample(mesh.key, mesh.key, mesh.path, None, pixels, numbers)
        return MeshSource(str(mesh.path), (sample,), classes, (), textures, self.extra_names, labelled=False)


def _folder(mesh: GivenMesh, name: str | None) -> Path | None:
    if name is None:
        return None
    return next((place / name for place in mesh.above() if (place / name).is_dir()), None)


def _companion(mesh: GivenMesh, folder: Path, suffixes: Sequence[str]) -> Path | None:
    """The file of the same name, in the same folders or in fewer, as below `meshes/val` or `val`, or in none."""
    stem = mesh.path.stem.removesuffix(LABELED)
    parts = [mesh.path.absolute().parent.relative_to(place) for place in mesh.above()]
    names = [f"{stem}{end}{suffix}" for end in ("", LABELED) for suffix in suffixes]
    places = (folder / part / name for part in reversed(parts) for name in names)
    return next((place for place in places if place.is_file()), None)
