"""Focal loss: cross-entropy that turns from what is already known to what is hard."""

from collections.abc import Sequence
from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.losses.base import Loss, LossValue, checked
from segmentation.losses.class_weights import ClassWeights
from segmentation.losses.means import weighted_mean
from segmentation.losses.truth import class_logits, label_maps
from segmentation.outputs import Outputs


class Focal(Loss):
    """Focal loss over classes that exclude each other. With p the probability (softmax) of a pixel's true class c:

        loss = sum over valid pixels of  w_c (1 - p) ** gamma * -log p,  divided by the sum of w_c over valid pixels

    Lin et al. 2017 (https://arxiv.org/abs/1708.02002) in the form for many classes; `class_weights` w are their alpha,
    a factor >= 0 for each class. They divide by the number of positive anchors, which dense classes do not have: the
    mean here is that of `CrossEntropy`, which it equals at `gamma` 0. Raises `UserError` for a `gamma` below 0, for
    weights below 0, and, when called, for a number of weights that is not the number of classes.
    """

    takes_one_logit = False

    def __init__(
        self, ignore_index: int = 255, gamma: float = 2.0, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.gamma = _checked_gamma(gamma)
        self.class_weights = ClassWeights(class_weights, ignore_index)

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        logits = class_logits(outputs, target)
        surprise = F.cross_entropy(logits, target, ignore_index=self.ignore_index, reduction="none")
        # Not down to zero, where a gamma below 1 has no finite slope; 1 - p is exact through expm1.
        doubt = (-torch.expm1(-surprise)).clamp(min=1e-7)
        weights = self.class_weights.of(target, logits.shape[1])
        total = weighted_mean(doubt.pow(self.gamma) * surprise, weights)
        return LossValue(total, {"focal": total.detach()})


class SigmoidFocal(Loss):
    """Focal loss of each label by itself. With p the sigmoid of its logit where it holds, one minus that elsewhere:

        loss = mean over valid pixels and labels of  a (1 - p) ** gamma * -log p

    Lin et al. 2017 (https://arxiv.org/abs/1708.02002): `alpha` in [0, 1] is a where the label holds and 1 - alpha is a
    elsewhere; null is 1 for both. Equal to `torchvision.ops.sigmoid_focal_loss(reduction="mean")` where all is valid;
    theirs has a gradient of NaN at certain predictions for a `gamma` between 0 and 1. For label maps `[B, L, *S]`, a
    binary task of one logit, and class ids `[B, *S]`, where each class is told from all others. Raises `UserError` for
    a `gamma` below 0 or an `alpha` outside [0, 1].
    """

    def __init__(self, ignore_index: int = 255, gamma: float = 2.0, alpha: float | None = 0.25) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.gamma = _checked_gamma(gamma)
        self.alpha = (
            None if alpha is None else checked("alpha", alpha, 0 <= alpha <= 1, "a number from 0 to 1, or null")
        )

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        logits, truth, valid = label_maps(outputs, target, self.ignore_index)
        for_truth = logits.where(truth, -logits)
        log_p = F.logsigmoid(for_truth)
        each = (self.gamma * (log_p - for_truth)).exp() * -log_p  # log(1 - sigmoid(x)) is log(sigmoid(x)) - x
        if self.alpha is not None:
            each = each * torch.where(truth, self.alpha, 1 - self.alpha)
        total = weighted_mean(each, valid)
        return LossValue(total, {"sigmoid_focal": total.detach()})


def _checked_gamma(gamma: float) -> float:
    return checked("gamma", gamma, 0 <= gamma < inf, "a number of at least 0")
