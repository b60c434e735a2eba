"""Pooling to so many bins, whatever the size of the picture, says in ONNX what it says in PyTorch."""

from pathlib import Path

import pytest
import torch
from torch import nn

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from segmentation.inference.onnx_file import onnx_program  # noqa: E402 - after what it needs


@pytest.mark.parametrize("bins", [1, (2, 3), 6])
def test_bins_of_any_size(bins: int | tuple[int, int], tmp_path: Path) -> None:
    pool = nn.AdaptiveAvgPool2d(bins).eval()
    free = torch.export.Dim.DYNAMIC
    onnx_program(pool, torch.zeros(2, 3, 12, 18), {0: free, 2: free, 3: free}).save(str(tmp_path / "pool.onnx"))
    session = onnxruntime.InferenceSession(tmp_path / "pool.onnx")
    for height, width in ((12, 18), (7, 11), (2, 3), (40, 5)):
        features = torch.rand(1, 3, height, width)
        (pooled,) = session.run(None, {session.get_inputs()[0].name: features.numpy()})
        torch.testing.assert_close(torch.from_numpy(pooled), pool(features))
