"""A batch: what the loop passes along without opening it."""

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

Inputs = Any  # a tensor, or a named tuple of tensors and None


class Batch(NamedTuple):
    """`inputs` is what the model takes, a tensor or a named tuple of tensors (None: there is no such), `target`
    `[B, *S]` what loss and metric take, `keys` name the samples, `bad` tells of each that could not be read and was
    replaced.

    `weights` `[B, *S]`, int64, is how much each place counts in scores by weight: the area of a face in mm2. None: all
    places are alike. Targets travel in the smallest type that holds them and become int64 on the device. DataLoader
    pins named tuples by itself.
    """

    inputs: Inputs
    target: Tensor
    keys: tuple[str, ...]
    bad: tuple[str, ...] = ()
    weights: Tensor | None = None

    @property
    def size(self) -> int:
        """The number of samples."""
        return len(self.keys)

    def singles(self) -> Iterator["Batch"]:
        """Each sample as a batch of its own."""
        for place in range(self.size):
            only = slice(place, place + 1)
            inputs, weights = (_each(part, itemgetter(only)) for part in (self.inputs, self.weights))
            yield Batch(inputs, self.target[only], self.keys[only], weights=weights)

    def times(self, count: int) -> "Batch":
        """So many times the same samples in one batch."""
        inputs, target, weights = (
            _each(part, lambda tensor: torch.cat([tensor] * count)) for part in (self.inputs, self.target, self.weights)
        )
        return Batch(inputs, target, self.keys * count, self.bad, weights)

    def to(self, device: torch.device) -> "Batch":
        """Copies do not wait for the device where the memory is pinned."""
        inputs, target, weights = (
            _each(part, lambda tensor: tensor.to(device, non_blocking=True))
            for part in (self.inputs, self.target, self.weights)
        )
        return self._replace(inputs=inputs, target=target.long(), weights=weights)


def _each(part: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """`change` made to a tensor, or to each in a named tuple."""
    if part is None or isinstance(part, Tensor):
        return None if part is None else change(part)
    return type(part)(*(_each(inner, change) for inner in part))
