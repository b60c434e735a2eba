"""The metric of a dense prediction: one confusion matrix that counts batch after batch, and one by area for meshes.

C classes; a confusion matrix is `[C, C]`, int64, rows the truth and columns the prediction, in pixels (or faces), by
area in mm2.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.metrics.counting import count_by_sample, sum_by_sample
from segmentation.metrics.scores import Counts, scores_of
from segmentation.outputs import Outputs, labels_from, logits_from


class SegmentationMetric:
    """Counts batch after batch on the outputs' device, never waiting for it; `compute` reads the counts once.

    `sums` holds the confusion matrices so far: `"confusion"`, and `"area"` where batches have weights. Where several
    processes share an evaluation, one of them merges the states of all: counts add up exactly, whatever the order, as
    long as all areas together are below 2**63 mm2, nine million square kilometres.
    """

    sums: dict[str, Tensor]

    def __init__(self, classes: Classes) -> None:
        self.classes = classes
        self.reset()

    def reset(self) -> None:
        self.sums = {"confusion": torch.zeros(len(self.classes), len(self.classes), dtype=torch.int64)}

    @property
    def confusion(self) -> Tensor:
        """The counts so far."""
        return self.sums["confusion"]

    def update(self, outputs: Outputs, target: Tensor, keys: Sequence[str], weights: Tensor | None = None) -> None:
        """Count one batch: logits `[B, C, *S]` or a mapping with them under `"out"`, target `[B, *S]`, integer; the
        `weights` `[B, *S]`, int64, are those of the batch: areas in mm2, or None.

        One logit stands for two classes. `keys` are part of every metric's signature and of no use to this one. Raises
        `UserError` where the logits' channels are not the classes, `ValueError` where the sizes differ.
        """
        self._add(self._counted(outputs, target, weights))

    def state(self) -> Any:
        """The counts so far, on the CPU, as `merge` takes them from this and from other processes."""
        return {name: counts.cpu() for name, counts in self.sums.items()}

    def merge(self, states: Sequence[Any]) -> None:
        """Hold what all of the states hold, in place of what was counted here."""
        self.reset()
        for state in states:
            self._add({name: counts[None] for name, counts in state.items()})

    def compute(self) -> dict[str, float]:
        """`scores_of` the counts so far; waits for the device."""
        counts = {name: Counts.of(confusion.cpu().numpy()) for name, confusion in self.sums.items()}
        return {name: float(score) for name, score in scores_of(counts, self.classes.names).items()}

    def _counted(self, outputs: Outputs, target: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """The confusion matrices of each sample, `[B, C, C]`, by the names that `sums` has."""
        given = max(2, logits_from(outputs).shape[1])
        if given != len(self.classes):
            raise UserError(f"the model gives {given} classes, the class list has {len(self.classes)}: make them equal")
        labels, void = labels_from(outputs), self.classes.ignore_index
        counts = {"confusion": confusion_counts(labels, target, given, void)}
        return counts if weights is None else counts | {"area": confusion_counts(labels, target, given, void, weights)}

    def _add(self, counts: Mapping[str, Tensor]) -> None:
        # A tensor made in inference mode could not be all-reduced outside of it.
        with torch.inference_mode(False):
            for name, part in counts.items():
                so_far = self.sums.get(name, torch.zeros_like(self.confusion))
                self.sums[name] = so_far.to(part.device, non_blocking=True) + part.sum(dim=0)


def confusion_counts(
    labels: Tensor, target: Tensor, num_classes: int, ignore_index: int, weights: Tensor | None = None
) -> Tensor:
    """The confusion matrix of each sample, `[B, C, C]`, int64, of labels `[B, *S]`, int64 in [0, C), against target
    `[B, *S]`, any integer dtype. Each place counts once, or as much as its weight says, `[B, *S]`, int64.

    Pixels whose target is `ignore_index` or no class at all are not counted: finding wrong values is the data check's
    work, not worth a wait for the device here. Raises `ValueError` where the shapes differ.
    """
    if labels.shape != target.shape:
        raise ValueError(f"labels {list(labels.shape)} and target {list(target.shape)} must have the same shape")
    target = target.long()
    # Row -1 takes what is below the classes, row C the ignored and what is above: both are cut off in the end.
    rows = target.where(target != ignore_index, num_classes).clamp_(-1, num_classes)
    cells = torch.add(labels, rows, alpha=num_classes).add_(num_classes)
    length = (num_classes + 2) * num_classes
    counts = count_by_sample(cells, length) if weights is None else sum_by_sample(cells, weights, length)
    return counts.view(-1, num_classes + 2, num_classes)[:, 1:-1]
