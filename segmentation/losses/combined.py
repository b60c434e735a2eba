"""A weighted sum of losses."""

from collections.abc import Mapping
from math import inf

from torch import Tensor, nn

from segmentation.errors import UserError
from segmentation.losses.base import Loss, LossValue
from segmentation.outputs import Outputs


class Combined(Loss):
    """The sum of `weights[name] * parts[name]`.

    The value's parts hold every part's unweighted total under its name, or, of a part that has several parts itself,
    each of those as `name/sub`. Raises `UserError` where the names of parts and weights differ, a weight is not a
    finite number >= 0, or none is above 0.
    """

    def __init__(self, parts: Mapping[str, Loss], weights: Mapping[str, float]) -> None:
        super().__init__()
        _check(parts, weights)
        self.weights = {name: weights[name] for name in parts}
        # A list, as a ModuleDict would refuse names such as "values" or "a.b".
        self.losses = nn.ModuleList(parts.values())

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        totals: list[Tensor] = []
        parts: dict[str, Tensor] = {}
        for (name, weight), loss in zip(self.weights.items(), self.losses, strict=True):
            value: LossValue = loss(outputs, target)
            totals.append(weight * value.total)
            if len(value.parts) > 1:
                parts |= {f"{name}/{sub}": part for sub, part in value.parts.items()}
            else:
                parts[name] = value.total.detach()
        return LossValue(sum(totals[1:], start=totals[0]), parts)


def _check(parts: Mapping[str, Loss], weights: Mapping[str, float]) -> None:
    unmatched = sorted(set(parts) ^ set(weights))
    if unmatched:
        raise UserError(
            f"{', '.join(unmatched)}: parts ({', '.join(parts)}) and weights ({', '.join(weights)}) of a combined loss "
            "need the same names"
        )
    faulty = [f"{name} = {weight}" for name, weight in weights.items() if not 0 <= weight < inf]
    if faulty:
        raise UserError(f"weights of the combined loss: {', '.join(faulty)}; expected finite numbers >= 0")
    if not any(weights.values()):
        raise UserError(
            f"weights of the combined loss ({', '.join(weights) or 'none'}): at least one has to be above 0"
        )
