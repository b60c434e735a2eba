"""Cross-entropy that stays finite where a batch holds nothing to learn."""

from collections.abc import Sequence
from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses.base import Loss, LossValue
from segmentation.outputs import Outputs, logits_from


class CrossEntropy(Loss):
    """`F.cross_entropy(..., reduction="mean")`, and zero where that is 0 / 0: no valid pixel, or none with a weight.

    `class_weights` holds a factor >= 0 for each class, the mean being divided by the weights of the valid pixels.
    `label_smoothing` in [0, 1) is the share of the target spread evenly over all classes (Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567). Raises `UserError` for values outside these ranges and, when called, for a number
    of weights that is not the number of classes.
    """

    class_weights: Tensor | None
    weight_of_value: Tensor | None

    def __init__(
        self, ignore_index: int = 255, class_weights: Sequence[float] | None = None, label_smoothing: float = 0.0
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise UserError(f"label_smoothing is {label_smoothing}: expected 0 or above and below 1")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        weights = None if class_weights is None else _checked(class_weights)
        by_value = None if weights is None else _weight_of_value(weights, ignore_index)
        self.register_buffer("class_weights", weights, persistent=False)
        self.register_buffer("weight_of_value", by_value, persistent=False)

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        logits = logits_from(outputs).float()
        if self.class_weights is not None and len(self.class_weights) != logits.shape[1]:
            raise UserError(
                f"class_weights holds {len(self.class_weights)} numbers for {logits.shape[1]} classes: give one a class"
            )
        # The mean is divided by hand: F.cross_entropy's own is 0 / 0 on a batch that is void all over.
        summed = F.cross_entropy(
            logits,
            target,
            weight=self.class_weights,
            ignore_index=self.ignore_index,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        weight = self._total_weight(target)
        total = summed / weight.where(weight > 0, 1)
        return LossValue(total, {"cross_entropy": total.detach()})

    def _total_weight(self, target: Tensor) -> Tensor:
        if self.weight_of_value is None:
            return (target != self.ignore_index).sum()
        return self.weight_of_value.take(target).sum()


def _checked(class_weights: Sequence[float]) -> Tensor:
    if not all(0 <= weight < inf for weight in class_weights) or not any(class_weights):
        raise UserError(
            f"class_weights is {list(class_weights)}: expected finite numbers >= 0, at least one of them > 0"
        )
    return torch.tensor(class_weights, dtype=torch.float32)


def _weight_of_value(weights: Tensor, ignore_index: int) -> Tensor:
    """The weight of every value a target may hold, zero for the ignore index, which counts from the end if negative.

    One look-up a pixel, a fifth of the time of masking the ignored pixels before and after.
    """
    unused = max(0, ignore_index + 1 - len(weights), -ignore_index)
    table = torch.cat([weights, weights.new_zeros(unused)])
    table[ignore_index] = 0
    return table
