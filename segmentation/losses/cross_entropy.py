"""Cross-entropy that stays finite where a batch holds nothing to learn."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from segmentation.losses.base import Loss, LossValue, checked
from segmentation.losses.class_weights import ClassWeights
from segmentation.losses.truth import class_logits
from segmentation.outputs import Outputs


class CrossEntropy(Loss):
    """`F.cross_entropy(..., reduction="mean")`, and zero where that is 0 / 0: no valid pixel, or none with a weight.

    `class_weights` holds a factor >= 0 for each class, the mean being divided by the weights of the valid pixels.
    `label_smoothing` in [0, 1) is the share of the target spread evenly over all classes (Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567). Raises `UserError` for values outside these ranges and, when called, for a number
    of weights that is not the number of classes.
    """

    takes_one_logit = False

    def __init__(
        self, ignore_index: int = 255, class_weights: Sequence[float] | None = None, label_smoothing: float = 0.0
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.label_smoothing = checked(
            "label_smoothing", label_smoothing, 0 <= label_smoothing < 1, "0 or above and below 1"
        )
        self.class_weights = ClassWeights(class_weights, ignore_index)

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        logits = class_logits(outputs, target)
        weight = self.class_weights.of(target, logits.shape[1]).sum()
        # The mean is divided by hand: F.cross_entropy's own is 0 / 0 on a batch that is void all over.
        summed = F.cross_entropy(
            logits,
            target,
            weight=self.class_weights.by_class,
            ignore_index=self.ignore_index,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        total = summed / weight.where(weight > 0, 1)
        return LossValue(total, {"cross_entropy": total.detach()})
