"""The metric that keeps what it counted in each sample, so that later questions are answered without the model."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segmentation.classes import Classes
from segmentation.metrics.scores import CONFUSIONS
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.outputs import Outputs

# Logits `[B, C, *S]` and target `[B, *S]` -> what is counted in each sample, `[B, ...]` of one shape and type for every
# batch, on the outputs' device and without waiting for it.
Counter = Callable[[Outputs, Tensor], Tensor]

MOST_ON_DEVICE = 64 * 2**20  # bytes


class SampleMetric(SegmentationMetric):
    """Counts as `SegmentationMetric` does, to the same sums, and keeps the counts of every sample with its key.

    `"confusion"` is always counted, `"area"` where the batches have weights; `counters` count what else is wanted, by
    name. The counts stay on the device and are not waited for; only where they have grown to 64 MiB (20,000 images of
    19 classes) are they moved to the CPU.
    """

    keys: list[str]

    def __init__(self, classes: Classes, counters: Mapping[str, Counter] | None = None) -> None:
        self.counters = dict(counters or {})
        if taken := self.counters.keys() & set(CONFUSIONS):
            raise ValueError(f"{', '.join(taken)} is counted anyway: give the counter another name")
        super().__init__(classes)

    def reset(self) -> None:
        super().reset()
        self.keys = []
        self._on_device: dict[str, list[Tensor]] = defaultdict(list)
        self._on_cpu: dict[str, list[Tensor]] = defaultdict(list, {name: [] for name in ("confusion", *self.counters)})
        self._on_cpu["confusion"].append(self.confusion.new_zeros(0, *self.confusion.shape))
        self._bytes = 0

    def update(self, outputs: Outputs, target: Tensor, keys: Sequence[str], weights: Tensor | None = None) -> None:
        """Count one batch, of the samples `keys`. Raises as `SegmentationMetric.update` does, and `ValueError` where a
        counter does not give one entry for each key.
        """
        confusions = self._counted(outputs, target, weights)
        counts = confusions | {name: counter(outputs, target) for name, counter in self.counters.items()}
        for name, part in counts.items():
            if len(part) != len(keys):
                raise ValueError(f"{name}: {len(part)} entries for a batch of {len(keys)} samples, expected one each")
        self._add(confusions)
        self.keys += keys
        for name, part in counts.items():
            self._on_device[name].append(part.clone())  # a view would keep all that it is a part of
            self._bytes += part.nbytes
        if self._bytes > MOST_ON_DEVICE:
            self._move_to_cpu()

    def state(self) -> Any:
        return super().state(), self.keys, self.counts()

    def merge(self, states: Sequence[Any]) -> None:
        super().merge([sums for sums, _, _ in states])
        for _, keys, counts in states:
            self.keys += keys
            for name, array in counts.items() if keys else ():
                self._on_cpu[name].append(torch.from_numpy(array))

    def counts(self) -> dict[str, np.ndarray]:
        """The counts of every sample, `[N, ...]` by name, in the order of `keys`: `"confusion"` `[N, C, C]`, int64,
        `"area"` likewise where there were weights, and what the counters counted (`[0]` where there was no sample yet);
        waits for the device.
        """
        self._move_to_cpu()
        return {name: torch.cat(parts).numpy() if parts else np.zeros(0) for name, parts in self._on_cpu.items()}

    def _move_to_cpu(self) -> None:
        for name, parts in self._on_device.items():
            if parts:
                self._on_cpu[name].append(torch.cat(parts).cpu())
                parts.clear()
        self._bytes = 0
