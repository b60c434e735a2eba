"""ONNX files as export.py writes them, of one convolution whose weights a test chooses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from segmentation.classes import Classes
from segmentation.inference.exported import INPUT, METADATA


def write_convolution(
    path: Path,
    kernels: np.ndarray,
    classes: Classes,
    probabilities: bool = True,
    layout: str = "nhwc",
    size_in_training: list[int] | None = None,
) -> Path:
    """Kernels `[C, 3, k, k]` on pixels in [0, 1], zeros beyond the picture, softmax, class ids."""
    margin = kernels.shape[-1] // 2
    last = [helper.make_node("Transpose", ["scaled"], ["bands"], perm=[0, 3, 1, 2])] if layout == "nhwc" else []
    nodes = [
        helper.make_node("Cast", [INPUT], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["floats", "white"], ["scaled" if last else "bands"]),
        *last,
        helper.make_node("Conv", ["bands", "kernels"], ["logits"], pads=[margin] * 4),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["logits"], ["ids"], axis=1, keepdims=0),
        helper.make_node("Cast", ["ids"], ["classes"], to=TensorProto.UINT8),
    ]
    shape: list[str | int | None] = ["n", "h", "w", 3] if layout == "nhwc" else ["n", 3, "h", "w"]
    outputs = [helper.make_tensor_value_info("classes", TensorProto.UINT8, ["n", "h", "w"])]
    if probabilities:
        of_classes: list[str | int | None] = ["n", len(classes), "h", "w"]
        outputs.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, of_classes))
    constants = {"white": np.float32(255), "kernels": kernels.astype(np.float32)}
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, shape)],
        outputs,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    about: dict[str, Any] = {
        "classes": classes.to_entries(),
        "ignore_index": classes.ignore_index,
        "input": {
            "name": INPUT,
            "layout": layout,
            "dtype": "uint8",
            "white": 255,
            "bands": 3,
            "size_in_training": size_in_training,
        },
        "outputs": ["classes", "probabilities"] if probabilities else ["classes"],
        "confidence": None,
        "checkpoint": "best",
        "run": "default",
    }
    helper.set_model_props(model, {METADATA: json.dumps(about)})
    onnx.save(model, str(path))
    return path
