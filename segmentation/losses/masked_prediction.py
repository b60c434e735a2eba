"""The loss of masked pre-training: what is said of hidden faces against what they are."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses.base import Loss, LossValue, checked
from segmentation.losses.cross_entropy import CrossEntropy
from segmentation.losses.means import weighted_mean
from segmentation.outputs import Outputs


class MaskedPrediction(Loss):
    """The mean smooth L1 distance (Huber, beta 1) between what a model predicts of the places that were hidden from it
    and what was wanted, `embedding_weight` and `features_weight` times, and the cross-entropy of its probe.

    Outputs are a mapping that holds, for `embedding` and `features` each, `predicted/NAME` and `wanted/NAME`
    `[B, W, *S]`, beside `hidden` `[B, 1, *S]`, bool, and the logits of the probe under `"out"` (see model
    nomeformer_pretrain). The target's classes are the probe's alone: where there are none the rest is learned all the
    same. In evaluation, which is where no gradient is taken, nothing is hidden: it is the cross-entropy of the probe.
    Raises `UserError` for a weight below 0 and, when called, for outputs without predictions.
    """

    takes_one_logit = False

    def __init__(self, ignore_index: int = 255, embedding_weight: float = 1.0, features_weight: float = 1.0) -> None:
        super().__init__()
        given = {"embedding": embedding_weight, "features": features_weight}
        self.weights = {
            kind: checked(f"{kind}_weight", weight, weight >= 0, "0 or above") for kind, weight in given.items()
        }
        self.probe = CrossEntropy(ignore_index)

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        probe: LossValue = self.probe(outputs, target)
        if not torch.is_grad_enabled():
            return probe
        if isinstance(outputs, Tensor) or "hidden" not in outputs:
            raise UserError(
                "loss=masked_prediction: the model predicts nothing hidden, choose model=nomeformer_pretrain"
            )
        distances = {kind: _distance(outputs, kind) for kind in self.weights}
        total = sum((self.weights[kind] * distance for kind, distance in distances.items()), start=probe.total)
        parts = {"probe": probe.total, **distances}
        return LossValue(total, {name: part.detach() for name, part in parts.items()})


def _distance(outputs: Mapping[str, Tensor], kind: str) -> Tensor:
    predicted, wanted = (outputs[f"{side}/{kind}"].float() for side in ("predicted", "wanted"))
    return weighted_mean(F.smooth_l1_loss(predicted, wanted, reduction="none"), outputs["hidden"])
