"""Files with something for each face of a mesh: labels, further numbers, texture pixels."""

import json
import pickle
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.data.mesh.mesh import Mesh
from segmentation.errors import UserError

LEAKING = ("label", "labels", "class", "face_segment_id", "label_probabilities", "red", "green", "blue")
PIXELS = "a list of (n, [[r, g, b], ...]), one for each face"


def read_labels(path: Path, mesh: Mesh) -> np.ndarray:
    """Of each triangle, `[F]` int64, from one whole number a line for each polygon or triangle. Raises `UserError`."""
    words = _bytes(path).split()
    try:
        labels = np.array([int(word) for word in words], np.int64)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{path} holds something else than one whole number a line") from error
    return _of_faces(labels, mesh, path, "labels")


def refuse_leaking(names: Sequence[str]) -> None:
    """Raises `UserError` for a number of faces that tells the label."""
    leaking = [name for name in names if name.lower() in LEAKING]
    if leaking:
        raise UserError(f"dataset.json_features names {leaking[0]}, which tells the label: a model may not see it")


def read_extra(path: Path, mesh: Mesh, names: Sequence[str]) -> Mapping[str, np.ndarray]:
    """The named numbers, `[F]` float32 each, of a JSON file `{name: [a number for each face]}`. Raises `UserError`."""
    try:
        content = json.loads(_bytes(path))
        return {name: _of_faces(np.array(content[name], np.float32).reshape(-1), mesh, path, name) for name in names}
    except KeyError as error:
        raise UserError(f"{path} has no {error}, which dataset.json_features names") from error
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is not as expected, JSON {{name: [a number for each face]}}") from error


class _NumbersOnly(pickle.Unpickler):
    """Lists, tuples and numbers need no class to be looked up; whatever does could run code."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it wants {module}.{name}")


def read_pixels(path: Path, mesh: Mesh, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Up to `most` pixels of each triangle, evenly spread over those of the file, `[F, most, 3]` uint8, and how many,
    `[F]` uint16, from a pickled list of `(n, [[r, g, b], ...])`. Nothing but lists, tuples and numbers is unpickled.

    Raises `UserError`.
    """
    try:
        with path.open("rb") as file:
            entries = _NumbersOnly(file).load()
        if any(len(pixels) != count for count, pixels in entries):
            raise ValueError("a count that is not that of its pixels")
        totals = np.fromiter((count for count, _ in entries), np.int64, len(entries))
        flat = np.array(list(chain.from_iterable(pixels for _, pixels in entries)) or np.zeros((0, 3), int))
        if flat.shape != (totals.sum(), 3) or flat.dtype.kind not in "iuf" or ((flat < 0) | (flat > 255)).any():
            raise ValueError("colours that are not three numbers from 0 to 255")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except Exception as error:  # a damaged pickle raises anything
        raise UserError(f"{path} is refused ({' '.join(str(error).split())}): expected {PIXELS}") from error
    face = _of_faces(np.arange(len(totals)), mesh, path, "lists of pixels")
    first, counts = np.cumsum(totals) - totals, np.minimum(totals, most)
    place = np.arange(most) * totals[face, None] // np.maximum(counts[face, None], 1)
    valid = np.arange(most) < counts[face, None]
    pixels = np.zeros((len(face), most, 3), np.uint8)
    pixels[valid] = flat[(first[face, None] + place)[valid]]
    return pixels, counts[face].astype(np.uint16)


def _of_faces(values: np.ndarray, mesh: Mesh, path: Path, what: str) -> np.ndarray:
    """What is said of the polygons, or of the triangles that they were made into."""
    if len(values) == mesh.polygons:
        return values[mesh.polygon]
    if len(values) == len(mesh):
        return values
    raise UserError(f"{path} has {len(values)} {what}, the mesh {mesh.polygons} faces: expected one for each")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
