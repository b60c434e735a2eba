"""Predicted meshes as PLY in the SUM format: what `formats.ply` reads, MeshLab and CloudCompare open, and people see.

comment TextureFile NAME      where the mesh shows textures
comment label ID NAME         of each class, and of what is ignored
element vertex V              x y z, as they were
element face F                vertex_indices, label, confidence, red green blue, and where there are textures
                              texcoord (u v of each corner) and texnumber (-1: none)
"""

from pathlib import Path

import numpy as np

from segmentation.classes import Classes
from segmentation.data.mesh.mesh import Mesh
from segmentation.runtime.files import write_atomically

NO_CLASS = "unclassified"  # which readers of the format ignore
IN_PLY = {"<f8": "double", "<f4": "float", "<i4": "int", "|u1": "uchar"}


def write_ply(path: Path, mesh: Mesh, labels: np.ndarray, confidence: np.ndarray, classes: Classes) -> None:
    """Binary, little endian, of all triangles in their order. `labels` `[F]` are class ids, or the ignore index;
    `confidence` `[F]` in [0, 1].
    """
    columns = {"label": labels.astype("<i4"), "confidence": confidence.astype("<f4")}
    columns |= dict(zip(("red", "green", "blue"), classes.paint(labels).T, strict=True))
    lists = {"vertex_indices": mesh.faces.astype("<i4")}
    if mesh.uv is not None and mesh.image is not None:
        lists["texcoord"] = mesh.uv.reshape(-1, 6).astype("<f4")
        columns["texnumber"] = mesh.image.astype("<i4")
    vertices = _table({axis: column.astype("<f8") for axis, column in zip("xyz", mesh.vertices.T, strict=True)}, {})
    faces = _table(columns, lists)
    named = [*enumerate(classes.names), (classes.ignore_index, NO_CLASS)]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment TextureFile {name}" for name in mesh.images),
        *(f"comment label {number} {name}" for number, name in named),
        *_declared("vertex", vertices),
        *_declared("face", faces),
        "end_header\n",
    ]

    def write(temporary: Path) -> None:
        temporary.write_bytes("\n".join(header).encode() + vertices.tobytes() + faces.tobytes())

    write_atomically(path, write)


def _table(columns: dict[str, np.ndarray], lists: dict[str, np.ndarray]) -> np.ndarray:
    """Rows as PLY has them: a list `[n, length]` is its length and then its numbers."""
    parts: list[tuple[str, np.ndarray]] = []
    for name, rows in lists.items():
        parts += [(f"of {name}", np.full(len(rows), rows.shape[1], np.uint8)), (name, rows)]
    parts += columns.items()
    table = np.empty(len(parts[0][1]), [(name, part.dtype, part.shape[1:]) for name, part in parts])
    for name, part in parts:
        table[name] = part
    return table


def _declared(element: str, table: np.ndarray) -> list[str]:
    """The lines of the header."""
    lines = [f"element {element} {len(table)}"]
    for name in (name for name in table.dtype.names or () if not name.startswith("of ")):
        kind = table.dtype[name]
        number = IN_PLY[kind.base.str]
        lines.append(f"property list uchar {number} {name}" if kind.shape else f"property {number} {name}")
    return lines
