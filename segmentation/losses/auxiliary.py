"""A loss for a model's further heads: auxiliary classifiers and deep supervision."""

from collections.abc import Mapping

import torch
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses.base import Loss, LossValue
from segmentation.losses.weight import weights_from
from segmentation.outputs import Outputs, at_size_of, logits_from


class Auxiliary(Loss):
    """`loss` of the main output, plus `weights[head]` times the same loss of each head that is named.

    Auxiliary classifiers: PSPNet, Zhao et al. 2017 (https://arxiv.org/abs/1612.01105; one head, 0.4); deep supervision:
    Lee et al. 2014 (https://arxiv.org/abs/1409.5185). Outputs are a mapping of `"out"` and of the heads, logits
    `[B, C, *S]`; those of a lower size are interpolated bilinearly to the target's, which keeps what is thin, as a
    target of their size would not. A weight is a number, or follows `progress` (see weight.py). The value's parts are
    those of the main output, and each head's unweighted total under its name.

    In evaluation, which is where no gradient is taken, it is the loss of the main output alone: models drop the heads
    there, and scores of models with and without them compare. Raises `UserError` for a weight that is neither, and,
    when called for training, where the outputs lack a head that is named.
    """

    def __init__(self, loss: Loss, weights: Mapping[str, float | Mapping[str, float]]) -> None:
        super().__init__()
        self.loss = loss
        self.weights = weights_from(weights)

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        total, parts = self.loss(logits_from(outputs), target)
        if not torch.is_grad_enabled():
            return LossValue(total, parts)
        heads = _heads_of(outputs)
        self._check(heads)
        parts = dict(parts)
        for name, weight in self.weights.items():
            value: LossValue = self.loss(at_size_of(heads[name], target), target)
            total = total + weight.at(self.progress) * value.total
            parts[name] = value.total.detach()
        return LossValue(total, parts)

    def _check(self, heads: Mapping[str, Tensor]) -> None:
        missing = [name for name in self.weights if name not in heads]
        if missing:
            raise UserError(
                f"loss.weights names {', '.join(missing)}, but the heads beside the model's main output are "
                f"{', '.join(heads) or 'none'}: name these, or choose a model that has the others"
            )


def _heads_of(outputs: Outputs) -> dict[str, Tensor]:
    return {} if isinstance(outputs, Tensor) else {name: head for name, head in outputs.items() if name != "out"}
