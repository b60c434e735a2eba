"""Scores of labels that do not exclude each other, all of them from one count of four numbers a label.

L labels; `confusion` is `[L, 2, 2]`, int64, in pixels (or faces): of each label, rows the truth and columns the
prediction, 0 where it does not hold and 1 where it does.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.metrics.segmentation import ratio, scores_from
from segmentation.outputs import Outputs, label_maps_from


class MultiLabelMetric:
    """Counts batch after batch on the outputs' device, never waiting for it; `compute` reads the counts once.

    Its keys are those of `SegmentationMetric`: a label's scores are those of the pixels where it holds, means are over
    labels, `pixel_accuracy` is the share of all pixels and labels that are right. A label neither in the truth nor
    predicted is NaN and out of the means.
    """

    confusion: Tensor

    def __init__(self, classes: Classes) -> None:
        self.classes = classes
        self.reset()

    def reset(self) -> None:
        self.confusion = torch.zeros(len(self.classes), 2, 2, dtype=torch.int64)

    def update(self, outputs: Outputs, target: Tensor, keys: Sequence[str]) -> None:
        """Count one batch: logits `[B, L, *S]` or a mapping with them under `"out"`, target `[B, L, *S]` of 0, 1 and
        the ignore index.

        `keys` are part of every metric's signature and of no use to this one. Raises `UserError` where the logits'
        channels are not the labels, `ValueError` where the sizes differ.
        """
        predicted = label_maps_from(outputs)
        if predicted.shape[1] != len(self.classes):
            raise UserError(
                f"the model gives {predicted.shape[1]} labels, the class list has {len(self.classes)}: make them equal"
            )
        if predicted.shape != target.shape:
            raise ValueError(f"logits {list(predicted.shape)} and target {list(target.shape)} must have the same shape")
        counts = _counts(predicted, target == 1, target != self.classes.ignore_index)
        # A tensor made in inference mode could not be all-reduced outside of it.
        with torch.inference_mode(False):
            self.confusion = self.confusion.to(counts.device, non_blocking=True) + counts

    def compute(self) -> dict[str, float]:
        """Scores in [0, 1] or NaN; waits for the device."""
        counts = self.confusion.cpu().numpy().astype(np.float64)
        hits, right = counts[:, 1, 1], counts[:, 0, 0] + counts[:, 1, 1]
        accuracy = ratio(right.sum(), counts.sum())
        return scores_from(hits, counts[:, 1].sum(axis=1), counts[:, :, 1].sum(axis=1), accuracy, self.classes.names)


def _counts(predicted: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """`[L, 2, 2]` of maps `[B, L, *S]`, bool."""
    cells = [(t & p & valid) for t in (~truth, truth) for p in (~predicted, predicted)]
    dims = [0, *range(2, predicted.ndim)]
    return torch.stack([cell.sum(dim=dims) for cell in cells], dim=1).view(-1, 2, 2)
