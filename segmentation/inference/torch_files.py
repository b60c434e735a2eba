"""Files that PyTorch itself runs: exported programs, their compiled packages, and TorchScript.

Written by Python from memory: where there is no space, PyTorch's own writer ends the process.
"""

import json
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segmentation.inference.deployed import Deployed
from segmentation.inference.exported import METADATA


def write_torch_export(deployed: Deployed, example: Tensor, path: Path, metadata: Mapping[str, Any]) -> None:
    """`torch.export.load(path, extra_files={METADATA: ""})` reads program and metadata."""
    content = BytesIO()
    torch.export.save(_program(deployed, example), content, extra_files={METADATA: _text(metadata)})
    path.write_bytes(content.getbuffer())


def write_aot_inductor(deployed: Deployed, example: Tensor, path: Path, metadata: Mapping[str, Any]) -> None:
    """Compiled for this kind of machine, which needs a C++ compiler; what uses the file needs none."""
    configs = {"aot_inductor.metadata": {METADATA: _text(metadata)}}
    torch._inductor.aoti_compile_and_package(
        _program(deployed, example), package_path=str(path), inductor_configs=configs
    )


def write_torchscript(deployed: Deployed, example: Tensor, path: Path, metadata: Mapping[str, Any]) -> None:
    """`torch.jit.load(path, _extra_files={METADATA: ""})` reads module and metadata."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated, and of each size that is asked for
        traced = torch.jit.trace(deployed, example, check_trace=False)
        content = BytesIO()
        torch.jit.save(traced, content, _extra_files={METADATA: _text(metadata)})
        path.write_bytes(content.getbuffer())


def _program(deployed: Deployed, example: Tensor) -> torch.export.ExportedProgram:
    free = dict.fromkeys(deployed.free_dimensions, torch.export.Dim.DYNAMIC)
    with torch.no_grad():
        return torch.export.export(deployed, (example,), dynamic_shapes=(free,))


def _text(metadata: Mapping[str, Any]) -> str:
    return json.dumps(metadata, ensure_ascii=False)
