"""One evaluation, for the training loop and for evaluate.py: their numbers are equal because their code is."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from segmentation.data.batch import Batch
from segmentation.engine.predictions import predictions
from segmentation.losses.base import Loss
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.runtime.device import Precision
from segmentation.runtime.distributed import gather


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    loader: Iterable[Batch],
    loss: Loss,
    metric: SegmentationMetric,
    device: torch.device,
    precision: Precision,
    advance: Callable[[int], None] = lambda count: None,
) -> dict[str, float]:
    """The metric's values and the losses, each batch's loss weighing as many samples as it has.

    Logits are brought to the size of the target first: scores are those of masks at the size on disk. The model is
    left in the mode it was in. `advance` is called with 1 after every batch.

    Where several ranks share an evaluation each has a loader of its own part; rank 0 gets the scores of all parts, and
    its metric their counts, the others get nothing.
    """

    def own_part() -> tuple[LossMean, Any]:
        was_training = model.training
        metric.reset()
        losses = LossMean()
        for batch, logits in predictions(model, loader, device, precision):
            value = loss(logits, batch.target)
            losses.add(value.total, value.parts, batch.size)
            metric.update(logits, batch.target, batch.keys, batch.weights)
            advance(1)
        model.train(was_training)
        return losses.cpu(), metric.state()

    parts = gather(own_part)
    if not parts:
        return {}
    losses = LossMean()
    for part, _ in parts:
        losses.merge(part)
    metric.merge([state for _, state in parts])
    return {**losses.compute(), **metric.compute()}


class LossMean:
    """The mean over samples of a loss and its parts, summed on the device and read only when asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self.samples = 0

    def add(self, total: Tensor, parts: dict[str, Tensor], samples: int) -> None:
        named = {"loss": total.detach(), **{f"loss/{name}": part for name, part in parts.items() if len(parts) > 1}}
        self._add({name: value * samples for name, value in named.items()}, samples)

    def merge(self, other: "LossMean") -> None:
        self._add(other._sums, other.samples)

    def _add(self, sums: dict[str, Tensor], samples: int) -> None:
        for name, value in sums.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self.samples += samples

    def cpu(self) -> "LossMean":
        """The same, where another process can read it."""
        mean = LossMean()
        mean._add({name: value.cpu() for name, value in self._sums.items()}, self.samples)
        return mean

    def compute(self) -> dict[str, float]:
        """Waits for the device; `{"loss": nan}` when nothing was added."""
        if not self.samples:
            return {"loss": float("nan")}
        values = torch.stack(list(self._sums.values())).double() / self.samples
        return dict(zip(self._sums, values.tolist(), strict=True))
