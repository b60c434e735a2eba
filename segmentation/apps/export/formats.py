"""The formats of export.py: how a file of each is written, and how it is opened in its own runtime."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segmentation.engine.proof import Runtime
from segmentation.errors import UserError
from segmentation.inference.deployed import Deployed
from segmentation.inference.exported import ExportedModel
from segmentation.inference.torch_files import write_aot_inductor, write_torch_export, write_torchscript

Write = Callable[[Deployed, Tensor, Path, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Format:
    """`suffix` is what the name of a file ends with, `runtime` the package that runs it, `needs` packages that are not
    installed with the project itself. ONNX files are written with an opset, so `write` is None for them. `compiles`:
    writing takes a C++ compiler.
    """

    suffix: str
    runtime: str
    open: Callable[[Path], Runtime]
    write: Write | None = None
    needs: tuple[str, ...] = ()
    compiles: bool = False

    def refuse_missing(self, name: str) -> None:
        """Raises `UserError` for packages, and for a compiler, that are not installed."""
        missing = [package for package in self.needs if find_spec(package) is None]
        if missing:
            raise UserError(f"format={name} needs {', '.join(missing)}: pip install -e '.[export]'")
        compiler = _compiler()
        if self.compiles and shutil.which(compiler) is None:
            raise UserError(
                f"format={name} needs a C++ compiler, and {compiler} is not installed: install it, or name another in "
                "the environment: CXX=..."
            )


def _compiler() -> str:
    """The one that PyTorch takes."""
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    return shlex.split(os.environ.get("CXX") or usual)[0]


def in_numpy(module: Callable[[Tensor], Any]) -> Runtime:
    """Class ids of a batch of pixels; of several outputs the first."""

    @torch.inference_mode()
    def run(pixels: np.ndarray) -> np.ndarray:
        outputs = module(torch.from_numpy(pixels))
        ids: np.ndarray = (outputs if isinstance(outputs, Tensor) else outputs[0]).numpy()
        return ids

    return run


def _open_onnx(path: Path) -> Runtime:
    model = ExportedModel.open(path, torch.get_num_threads())
    return lambda pixels: model(pixels)[0]


def _open_program(path: Path) -> Runtime:
    return in_numpy(torch.export.load(path).module())


def _open_package(path: Path) -> Runtime:
    return in_numpy(torch._inductor.aoti_load_package(str(path)))


def _open_script(path: Path) -> Runtime:
    return in_numpy(torch.jit.load(str(path)))


ONNX = Format(".onnx", "onnxruntime", _open_onnx, needs=("onnx", "onnxscript", "onnxruntime"))
FORMATS = {
    "onnx": ONNX,
    "tensorrt": ONNX,
    "torch_export": Format(".pt2", "torch", _open_program, write_torch_export),
    "aot_inductor": Format("-aot.pt2", "torch", _open_package, write_aot_inductor, compiles=True),
    "torchscript": Format(".ts", "torch", _open_script, write_torchscript),
}
