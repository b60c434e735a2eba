"""Averages of the weights along training, by torch's `AveragedModel`."""

import weakref
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def exponential_average(model: nn.Module, decay: float) -> AveragedModel:
    """EMA of parameters and buffers, to be updated once an optimizer step.

    The decay warms up as min(decay, (1 + n) / (10 + n)) over the updates n, so that the random start is soon forgotten
    and short runs have an average worth evaluating (TensorFlow's ExponentialMovingAverage).
    """
    return _averaged(model, lambda updates: 1 - min(decay, (1 + updates) / (10 + updates)))


def running_average(model: nn.Module) -> AveragedModel:
    """The plain mean of all that it is updated with, batch-norm statistics included (stochastic weight averaging,
    Izmailov et al. 2018, arXiv 1803.05407).
    """
    return _averaged(model, lambda updates: 1 / (updates + 1))


def _averaged(model: nn.Module, weight_after: Callable[[int], float]) -> AveragedModel:
    """An evaluation copy of `model` that moves by `weight_after(updates)` towards what it is updated with."""
    averaged = AveragedModel(model, use_buffers=True)
    counter = weakref.proxy(averaged)  # a cycle would keep the copy in memory after its run, through a whole sweep

    @torch.no_grad()
    def move(averages: Sequence[Tensor], current: Sequence[Tensor], _: Tensor | int) -> None:
        if averages[0].is_floating_point():
            # The counter is read where it lives, on the CPU: the one that torch passes would wait for the device.
            weight = weight_after(int(counter.n_averaged))
            torch._foreach_lerp_(list(averages), list(current), weight)
        else:
            torch._foreach_copy_(list(averages), list(current))  # batch norms' counters

    averaged.multi_avg_fn = move
    for parameter in averaged.parameters():
        parameter.requires_grad_(False)
    return averaged.eval()
