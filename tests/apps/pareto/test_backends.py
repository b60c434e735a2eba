from pathlib import Path

import torch

from segmentation.apps.export.pictures import ProofPictures
from segmentation.apps.pareto.backends import Backends
from segmentation.apps.pareto.ways import Way
from tests.conftest import Compose
from tests.models.image.small import build, pixels

CPU = torch.device("cpu")


def test_every_backend_gives_the_probabilities_of_the_model(composed: Compose, tmp_path: Path) -> None:
    """Stored values up to 1000, of which a file has to be told; whole images, and tiles in two views."""
    model, images = build("own").eval(), pixels(1, 3, 40, 56) / 255
    run = composed("dataset=david", "dataset.root=x", "dataset.max_value=1000")
    backends = Backends(model, CPU, ProofPictures(run, None, "nchw"), tmp_path)
    backends.write("fp32", [], 18)
    for tile, tta in ((None, {}), ((16, 24), {"flips": ["horizontal"]})):
        way = Way(None, tile, 0.5, tta, "fp32", "onnx")
        opened = {name: backends.open(name, "fp32", way.around, images) for name in ("eager", "onnx")}
        with torch.inference_mode():
            expected, given = (opened[name].model(images).softmax(dim=1) for name in ("eager", "onnx"))
        torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5)
