from pathlib import Path

import numpy as np

from segmentation.data.legend import BACKGROUND, MARGIN, TEXT_SIZE
from segmentation.data.mesh.check.pictures import sample_picture
from segmentation.data.mesh.draw import IGNORED, PLAIN
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from segmentation.data.mesh.render import view_of
from segmentation.data.panels import PANEL_WIDTH
from tests.data.mesh.mesh_files import BOX, SIDE_OF, TRIANGLES, write_ply, write_texture

NAMES = ["a", "b", "c", "d", "e", "f"]
PAINT = (10, 120, 200)


def test_a_mesh_in_the_colours_of_its_texture_beside_its_labels(tmp_path: Path) -> None:
    """All faces but those of the ignored side show the texture, which in one file is lost; the last has no labels."""
    uv = np.tile([0.1, 0.1, 0.9, 0.1, 0.1, 0.9], (12, 1))
    textured = np.where(SIDE_OF == 2, -1, 0)
    for name, image in (("a", "t.png"), ("b", "lost.png")):
        labels = np.where(SIDE_OF == 2, -1, SIDE_OF)
        write_ply(tmp_path / f"{name}.ply", labels=labels, uv=uv, images=[image], image=textured)
    write_ply(tmp_path / "c.ply", labels=SIDE_OF + 1)
    write_texture(tmp_path / "t.png", np.full((8, 8, 3), PAINT))
    source = mesh_folder(str(tmp_path), NAMES)
    view = view_of(BOX[TRIANGLES], PANEL_WIDTH)
    top, height = TEXT_SIZE + MARGIN, view.faces.shape[0] * PANEL_WIDTH // view.faces.shape[1]
    of_texture = np.where(textured[:, None] == 0, PAINT, PLAIN)
    of_labels = np.where(SIDE_OF[:, None] == 2, IGNORED, np.array(source.classes.colors)[SIDE_OF])
    for sample, colors in zip(source.samples, (of_texture, np.tile(PLAIN, (12, 1))), strict=False):
        picture = sample_picture(source, sample)
        assert picture is not None
        for place, expected in enumerate((colors, of_labels)):
            left = MARGIN + place * (PANEL_WIDTH + MARGIN)
            panel = picture[top : top + height, left : left + PANEL_WIDTH]
            np.testing.assert_array_equal(panel, view.painted(expected, BACKGROUND))
    assert sample_picture(source, source.samples[2]) is None
