"""Tversky and focal Tversky: overlap that weighs false alarms and misses differently."""

from math import inf

from torch import Tensor

from segmentation.losses.base import Loss, LossValue, checked
from segmentation.losses.means import mean_over_present
from segmentation.losses.overlap import checked_smooth, soft_counts, tversky_index
from segmentation.outputs import Outputs


class Tversky(Loss):
    """(1 - T) ** (1 / gamma), averaged over the classes that are in the batch's target; in [0, 1].

    With p the softmax of the logits (for label maps each label's sigmoid), g the target as 0 or 1, and sums over all
    valid pixels of the whole batch, or of each sample where `per_image`:

        T_c = (sum p_c g_c + smooth) / (sum p_c g_c + alpha sum p_c (1 - g_c) + beta sum (1 - p_c) g_c + smooth)

    Salehi et al. 2017 (https://arxiv.org/abs/1706.05721), gamma = 1: `alpha` weighs false positives and `beta` false
    negatives, 0.3 and 0.7 being their choice for small lesions; 0.5 and 0.5 are Dice, 1 and 1 Jaccard. A `gamma` above
    1 makes it the focal Tversky loss of Abraham and Khan 2018 (https://arxiv.org/abs/1810.07842; theirs is 4/3), who
    exchange the two letters: their alpha = 0.7 is our beta. It takes 1 - T to the power 1 / gamma as they do; other
    implementations take it to the power gamma. Raises `UserError` for an `alpha` or `beta` below 0, for both being 0,
    for a `gamma` that is not above 0, or a `smooth`, in pixels, that is not a finite number above 0.
    """

    def __init__(
        self,
        ignore_index: int = 255,
        alpha: float = 0.3,
        beta: float = 0.7,
        gamma: float = 1.0,
        smooth: float = 1.0,
        per_image: bool = False,
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.alpha = checked("alpha", alpha, 0 <= alpha < inf, "a number of at least 0")
        self.beta = checked(
            "beta", beta, 0 <= beta < inf and alpha + beta > 0, "a number of at least 0, or above alpha=0"
        )
        self.gamma = checked("gamma", gamma, 0 < gamma < inf, "a number above 0")
        self.smooth = checked_smooth(smooth)
        self.per_image = per_image

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        counts = soft_counts(outputs, target, self.ignore_index, self.per_image)
        missing = 1 - tversky_index(counts, self.alpha, self.beta, self.smooth)
        total = mean_over_present(_power(missing, 1 / self.gamma), counts.truth > 0)
        return LossValue(total, {"tversky": total.detach()})


def _power(base: Tensor, exponent: float) -> Tensor:
    """base ** exponent with a gradient of zero, not infinity, where the base is 0 or rounded to below."""
    positive = base > 0
    return base.where(positive, 1).pow(exponent) * positive
