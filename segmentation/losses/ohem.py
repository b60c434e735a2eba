"""Cross-entropy of the hardest pixels alone."""

from collections.abc import Sequence
from math import ceil, log

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.losses.base import Loss, LossValue, checked
from segmentation.losses.class_weights import ClassWeights
from segmentation.losses.means import weighted_mean
from segmentation.losses.truth import class_logits
from segmentation.outputs import Outputs


class OhemCrossEntropy(Loss):
    """The mean cross-entropy of the pixels whose true class is given a probability of at most `threshold`.

    If they are fewer than the share `min_kept` of all pixels of the batch, it is the mean of that many of the hardest
    (all valid ones, if there are not as many). Online hard example mining, Shrivastava et al. 2016
    (https://arxiv.org/abs/1604.03540), in the form that real-time networks use (BiSeNet: 0.7 and 1/16 of the pixels).
    Pixels are chosen by probability alone; `class_weights`, a factor >= 0 for each class, weigh in the mean, which is
    divided by the weights of the chosen pixels. Raises `UserError` for a `threshold` outside (0, 1], a `min_kept`
    outside [0, 1], weights below 0, and, when called, for a number of weights that is not the number of classes.
    """

    takes_one_logit = False

    def __init__(
        self,
        ignore_index: int = 255,
        threshold: float = 0.7,
        min_kept: float = 0.0625,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.threshold = checked("threshold", threshold, 0 < threshold <= 1, "a probability above 0, at most 1")
        self.min_kept = checked("min_kept", min_kept, 0 <= min_kept <= 1, "a share of the pixels from 0 to 1")
        self.class_weights = ClassWeights(class_weights, ignore_index)

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        logits = class_logits(outputs, target)
        surprise = F.cross_entropy(logits, target, ignore_index=self.ignore_index, reduction="none")
        weights = self.class_weights.of(target, logits.shape[1]) * self._kept(surprise.detach())
        total = weighted_mean(surprise, weights)
        return LossValue(total, {"ohem": total.detach()})

    def _kept(self, surprise: Tensor) -> Tensor:
        """Which pixels count, bool; the ignored have no surprise and weigh nothing whether they are kept or not.

        How many are asked for follows from the shape alone, so the device is not waited for.
        """
        least = surprise.new_tensor(-log(self.threshold))
        count = ceil(self.min_kept * surprise.numel())
        if count:
            hardest = surprise.flatten().topk(count, sorted=False).values
            least = torch.minimum(least, hardest.min())
        return surprise >= least
