"""PLY files as the SUM data set writes them, ascii or binary, parsed by trimesh.

    comment TextureFile NAME      image number 0, 1, ... in the order of the lines
    element vertex V              x y z
    element face F                vertex_indices, label, texcoord (u v of each corner), texnumber (-1: none)

Gao et al., "SUM: a benchmark dataset of semantic urban meshes", ISPRS Journal 179 (2021). No other property of a face
is taken: `red green blue` (in SUM the colours of the labels), `face_segment_id` and `label_probabilities` tell the
label.
"""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.data.mesh.mesh import Mesh, Polygons
from segmentation.errors import UserError

CORNERS = ("vertex_indices", "vertex_index")
ELEMENT = re.compile(rb"^element +(\w+) +(\d+)", re.MULTILINE)
TEXTURE = re.compile(rb"^comment +TextureFile +(.+?) *\r?$", re.MULTILINE | re.IGNORECASE)
END = b"end_header"
POINTS = "points"


def read_ply(path: Path) -> Mesh:
    """Raises `UserError` naming the file for one that is no PLY, ends early or lacks vertices or faces."""
    try:
        content = path.read_bytes()
        header, end, body = content.partition(END)
        counts = {name: int(count) for name, count in ELEMENT.findall(header)}
        if not end or not {b"vertex", b"face"} <= counts.keys():
            raise ValueError("no header with vertices and faces")
        if 0 in counts.values():
            return Mesh(np.zeros((counts[b"vertex"], 3)), np.zeros((0, 3), np.int32), np.zeros(0, np.int64))
        elements = _elements(header, end + body)
        vertices = np.stack([_column(elements[POINTS], name) for name in "xyz"], axis=1).astype(np.float64)
        return _mesh(vertices, elements["face"], tuple(name.decode() for name in TEXTURE.findall(header)))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except Exception as error:  # trimesh raises anything for a damaged file
        raise UserError(
            f"{path} cannot be read as PLY ({' '.join(str(error).split())}): expected vertices with x y z and faces "
            "with vertex_indices; faces of different numbers of corners, or some without texcoord, need an ascii file"
        ) from error


def _elements(header: bytes, rest: bytes) -> dict[str, Any]:
    """Elements by name, as they are stored: of a file without the element `vertex` trimesh makes nothing more."""
    from trimesh.exchange.ply import load_ply  # costs half a second: only for who reads a PLY

    unlike = header.replace(b"element vertex", f"element {POINTS}".encode())
    elements: dict[str, Any] = load_ply(BytesIO(unlike + rest), skip_materials=True)["metadata"]["_ply_raw"]
    for name, element in elements.items():
        data = element["data"]
        columns = [data] if isinstance(data, np.ndarray) else [np.atleast_1d(column) for column in data.values()]
        if min(map(len, columns)) < element["length"]:
            raise ValueError(f"it ends within the element {name.replace(POINTS, 'vertex')}")
    return elements


def _mesh(vertices: np.ndarray, faces: dict[str, Any], images: tuple[str, ...]) -> Mesh:
    indices = next((name for name in CORNERS if name in faces["properties"]), None)
    if indices is None:
        raise ValueError("its faces have no vertex_indices")
    sizes, corners = _lists(faces, indices)
    uv = _uv(faces, sizes) if images and "texcoord" in faces["properties"] else None
    triangles, uv, polygon = Polygons(sizes, corners, uv).triangles()
    image = None
    if uv is not None:
        number = _column(faces, "texnumber") if "texnumber" in faces["properties"] else np.zeros(len(sizes), np.int32)
        image = np.maximum(number.astype(np.int32), -1)[polygon]
    labels = _labels(faces)[polygon] if "label" in faces["properties"] else None
    return Mesh(vertices, triangles, polygon, labels, uv, image, images)


def _uv(faces: dict[str, Any], sizes: np.ndarray) -> np.ndarray:
    """`[sum of sizes, 2]`, zeros for polygons that have none."""
    lengths, flat = _lists(faces, "texcoord")
    wrong = (lengths != 2 * sizes) & (lengths != 0)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"face {first} has {sizes[first]} corners and {lengths[first]} texture coordinates")
    uv = np.zeros((int(sizes.sum()), 2), np.float32)
    uv[np.repeat(lengths > 0, sizes)] = flat.reshape(-1, 2)
    return uv


def _labels(faces: dict[str, Any]) -> np.ndarray:
    stored = _column(faces, "label")
    labels: np.ndarray = stored.astype(np.int64)
    if (labels != stored).any():
        raise ValueError("labels that are no whole numbers")
    return labels


def _column(element: dict[str, Any], name: str) -> np.ndarray:
    """One number of each row, `[n]`."""
    return np.reshape(element["data"][name], element["length"])


def _lists(element: dict[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """The length of the list in each row, `[n]`, and all lists in one array."""
    count, data = element["length"], element["data"]
    if isinstance(data, np.ndarray) and (data[name]["f0"] != data[name]["f0"][0]).any():
        raise ValueError(f"lists {name} of different lengths")  # trimesh takes all for as long as the first
    column = data[name]["f1"] if isinstance(data, np.ndarray) else data[name]
    if column.dtype == object:
        return np.fromiter(map(np.size, column), np.int64, count), np.concatenate([np.ravel(row) for row in column])
    return np.full(count, column.size // count), np.ravel(column)
