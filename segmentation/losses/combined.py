"""A weighted sum of losses."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from segmentation.errors import UserError
from segmentation.losses.base import Loss, LossValue
from segmentation.losses.weight import Weight, weights_from
from segmentation.outputs import Outputs


class Combined(Loss):
    """The sum of `weights[name] * parts[name]`.

    A weight is a number, or follows `progress`: `{from: 1.0, to: 0.0, start: 0.0, end: 0.5}` goes from 1 to 0 on a
    straight line over the first half of training (see weight.py). In evaluation, which is where no gradient is taken,
    it is what it is at the end of training, so that the losses of all epochs compare. The value's parts hold every
    part's unweighted total under its name, or, of a part that has several parts itself, each of those as `name/sub`.
    Raises `UserError` where the names of parts and weights differ, a weight is neither, or none is ever above 0.
    """

    def __init__(self, parts: Mapping[str, Loss], weights: Mapping[str, float | Mapping[str, float]]) -> None:
        super().__init__()
        self.weights = _checked(parts, weights)
        # A list, as a ModuleDict would refuse names such as "values" or "a.b".
        self.losses = nn.ModuleList(parts[name] for name in self.weights)

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        progress = self.progress if torch.is_grad_enabled() else 1.0
        totals: list[Tensor] = []
        parts: dict[str, Tensor] = {}
        for (name, weight), loss in zip(self.weights.items(), self.losses, strict=True):
            value: LossValue = loss(outputs, target)
            totals.append(weight.at(progress) * value.total)
            if len(value.parts) > 1:
                parts |= {f"{name}/{sub}": part for sub, part in value.parts.items()}
            else:
                parts[name] = value.total.detach()
        return LossValue(sum(totals[1:], start=totals[0]), parts)


def _checked(parts: Mapping[str, Loss], given: Mapping[str, float | Mapping[str, float]]) -> dict[str, Weight]:
    """The weights in the order of the parts."""
    unmatched = sorted(set(parts) ^ set(given))
    if unmatched:
        raise UserError(
            f"{', '.join(unmatched)}: parts ({', '.join(parts)}) and weights ({', '.join(given)}) of a combined loss "
            "need the same names"
        )
    weights = weights_from(given)
    if not any(weight.first or weight.last for weight in weights.values()):
        raise UserError(f"weights of the combined loss ({', '.join(given) or 'none'}): at least one has to be above 0")
    return {name: weights[name] for name in parts}
