"""How much memory a large picture takes, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segmentation.classes import Classes
from tests.inference.onnx_files import write_convolution

PROGRAM = """
import resource, sys
from hydra import compose, initialize_config_dir
from segmentation.apps.prediction.predict import predict
from segmentation.data.image import inputs
folder, large, *options = sys.argv[1:]
inputs.LARGE = int(large)
with initialize_config_dir(folder, version_base="1.3"):
    small, big = (compose("predict", [f"input={path}", f"output={out}", *options[4:]]) for path, out in
                  (options[:2], options[2:4]))
predict(small)  # with all that is imported, and the model's own memory
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
predict(big)
print("grown by", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, "MiB")
"""
ROOT = Path(__file__).resolve().parents[3]


def grown(tmp_path: Path, side: int, number: int, large: int, *options: str) -> int:
    """By how many MiB the process grows for a picture of `side` x `side`, of which so many classes are told apart."""
    colors = tuple((10 * index, 250 - 10 * index, index) for index in range(number))
    classes = Classes(tuple(f"class {index}" for index in range(number)), colors)
    kernels = np.random.default_rng(0).normal(0, 9, (number, 3, 1, 1))
    model = write_convolution(tmp_path / "model.onnx", kernels, classes)
    block = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
    for name, size in (("small", 1100), ("big", side)):
        tiles = (block for _ in range((-(-size // 256)) ** 2))
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, tiles, shape=(size, size, 3), dtype=np.uint8, tile=(256, 256), photometric="rgb")
    places = [str(tmp_path / name) for name in ("small.tif", "out-small", "big.tif", "out-big")]
    command = [sys.executable, "-c", PROGRAM, str(ROOT / "conf" / "predict"), str(large), *places, f"model={model}"]
    result = subprocess.run([*command, *options], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    mask = tifffile.imread(tmp_path / "out-big" / "masks" / "big.tif")
    assert mask.shape == (side, side)
    expected = (kernels[:, :, 0, 0] @ (block.reshape(-1, 3).T / 255)).argmax(axis=0).reshape(256, 256)
    assert (mask[-1000:, :256] == np.tile(expected, (side // 256 + 2, 1))[:side][-1000:]).mean() > 0.999
    return int(result.stdout.split("grown by ")[1].split()[0])


def test_the_memory_does_not_grow_with_the_height_of_a_picture(tmp_path: Path) -> None:
    """36 megapixels taken for large. Its probabilities alone would be 700 MiB; its pixels are 100, and kept."""
    assert grown(tmp_path, 6000, 5, 1_000_000, "overlap=0", "colour=false") < 450


@pytest.mark.soak
def test_a_picture_of_20000_x_20000_takes_less_than_2_gib(tmp_path: Path) -> None:
    options = ("probabilities=confidence", "pseudo_labels=true", "overlap=0.25")
    assert grown(tmp_path, 20_000, 11, 64_000_000, *options) < 2048
