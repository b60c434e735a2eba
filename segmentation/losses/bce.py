"""Binary cross-entropy of each label by itself."""

from collections.abc import Sequence
from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses.base import Loss, LossValue
from segmentation.losses.means import weighted_mean
from segmentation.losses.truth import label_maps
from segmentation.outputs import Outputs


class BinaryCrossEntropy(Loss):
    """`F.binary_cross_entropy_with_logits` averaged over the valid pixels of all labels.

    With x a label's logit and g its truth of 0 or 1:

        loss = mean over valid pixels and labels of  -(pos_weight g log sigmoid(x) + (1 - g) log(1 - sigmoid(x)))

    For label maps `[B, L, *S]`, for a binary task of one logit, and for class ids `[B, *S]`, where each class is told
    from all others. Implementations that sum over the labels instead have L times this loss. `pos_weight` is a factor >
    0 of the pixels where a label holds, one number or one for each label. Raises `UserError` for another, and, when
    called, for a number of them that is not the number of labels.
    """

    pos_weight: Tensor | None

    def __init__(self, ignore_index: int = 255, pos_weight: float | Sequence[float] | None = None) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.register_buffer("pos_weight", None if pos_weight is None else _checked(pos_weight), persistent=False)

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        logits, truth, valid = label_maps(outputs, target, self.ignore_index)
        weight = None if self.pos_weight is None else self._weight_of_labels(logits)
        each = F.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype), pos_weight=weight, reduction="none")
        total = weighted_mean(each, valid)
        return LossValue(total, {"bce": total.detach()})

    def _weight_of_labels(self, logits: Tensor) -> Tensor:
        assert self.pos_weight is not None
        if len(self.pos_weight) not in (1, logits.shape[1]):
            raise UserError(
                f"pos_weight holds {len(self.pos_weight)} numbers for {logits.shape[1]} labels: give 1, or 1 a label"
            )
        return self.pos_weight.view(-1, *[1] * (logits.ndim - 2))


def _checked(pos_weight: float | Sequence[float]) -> Tensor:
    weights = [pos_weight] if isinstance(pos_weight, int | float) else list(pos_weight)
    if not weights or not all(0 < weight < inf for weight in weights):
        raise UserError(f"pos_weight is {pos_weight}: expected a finite number above 0, or one for each label")
    return torch.tensor(weights, dtype=torch.float32)
