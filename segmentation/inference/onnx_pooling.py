"""Adaptive average pooling in ONNX for pictures of any size: PyTorch's exporter writes it for that of its example."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset18 as op

FLOAT = 1  # onnx.TensorProto.FLOAT
Node = Any  # a value of the graph that is being written


def adaptive_average(features: Node, output_size: Sequence[int]) -> Node:
    """`[B, C, h, w]` -> `[B, C, rows, columns]`: bin i of n along an axis of length l is the mean from floor(i l / n)
    up to ceil((i + 1) l / n), as PyTorch has it; written as a product with a matrix of averages along each axis.
    """
    rows, columns = output_size
    if rows == columns == 1:
        return op.GlobalAveragePool(features)
    down = op.CastLike(_averages(op.Shape(features, start=2, end=3), rows), features)
    across = op.CastLike(_averages(op.Shape(features, start=3, end=4), columns), features)
    return op.MatMul(op.MatMul(down, features), op.Transpose(across, perm=[1, 0]))


def _averages(length: Node, bins: int) -> Node:
    """`[bins, length]`, each row the weights of a mean."""
    number: Node = op.Constant(value_ints=[bins])
    column: Node = op.Constant(value_ints=[1])
    start: Node = op.Div(op.Mul(op.Constant(value_ints=list(range(bins))), length), number)
    stop: Node = op.Mul(op.Constant(value_ints=list(range(1, bins + 1))), length)
    stop = op.Div(op.Add(stop, op.Constant(value_ints=[bins - 1])), number)
    start, stop = op.Unsqueeze(start, column), op.Unsqueeze(stop, column)
    place = op.Range(op.Constant(value_int=0), op.Squeeze(length), op.Constant(value_int=1))
    inside = op.And(op.GreaterOrEqual(place, start), op.Less(place, stop))
    counted: Node = op.Cast(inside, to=FLOAT)
    return op.Div(counted, op.Cast(op.Sub(stop, start), to=FLOAT))


TRANSLATED: dict[Callable[..., Any], Callable[..., Any]] = {  # as both does the exporter see it
    torch.ops.aten.adaptive_avg_pool2d.default: adaptive_average,
    torch.ops.aten._adaptive_avg_pool2d.default: adaptive_average,
}
