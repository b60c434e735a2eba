"""Boundary loss: the F1 score of boundaries, made soft by max-pooling."""

from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses.base import Loss, LossValue, checked
from segmentation.losses.means import mean_over_present
from segmentation.losses.overlap import checked_smooth
from segmentation.losses.truth import label_maps, probabilities
from segmentation.outputs import Outputs


class BoundaryF1(Loss):
    """One minus the boundary F1 of each class in each image, averaged; in [0, 1]. For images `[B, C, H, W]` alone.

    Bokhovkin and Burnaev 2019 (https://arxiv.org/abs/1905.07852). A map's boundary is `pool3(1 - y) - (1 - y)`, pool
    being max-pooling: its pixels that touch what is outside. With g and p the boundaries of the truth and of the
    softmax (for label maps each label's sigmoid), and g+ and p+ these widened by `tolerance` pixels:

        precision = sum p g+ / sum p,   recall = sum g p+ / sum g
        loss = 1 - 2 precision recall / (precision + recall)

    `smooth`, in pixels, is in both halves of precision and recall and keeps them defined. It is taken for each image,
    averaged over the classes that have a boundary in it, then over images that have any. There is no boundary towards
    ignored pixels. To be added to a loss of regions: by itself it says nothing away from boundaries. It needs no
    distance maps, which Kervadec et al. 2018 (https://arxiv.org/abs/1812.07032) compute on the CPU. Raises `UserError`
    for a `tolerance` that is no whole number >= 1, a `smooth` that is not above 0, and, when called, for logits that
    are not images.
    """

    def __init__(self, ignore_index: int = 255, tolerance: int = 2, smooth: float = 1.0) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        whole = 1 <= tolerance < inf and tolerance == int(tolerance)
        self.tolerance = int(checked("tolerance", tolerance, whole, "a whole number of pixels of at least 1"))
        self.smooth = checked_smooth(smooth)

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        logits, truth, valid = label_maps(outputs, target, self.ignore_index)
        if logits.ndim != 4:
            raise UserError(f"logits {list(logits.shape)}: the boundary loss is for images, [B, C, H, W]")
        true, predicted = _boundary(truth.float(), valid), _boundary(probabilities(outputs, target), valid)
        precision = self._share_near(predicted, true)
        recall = self._share_near(true, predicted)
        f1 = 2 * precision * recall / (precision + recall)
        total = mean_over_present(1 - f1, true.sum(dim=(2, 3)) > 0)
        return LossValue(total, {"boundary": total.detach()})

    def _share_near(self, boundary: Tensor, other: Tensor) -> Tensor:
        """The share of one boundary that is near another, `[B, C]`."""
        near = F.max_pool2d(other, 2 * self.tolerance + 1, stride=1, padding=self.tolerance)
        return ((boundary * near).sum(dim=(2, 3)) + self.smooth) / (boundary.sum(dim=(2, 3)) + self.smooth)


def _boundary(maps: Tensor, valid: Tensor) -> Tensor:
    """How much each pixel lies inside of a map, `[B, C, H, W]` of [0, 1], and touches what lies outside of it."""
    outside = ((1 - maps) * valid).contiguous(memory_format=torch.channels_last)  # pools in half the time on a CPU
    return (F.max_pool2d(outside, 3, stride=1, padding=1) - outside) * valid
