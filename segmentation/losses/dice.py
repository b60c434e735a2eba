"""Soft Dice over the classes of a batch."""

from math import inf

import torch
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses.base import Loss, LossValue
from segmentation.outputs import Outputs, logits_from


class Dice(Loss):
    """One minus the soft Dice coefficient, averaged over the classes that are in the batch's target; in [0, 1].

    With p the softmax of the logits, g the target as 0 or 1, and sums over all valid pixels of the whole batch:

        loss = mean over classes c with sum g_c > 0 of  1 - (2 sum p_c g_c + smooth) / (sum p_c + sum g_c + smooth)

    This is the Dice of V-Net (Milletari et al. 2016, https://arxiv.org/abs/1606.04797) for many classes and with plain
    instead of squared terms in the denominator. `smooth`, in pixels and > 0, is in both halves of the fraction, so a
    perfect prediction has a loss of exactly 0 whatever it is; it tempers classes of about that few pixels. Raises
    `UserError` for a `smooth` that is not a finite number above 0.
    """

    def __init__(self, ignore_index: int = 255, smooth: float = 1.0) -> None:
        super().__init__()
        if not 0 < smooth < inf:
            raise UserError(f"smooth of the Dice loss is {smooth}: expected a finite number of pixels above 0")
        self.ignore_index = ignore_index
        self.smooth = smooth

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        logits = logits_from(outputs)
        num_classes = logits.shape[1]
        valid = target != self.ignore_index
        labels = target.where(valid, 0)
        probability = logits.softmax(dim=1, dtype=torch.float32) * valid.unsqueeze(1)
        of_truth = probability.gather(1, labels.unsqueeze(1)).squeeze(1)

        overlap = _sum_by_class(of_truth, labels, num_classes)
        predicted = probability.sum(dim=[0, *range(2, probability.ndim)])
        truth = _sum_by_class(valid.float(), labels, num_classes)

        dice = (2 * overlap + self.smooth) / (predicted + truth + self.smooth)
        present = truth > 0
        total = ((1 - dice) * present).sum() / present.sum().clamp(min=1)
        return LossValue(total, {"dice": total.detach()})


def _sum_by_class(values: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Values `[B, *S]` summed by the class of their pixel, labels `[B, *S]` -> `[C]`.

    Rows first: a running float32 sum over a whole batch would lose digits, and thousands of threads would queue for
    the same few addresses of a GPU.
    """
    rows = values.new_zeros(*labels.shape[:-1], num_classes).scatter_add(-1, labels, values)
    return rows.flatten(0, -2).sum(dim=0)
