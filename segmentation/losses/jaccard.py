"""Soft Jaccard index (IoU) over the classes of a batch."""

from torch import Tensor

from segmentation.losses.base import Loss, LossValue
from segmentation.losses.means import mean_over_present
from segmentation.losses.overlap import checked_smooth, soft_counts, tversky_index
from segmentation.outputs import Outputs


class Jaccard(Loss):
    """One minus the soft Jaccard index, averaged over the classes that are in the batch's target; in [0, 1].

    With p the softmax of the logits (for label maps each label's sigmoid), g the target as 0 or 1, and sums over all
    valid pixels of the whole batch, or of each sample where `per_image`:

        loss = mean over classes c with sum g_c > 0 of
               1 - (sum p_c g_c + smooth) / (sum p_c + sum g_c - sum p_c g_c + smooth)

    Rahman and Wang 2016, "Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation"
    (https://doi.org/10.1007/978-3-319-50835-1_22), for many classes. `smooth` is in pixels; raises `UserError` where it
    is not a finite number above 0.
    """

    def __init__(self, ignore_index: int = 255, smooth: float = 1.0, per_image: bool = False) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.smooth = checked_smooth(smooth)
        self.per_image = per_image

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        counts = soft_counts(outputs, target, self.ignore_index, self.per_image)
        jaccard = tversky_index(counts, alpha=1.0, beta=1.0, smooth=self.smooth)
        total = mean_over_present(1 - jaccard, counts.truth > 0)
        return LossValue(total, {"jaccard": total.detach()})
