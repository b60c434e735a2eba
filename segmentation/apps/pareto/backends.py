"""What runs a model: PyTorch as it is, PyTorch compiled, or onnxruntime. All of them take pixels and give logits."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from segmentation.apps.export.pictures import ProofPictures
from segmentation.apps.export.write import write_onnx_in
from segmentation.inference.deployed import Deployed
from segmentation.inference.exported import ExportedModel
from segmentation.inference.onnx_file import seal
from segmentation.runtime.device import Precision, choose_precision

CPU = torch.device("cpu")


class OnnxModel(nn.Module):
    """A file with probabilities, asked like the model that it was made of.

    The logarithms of the probabilities are its logits, less at each pixel a number that is the same for all classes: it
    makes no difference to classes, nor to the means over tiles and over views. `white` is `max_value` of `Deployed`.
    """

    def __init__(self, exported: ExportedModel, white: float | None) -> None:
        super().__init__()
        self.exported, self.white = exported, white

    def forward(self, pixels: Tensor) -> Tensor:
        stored = pixels if self.white is None else pixels * self.white
        probabilities = torch.from_numpy(self.exported(stored.contiguous().numpy())[1])
        return probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()


@dataclass(frozen=True)
class Backend:
    """`device` is where pixels have to be; `precision` what PyTorch computes in, a file has its own."""

    model: nn.Module
    device: torch.device
    precision: Precision


@dataclass(frozen=True)
class Backends:
    """Of `model`, which lies on `device`; ONNX files are in `folder`."""

    model: nn.Module
    device: torch.device
    pictures: ProofPictures
    folder: Path

    def write(self, precision: str, calibration: Sequence[int], opset: int) -> None:
        """The ONNX file that `open` reads. Raises `UserError` for another opset, exporters raise anything."""
        model = copy.deepcopy(self.model).to(CPU).to(memory_format=torch.contiguous_format)
        deployed = Deployed(model, "nchw", self.pictures.max_value, probabilities=True)
        write_onnx_in(precision, deployed, self.pictures, calibration, self._file(precision), opset)
        seal(self._file(precision), {}, opset)

    def open(self, name: str, precision: str, around: Callable[[nn.Module], nn.Module], example: Tensor) -> Backend:
        """`around` makes of the model what is asked; a compiled one has seen `example` when it is returned."""
        if name == "onnx":
            exported = ExportedModel.open(self._file(precision), torch.get_num_threads())
            return Backend(around(OnnxModel(exported, self.pictures.max_value)), CPU, choose_precision("fp32", CPU))
        computed = choose_precision(precision, self.device)
        if name == "eager":
            return Backend(around(self.model), self.device, computed)
        torch.compiler.reset()  # or it would look for what this size has in common with those before
        backend = Backend(around(torch.compile(self.model)), self.device, computed)  # type: ignore[arg-type]
        with torch.inference_mode(), computed.autocast(self.device):
            backend.model(example.to(self.device))
        return backend

    def _file(self, precision: str) -> Path:
        return self.folder / f"{precision}.onnx"
