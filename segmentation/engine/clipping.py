"""Gradients that are too large are made smaller before the step."""

from collections.abc import Sequence
from typing import Literal

from timm.utils.agc import adaptive_clip_grad
from torch import Tensor, nn

ClipMode = Literal["norm", "value", "adaptive"]


def clip_gradients(
    parameters: Sequence[nn.Parameter], limit: float | None, mode: ClipMode, measure: bool
) -> Tensor | None:
    """Clip in place: `norm` scales all gradients together down to the norm `limit`; `value` bounds each number;
    `adaptive` bounds the norm of each output unit's gradient to `limit` times that of its weights, at least 1e-3 (Brock
    et al. 2021, arXiv 2102.06171). A `limit` of None: off.

    Returns the norm of all gradients before, which is not finite where one of them is not; None unless `measure` asks
    for it or clipping needs it.
    """
    if limit is not None and mode == "norm":
        return nn.utils.clip_grad_norm_(parameters, limit, foreach=True)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients, foreach=True) if measure else None
    if limit is not None and mode == "value":
        nn.utils.clip_grad_value_(parameters, limit, foreach=True)
    elif limit is not None:
        adaptive_clip_grad(parameters, limit)
    return norm
