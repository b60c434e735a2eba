"""Wavefront OBJ files with the texture images that their MTL files name.

Parsed here: libraries sort the faces by material and join what they think equal, and then no label fits its face.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segmentation.data.mesh.mesh import Mesh, Polygons
from segmentation.errors import UserError


@dataclass
class _Lines:
    """What the lines of a file say so far; indices count from 0, -1 is none."""

    vertices: list[list[float]] = field(default_factory=list)
    uv: list[list[float]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    corners: list[int] = field(default_factory=list)
    corner_uv: list[int] = field(default_factory=list)
    images: dict[str, int] = field(default_factory=dict)  # by name, in order
    image: list[int] = field(default_factory=list)
    of_material: dict[str, str] = field(default_factory=dict)
    current: int = -1


def read_obj(path: Path) -> Mesh:
    """Faces in the order of the file. Raises `UserError` naming the file, and the line that cannot be understood, or
    the MTL file that is not there.
    """
    lines = _Lines()
    for number, line in enumerate(_text(path).replace("\\\n", " ").splitlines(), 1):
        keyword, _, rest = line.strip().partition(" ")
        try:
            _take(lines, keyword, rest.strip(), path)
        except (ValueError, IndexError) as error:
            raise UserError(f"{path}, line {number}, cannot be read as OBJ: {line.strip()[:80]}") from error
    return _mesh(lines)


def _take(lines: _Lines, keyword: str, rest: str, path: Path) -> None:
    if keyword == "v":
        x, y, z = rest.split()[:3]
        lines.vertices.append([float(x), float(y), float(z)])
    elif keyword == "vt":
        u, v = [*rest.split(), "0"][:2]
        lines.uv.append([float(u), float(v)])
    elif keyword == "f":
        corners = [corner.split("/") for corner in rest.split()]
        lines.sizes.append(len(corners))
        lines.corners += [_index(corner[0], len(lines.vertices)) for corner in corners]
        textured = [_index(corner[1], len(lines.uv)) if len(corner) > 1 and corner[1] else -1 for corner in corners]
        lines.corner_uv += textured
        lines.image.append(-1 if -1 in textured else lines.current)
    elif keyword == "usemtl":
        name = lines.of_material.get(rest)
        lines.current = -1 if name is None else lines.images.setdefault(name, len(lines.images))
    elif keyword == "mtllib":
        lines.of_material |= _materials(path.parent / rest)


def _index(text: str, count: int) -> int:
    """Files count from 1, or backwards from -1. One that does not exist yet is told later, with all others."""
    number = int(text)
    if number == 0 or number < -count:
        raise ValueError
    return number - 1 if number > 0 else count + number


def _materials(path: Path) -> dict[str, str]:
    """The texture image (`map_Kd`) of each material that has one."""
    images: dict[str, str] = {}
    material = ""
    for line in _text(path).splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "newmtl":
            material = rest.strip()
        elif keyword.lower() == "map_kd":
            name = rest.strip()
            images[material] = name.split()[-1] if name.startswith("-") else name  # options come first
    return images


def _mesh(lines: _Lines) -> Mesh:
    corner_uv, known = np.array(lines.corner_uv, np.int64), np.array(lines.uv, np.float64).reshape(-1, 2)
    textured = (corner_uv >= 0) & (corner_uv < len(known))
    uv = np.zeros((len(corner_uv), 2))
    uv[textured] = known[corner_uv[textured]]
    polygons = Polygons(np.array(lines.sizes, np.int64), np.array(lines.corners, np.int64), uv)
    triangles, face_uv, polygon = polygons.triangles()
    vertices, image = np.array(lines.vertices, np.float64).reshape(-1, 3), np.array(lines.image, np.int32)[polygon]
    if not lines.images:
        return Mesh(vertices, triangles, polygon)
    return Mesh(vertices, triangles, polygon, None, face_uv, image, tuple(lines.images))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
