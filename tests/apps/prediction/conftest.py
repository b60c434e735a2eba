"""Pictures to predict, and models that are known exactly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segmentation.apps.prediction.predict import predict
from segmentation.classes import Classes
from tests.conftest import Compose
from tests.inference.onnx_files import write_convolution

Predict = Callable[..., None]
CLASSES = Classes(("red", "green", "blue"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
# Which of red, green and blue is strongest: 0 where red is, and so on, with e^6 for one against e^0 for black.
STRONGEST = 6 * np.eye(3)[:, :, None, None]


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """An exported file that says which colour is the strongest."""
    return write_convolution(tmp_path / "strongest.onnx", STRONGEST, CLASSES)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three pictures of different sizes, one in a folder below."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for seed, (name, size) in enumerate({"a.png": (20, 30), "b.jpg": (17, 33), "sub/c.png": (40, 24)}.items()):
        Image.fromarray(blocks(*size, seed)).save(folder / name, quality=100, subsampling=0)
    return folder


@pytest.fixture
def predicted(composed: Compose, images: Path, exported: Path, tmp_path: Path) -> Predict:
    """`predicted("tile=[16,16]", ...)`: of `images` by `exported` into `out`, as predict.py does."""
    usual = (f"model={exported}", f"input={images}", f"output={tmp_path / 'out'}")

    def run(*options: str) -> None:
        given = {option.partition("=")[0] for option in options}
        predict(composed(*(one for one in usual if one.partition("=")[0] not in given), *options, name="predict"))

    return run


def blocks(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Squares of 5 pixels, each red, green or blue, `[H, W, 3]`."""
    ids = np.random.default_rng(seed).integers(0, 3, (-(-height // 5), -(-width // 5)))
    wide = ids.repeat(5, axis=0).repeat(5, axis=1)[:height, :width]
    picture: np.ndarray = (np.eye(3, dtype=np.uint8) * 255)[wide]
    return picture


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
