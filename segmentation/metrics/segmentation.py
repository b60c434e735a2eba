"""The metric of a dense prediction: one confusion matrix that counts batch after batch.

C classes; a confusion matrix is `[C, C]`, int64, rows the truth and columns the prediction, in pixels (or faces).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.metrics.counting import count_by_sample
from segmentation.metrics.scores import metrics_from
from segmentation.outputs import Outputs, labels_from, logits_from


class SegmentationMetric:
    """Counts batch after batch on the outputs' device, never waiting for it; `compute` reads the counts once.

    `confusion` holds the counts so far. Where several processes share an evaluation, one of them merges the states of
    all: counts add up exactly, whatever the order.
    """

    confusion: Tensor

    def __init__(self, classes: Classes) -> None:
        self.classes = classes
        self.reset()

    def reset(self) -> None:
        self.confusion = torch.zeros(len(self.classes), len(self.classes), dtype=torch.int64)

    def update(self, outputs: Outputs, target: Tensor, keys: Sequence[str]) -> None:
        """Count one batch: logits `[B, C, *S]` or a mapping with them under `"out"`, target `[B, *S]`, integer.

        One logit stands for two classes. `keys` are part of every metric's signature and of no use to this one. Raises
        `UserError` where the logits' channels are not the classes, `ValueError` where the sizes differ.
        """
        self._add(self._counted(outputs, target))

    def state(self) -> Any:
        """The counts so far, on the CPU, as `merge` takes them from this and from other processes."""
        return self.confusion.cpu()

    def merge(self, states: Sequence[Any]) -> None:
        """Hold what all of the states hold, in place of what was counted here."""
        with torch.inference_mode(False):
            self.confusion = torch.stack(list(states)).sum(dim=0)

    def compute(self) -> dict[str, float]:
        """`metrics_from` the counts so far; waits for the device."""
        return metrics_from(self.confusion.cpu().numpy(), self.classes.names)

    def _counted(self, outputs: Outputs, target: Tensor) -> Tensor:
        """The confusion matrix of each sample, `[B, C, C]`."""
        given = max(2, logits_from(outputs).shape[1])
        if given != len(self.classes):
            raise UserError(f"the model gives {given} classes, the class list has {len(self.classes)}: make them equal")
        return confusion_counts(labels_from(outputs), target, given, self.classes.ignore_index)

    def _add(self, counts: Tensor) -> None:
        # A tensor made in inference mode could not be all-reduced outside of it.
        with torch.inference_mode(False):
            self.confusion = self.confusion.to(counts.device, non_blocking=True) + counts.sum(dim=0)


def confusion_counts(labels: Tensor, target: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    """The confusion matrix of each sample, `[B, C, C]`, of labels `[B, *S]`, int64 in [0, C), against target `[B, *S]`,
    any integer dtype.

    Pixels whose target is `ignore_index` or no class at all are not counted: finding wrong values is the data check's
    work, not worth a wait for the device here. Raises `ValueError` where the shapes differ.
    """
    if labels.shape != target.shape:
        raise ValueError(f"labels {list(labels.shape)} and target {list(target.shape)} must have the same shape")
    target = target.long()
    # Row -1 takes what is below the classes, row C the ignored and what is above: both are cut off in the end.
    rows = target.where(target != ignore_index, num_classes).clamp_(-1, num_classes)
    cells = torch.add(labels, rows, alpha=num_classes).add_(num_classes)
    counts = count_by_sample(cells, (num_classes + 2) * num_classes)
    return counts.view(-1, num_classes + 2, num_classes)[:, 1:-1]
