from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.classes import Classes
from segmentation.data.mesh.formats.ply import read_ply
from segmentation.data.mesh.results.picture import WIDTH, write_picture
from tests.data.mesh import mesh_files

CLASSES = Classes(("wall", "roof", "door"), ((200, 0, 0), (0, 0, 200), (0, 200, 0)))


def test_faces_have_the_colours_of_their_classes(tmp_path: Path) -> None:
    """The roof is on top, and the legend names no doors."""
    mesh = read_ply(mesh_files.write_ply(tmp_path / "box.ply"))
    write_picture(tmp_path / "box.png", mesh, np.where(np.isin(np.arange(12), (2, 3)), 1, 0), CLASSES)
    with Image.open(tmp_path / "box.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape[1] == WIDTH
    red, green, blue = (
        (pixels[..., band] > 90) & (np.delete(pixels, band, axis=-1) < 20).all(axis=-1) for band in range(3)
    )
    assert red.mean() > 0.1
    assert blue.mean() > 0.1
    assert not green.any()
    rows = [np.flatnonzero(of.sum(axis=1) > 50).mean() for of in (blue, red)]
    assert rows[0] < rows[1]
