"""Scores of a dense prediction, all of them from one matrix of counts.

C classes; a confusion matrix is `[C, C]`, int64, rows the truth and columns the prediction, in pixels (or faces).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segmentation.classes import Classes
from segmentation.errors import UserError
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
        given = max(2, logits_from(outputs).shape[1])
        if given != len(self.classes):
            raise UserError(f"the model gives {given} classes, the class list has {len(self.classes)}: make them equal")
        counts = confusion_counts(labels_from(outputs), target, given, self.classes.ignore_index)
        # A tensor made in inference mode could not be all-reduced outside of it.
        with torch.inference_mode(False):
            self.confusion = self.confusion.to(counts.device, non_blocking=True) + counts

    def state(self) -> Any:
        """The counts so far, on the CPU, as `merge` takes them from this and from other processes."""
        return self.confusion.cpu()

    def merge(self, states: Sequence[Any]) -> None:
        """Hold what all of the states hold, in place of what was counted here."""
        with torch.inference_mode(False):
            self.confusion = torch.stack(list(states)).sum(dim=0)

    def compute(self) -> dict[str, float]:
        """`metrics_from` the counts so far; waits for the device."""
        return metrics_from(self.confusion, self.classes.names)


def confusion_counts(labels: Tensor, target: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    """The confusion matrix `[C, C]` of labels `[B, *S]`, int64 in [0, C), against target `[B, *S]`, any integer dtype.

    Pixels whose target is `ignore_index` or no class at all are not counted: finding wrong values is the data check's
    work, not worth a wait for the device here. Raises `ValueError` where the shapes differ.
    """
    if labels.shape != target.shape:
        raise ValueError(f"labels {list(labels.shape)} and target {list(target.shape)} must have the same shape")
    target = target.long()
    # Row -1 takes what is below the classes, row C the ignored and what is above: both are cut off in the end.
    rows = target.where(target != ignore_index, num_classes).clamp_(-1, num_classes)
    cells = torch.add(labels, rows, alpha=num_classes).add_(num_classes).flatten()
    length = (num_classes + 2) * num_classes
    counts = torch.bincount(cells, minlength=length) if cells.is_cpu else _count_by_scatter(cells, length)
    return counts.view(num_classes + 2, num_classes)[1:-1]


def _count_by_scatter(cells: Tensor, length: int) -> Tensor:
    """`torch.bincount` of `cells`, all below `length`, which on a GPU would wait for the largest value."""
    return cells.new_zeros(length).scatter_add_(0, cells, cells.new_ones(1).expand_as(cells))


def metrics_from(confusion: np.ndarray | Tensor, names: Sequence[str]) -> dict[str, float]:
    """Every score a confusion matrix holds, in [0, 1] or NaN, computed in float64.

    Over all classes: `pixel_accuracy`; `mean_accuracy` (of the classes, that is their recall), `mIoU`, `mDice`,
    `mean_precision`, `mean_recall`, `mean_F1`: plain means over the classes; `FWIoU`: IoU weighted by each class's
    share of the truth. For each class: `IoU/<class>`, `Dice/<class>`, `precision/<class>`, `recall/<class>` and
    `F1/<class>`, which for dense classes is the Dice.

    A class neither in the truth nor predicted is NaN throughout, one that is only predicted has no recall (NaN), and
    NaN stays out of the means. A class in the truth that is never predicted has precision 0, as scikit-learn's
    `zero_division=0` has it. Where nothing was counted all is NaN.
    """
    counts = np.asarray(confusion.cpu() if isinstance(confusion, Tensor) else confusion, dtype=np.float64)
    hits = counts.diagonal()
    return scores_from(hits, counts.sum(axis=1), counts.sum(axis=0), ratio(hits.sum(), counts.sum()), names)


def scores_from(
    hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray, accuracy: np.ndarray, names: Sequence[str]
) -> dict[str, float]:
    """The scores that `metrics_from` describes, from float64 counts `[C]` and the share of pixels that are right."""
    iou = ratio(hits, truth + predicted - hits)
    dice = ratio(2 * hits, truth + predicted)
    recall = ratio(hits, truth)
    precision = np.where((predicted == 0) & (truth > 0), 0.0, ratio(hits, predicted))
    by_class = {"IoU": iou, "Dice": dice, "precision": precision, "recall": recall, "F1": dice}

    scores = {
        "pixel_accuracy": float(accuracy),
        "mean_accuracy": _mean(recall),
        "mIoU": _mean(iou),
        "FWIoU": float(ratio(np.nansum(truth * iou), truth.sum())),
        "mDice": _mean(dice),
        "mean_precision": _mean(precision),
        "mean_recall": _mean(recall),
        "mean_F1": _mean(dice),
    }
    for score, values in by_class.items():
        scores |= {f"{score}/{name}": float(value) for name, value in zip(names, values, strict=True)}
    return scores


def metric_names(names: Sequence[str]) -> list[str]:
    """Every key that `metrics_from` gives for these class names."""
    return list(metrics_from(np.zeros((len(names), len(names))), names))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> float:
    """The mean of the values that are defined, NaN where none is (`np.nanmean` would warn)."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
