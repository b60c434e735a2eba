"""ONNX files: written by PyTorch's exporter for every size, quantised to int8, and sealed with what they are."""

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segmentation.errors import UserError
from segmentation.inference.deployed import Deployed
from segmentation.inference.exported import INPUT, METADATA

# What int8 makes smaller and faster. All else stays as it is: what merely moves numbers gains nothing by it, and the
# last steps, from logits to class ids, are where rounding would show.
QUANTISED = ("Conv", "ConvTranspose", "MatMul", "Gemm", "Add", "Relu", "MaxPool", "AveragePool", "GlobalAveragePool")


def write_onnx(deployed: Deployed, example: Tensor, path: Path, opset: int) -> None:
    """By the dynamo exporter, with batch, height and width free; `example` is an input that shows how."""
    free = dict(zip(deployed.free_dimensions, ("batch", "height", "width"), strict=True))
    names = {"input_names": [INPUT], "output_names": deployed.output_names}
    onnx_program(deployed, example, free, opset_version=opset, **names).save(str(path), external_data=False)


def onnx_program(module: nn.Module, example: Tensor, free: Mapping[int, Any], **options: Any) -> torch.onnx.ONNXProgram:
    """Of a module with one input, whose `free` dimensions (and their names) may differ from the example's; `options` go
    to `torch.onnx.export`.
    """
    from segmentation.inference.onnx_pooling import TRANSLATED  # needs onnxscript, which few have installed

    for name in ("onnx_ir", "onnxscript"):  # they tell of every constant that they fold
        logging.getLogger(name).setLevel(logging.WARNING)
    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        dynamic_shapes=(free,),
        custom_translation_table=TRANSLATED,
        verbose=False,
        **options,
    )
    assert program is not None
    return program


def quantise(source: Path, path: Path, pictures: Iterator[np.ndarray]) -> None:
    """int8 weights, for each channel a scale, and uint8 activations in the ranges that `pictures`, inputs of the file
    `source`, show. Static quantisation, so nothing is measured when the file is used.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Pictures(CalibrationDataReader):
        def get_next(self) -> dict[str, np.ndarray] | None:
            pixels = next(pictures, None)
            return None if pixels is None else {INPUT: pixels}

    prepared = path.with_name(f"prepared-{path.name}")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(path),
        Pictures(),
        op_types_to_quantize=list(QUANTISED),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    prepared.unlink()


def seal(path: Path, metadata: Mapping[str, Any], opset: int) -> None:
    """Write into the file what it is, and check it by ONNX's own rules. Raises `UserError` for another opset."""
    import onnx

    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {METADATA: json.dumps(metadata, ensure_ascii=False)})
    onnx.checker.check_model(model, full_check=True)
    given = {entry.domain: entry.version for entry in model.opset_import}[""]
    if given != opset:
        raise UserError(f"opset={opset}: this model could only be written with opset {given}; give opset={given}")
    onnx.save(model, str(path))
