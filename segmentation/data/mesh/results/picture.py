"""A predicted mesh as a picture, for people to look at."""

from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.classes import Classes
from segmentation.data.legend import BACKGROUND, entries, legend
from segmentation.data.mesh.mesh import Mesh
from segmentation.data.mesh.render import view_of
from segmentation.runtime.files import write_atomically

WIDTH = 640  # pixels


def write_picture(path: Path, mesh: Mesh, labels: np.ndarray, classes: Classes) -> None:
    """PNG of the faces in the colours of their class ids `[F]`, with a legend of the classes that are there."""
    view = view_of(mesh.vertices[mesh.faces], WIDTH)
    named = entries(classes, np.unique(labels))
    picture = np.concatenate([view.painted(classes.paint(labels), BACKGROUND), legend(named, WIDTH)])

    def write(temporary: Path) -> None:
        Image.fromarray(picture).save(temporary, "PNG")

    write_atomically(path, write)
