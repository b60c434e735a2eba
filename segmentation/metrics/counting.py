"""Counting in each sample of a batch by itself, on its device and without waiting for it.

All sums are of integers: they are the same in whatever order they are taken, on one device or several.
"""

import torch
from torch import Tensor


def is_class(target: Tensor, classes: int, ignore_index: int) -> Tensor:
    """Where a target of any integer type is one of the classes 0 to `classes` - 1 and not ignored."""
    target = target.long()  # a byte cannot be compared with what no byte holds
    return (target >= 0) & (target < classes) & (target != ignore_index)


def count_by_sample(cells: Tensor, length: int) -> Tensor:
    """How often each of 0 to `length` - 1 occurs in each sample of `cells` `[B, ...]`, int64: `[B, length]`, int64."""
    cells = _apart(cells, length)
    if cells.is_cpu:
        return torch.bincount(cells.flatten(), minlength=len(cells) * length).view(-1, length)
    return _summed(cells, cells.new_ones(1).expand_as(cells), length)  # bincount would wait for the largest value


def sum_by_sample(cells: Tensor, values: Tensor, length: int) -> Tensor:
    """The sum of the `values` `[B, ...]`, int64, in each of the cells 0 to `length` - 1: `[B, length]`, int64."""
    return _summed(_apart(cells, length), values.flatten(1), length)


def _apart(cells: Tensor, length: int) -> Tensor:
    """`[B, N]`: cells of the next sample follow those of the one before."""
    return cells.flatten(1) + length * torch.arange(len(cells), device=cells.device)[:, None]


def _summed(cells: Tensor, values: Tensor, length: int) -> Tensor:
    sums = cells.new_zeros(len(cells) * length)
    return sums.scatter_add_(0, cells.flatten(), values.flatten()).view(-1, length)
