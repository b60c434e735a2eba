"""A batch: what the loop passes along without opening it."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """`inputs` is what the model takes, `target` `[B, *S]` what loss and metric take, `keys` name the samples, `bad`
    tells of each that could not be read and was replaced.

    Targets travel in the smallest type that holds them and become int64 on the device. DataLoader pins a named tuple
    by itself.
    """

    inputs: Tensor
    target: Tensor
    keys: tuple[str, ...]
    bad: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The number of samples."""
        return len(self.keys)

    def singles(self) -> Iterator["Batch"]:
        """Each sample as a batch of its own."""
        for place in range(self.size):
            only = slice(place, place + 1)
            yield Batch(self.inputs[only], self.target[only], self.keys[only])

    def to(self, device: torch.device) -> "Batch":
        """Copies do not wait for the device where the memory is pinned."""
        inputs = self.inputs.to(device, non_blocking=True)
        target = self.target.to(device, non_blocking=True)
        return self._replace(inputs=inputs, target=target.long())
