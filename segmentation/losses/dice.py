"""Soft Dice over the classes of a batch."""

from torch import Tensor

from segmentation.losses.base import Loss, LossValue
from segmentation.losses.means import mean_over_present
from segmentation.losses.overlap import checked_smooth, soft_counts, tversky_index
from segmentation.outputs import Outputs


class Dice(Loss):
    """One minus the soft Dice coefficient, averaged over the classes that are in the batch's target; in [0, 1].

    With p the softmax of the logits (for label maps each label's sigmoid), g the target as 0 or 1, and sums over all
    valid pixels of the whole batch:

        loss = mean over classes c with sum g_c > 0 of  1 - (2 sum p_c g_c + smooth) / (sum p_c + sum g_c + smooth)

    This is the Dice of V-Net (Milletari et al. 2016, https://arxiv.org/abs/1606.04797) for many classes and with plain
    instead of squared terms in the denominator. `smooth`, in pixels and > 0, is in both halves of the fraction, so a
    perfect prediction has a loss of exactly 0 whatever it is; it tempers classes of about that few pixels. `per_image`
    takes the loss of each sample by itself, as V-Net did, and the mean over samples that hold a class; without it rare
    classes are steadier. Raises `UserError` for a `smooth` that is not a finite number above 0.
    """

    def __init__(self, ignore_index: int = 255, smooth: float = 1.0, per_image: bool = False) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.smooth = checked_smooth(smooth)
        self.per_image = per_image

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        counts = soft_counts(outputs, target, self.ignore_index, self.per_image)
        dice = tversky_index(counts, alpha=0.5, beta=0.5, smooth=self.smooth / 2)
        total = mean_over_present(1 - dice, counts.truth > 0)
        return LossValue(total, {"dice": total.detach()})
