"""Mesh files for tests: small ones with known content, and where the real ones are."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT

LOD3 = ROOT.parent / "shared" / "data" / "lod3"
SUM = ROOT.parent / "shared" / "data" / "sum_sample"
needs_lod3 = pytest.mark.skipif(not LOD3.is_dir(), reason="the LOD3 buildings are not here")
needs_sum = pytest.mark.skipif(not SUM.is_dir(), reason="the SUM sample is not here")

# A box of 4 x 2 x 3 m in 12 triangles, counter-clockwise from outside: bottom, top, then the four sides.
BOX = np.array([[x, y, z] for z in (0, 3) for y in (0, 2) for x in (0, 4)], float)
SIDES = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (1, 3, 7, 5), (3, 2, 6, 7), (2, 0, 4, 6)]
TRIANGLES = np.array([triangle for a, b, c, d in SIDES for triangle in ((a, b, c), (a, c, d))])
SIDE_OF = np.repeat(np.arange(6), 2)
AREAS = np.repeat([8, 8, 12, 6, 12, 6], 2) / 2  # m2

SMALL_RUN = (  # of a network that is small enough for tests, on boxes
    *("dataset.faces_per_cluster=4", "dataset.clusters_per_batch=2", "model.encoder.blocks=[both]"),
    *("model.encoder.width=16", "model.encoder.heads=2", "trainer.batch_size=2", "trainer.val_batch_size=2"),
    *("trainer.num_workers=0", "trainer.precision=fp32", "trainer.device=cpu", "trainer.epochs=2"),
)

Faces = Sequence[Sequence[int]] | np.ndarray
Properties = Mapping[str, tuple[str, Sequence[float] | np.ndarray]]  # name: (type in PLY, a number for each face)


def write_ply(
    path: Path,
    vertices: np.ndarray = BOX,
    faces: Faces = TRIANGLES,
    labels: Sequence[int] | np.ndarray | None = SIDE_OF,
    uv: Sequence[Sequence[float]] | np.ndarray | None = None,
    images: Sequence[str] = (),
    image: Sequence[int] | np.ndarray | None = None,
    more: Properties | None = None,
    comments: Sequence[str] = (),
    form: str = "ascii",
) -> Path:
    """In the SUM format; `form` is ascii, binary_little_endian or binary_big_endian."""
    columns: list[tuple[str, str, Sequence[object]]] = [("list uchar int", "vertex_indices", list(faces))]
    if labels is not None:
        columns.append(("int", "label", list(labels)))
    if uv is not None:
        columns.append(("list uchar float", "texcoord", [np.ravel(row).tolist() for row in uv]))
    if image is not None:
        columns.append(("int", "texnumber", list(image)))
    columns += [(kind, name, list(values)) for name, (kind, values) in (more or {}).items()]
    header = ["ply", f"format {form} 1.0", *(f"comment {line}" for line in comments)]
    header += [f"comment TextureFile {name}" for name in images]
    header += [f"element vertex {len(vertices)}", *(f"property double {axis}" for axis in "xyz")]
    header += [f"element face {len(faces)}", *(f"property {kind} {name}" for kind, name, _ in columns), "end_header\n"]
    body = [_row(form, [("double", value) for value in vertex]) for vertex in vertices.tolist()]
    for row in zip(*(values for _, _, values in columns), strict=True):
        body.append(_row(form, [(kind, value) for (kind, _, _), value in zip(columns, row, strict=True)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join(header).encode() + b"".join(body))
    return path


CODES = {"double": "d", "float": "f", "int": "i", "uchar": "B"}


def _row(form: str, cells: list[tuple[str, object]]) -> bytes:
    numbers: list[tuple[str, float]] = []
    for kind, value in cells:
        if kind.startswith("list"):
            items = np.array(value).ravel().tolist()
            numbers += [("B", len(items)), *((CODES[kind.split()[-1]], item) for item in items)]
        else:
            numbers.append((CODES[kind], float(value)))  # type: ignore[arg-type]  # a number, where it is no list
    if form == "ascii":
        return (" ".join(repr(value) if code in "df" else str(int(value)) for code, value in numbers) + "\n").encode()
    code = ("<" if "little" in form else ">") + "".join(code for code, _ in numbers)
    return struct.pack(code, *(value if code in "df" else int(value) for code, value in numbers))


def write_texture(path: Path, pixels: Sequence[Sequence[Sequence[int]]] | np.ndarray) -> Path:
    """`[H, W, 3]`, losslessly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(pixels, np.uint8)).save(path)
    return path


def write_obj(path: Path, lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines, encoding="utf-8")
    return path


def write_boxes(root: Path, train: int = 4, val: int = 2) -> Path:
    """Boxes of growing sizes in train/ and val/, a class for each side, with one image in textures/."""
    rng = np.random.default_rng(0)
    for index in range(train + val):
        uv, image = rng.random((len(TRIANGLES), 3, 2)), np.zeros(len(TRIANGLES), int)
        place = root / ("train" if index < train else "val") / f"{index}.ply"
        names = [f"label {number} side{number}" for number in range(6)]
        write_ply(place, BOX * (1 + index / 4), uv=uv, images=["wall.png"], image=image, comments=names)
    (root / "textures").mkdir()
    Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(root / "textures" / "wall.png")
    return root
