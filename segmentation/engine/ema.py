"""Averages of the weights along training, in torch's `AveragedModel`."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class WeightAverage(AveragedModel):
    """An evaluation copy of `model`, parameters and buffers, that moves by `weight_after(updates)` towards the model at
    every update; the first one copies it.

    The update is our own: torch's sends its counter to the device, which waits for it in every step.
    """

    def __init__(self, model: nn.Module, weight_after: Callable[[int], float]) -> None:
        super().__init__(model, use_buffers=True)
        self._weight_after = weight_after
        self.requires_grad_(False)
        self.eval()

    @torch.no_grad()
    def update_parameters(self, model: nn.Module, buffers: Sequence[Tensor] | None = None) -> None:
        """`buffers`: what the model's were, where they have moved on since."""
        updates = int(self.n_averaged)  # on the CPU
        averages, counters = _by_kind([*self.module.parameters(), *self.module.buffers()])
        current, current_counters = _by_kind([*model.parameters(), *(model.buffers() if buffers is None else buffers)])
        if updates:
            torch._foreach_lerp_(averages, current, self._weight_after(updates))
        else:
            torch._foreach_copy_(averages, current)
        if counters:
            torch._foreach_copy_(counters, current_counters)
        self.n_averaged += 1


def _by_kind(tensors: Iterable[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """What can be averaged, and what counts (batch norms' `num_batches_tracked`)."""
    kinds: tuple[list[Tensor], list[Tensor]] = ([], [])
    for tensor in tensors:
        kinds[not tensor.is_floating_point()].append(tensor.detach())
    return kinds


def exponential_average(model: nn.Module, decay: float) -> WeightAverage:
    """EMA of parameters and buffers, to be updated once an optimizer step.

    The decay warms up as min(decay, (1 + n) / (10 + n)) over the updates n, so that the random start is soon forgotten
    and short runs have an average worth evaluating (TensorFlow's ExponentialMovingAverage).
    """
    return WeightAverage(model, lambda updates: 1 - min(decay, (1 + updates) / (10 + updates)))


def running_average(model: nn.Module) -> WeightAverage:
    """The plain mean of all that it is updated with, batch-norm statistics included (stochastic weight averaging,
    Izmailov et al. 2018, arXiv 1803.05407).
    """
    return WeightAverage(model, lambda updates: 1 / (updates + 1))
