"""Another activation in place of those that an architecture was written with."""

from collections.abc import Callable

import timm.layers
from torch import nn

from segmentation.errors import UserError, near

ACTIVATIONS: dict[str, Callable[[bool], nn.Module]] = {
    "relu": lambda inplace: nn.ReLU(inplace),
    "leaky_relu": lambda inplace: nn.LeakyReLU(0.01, inplace),
    "gelu": lambda inplace: nn.GELU(),
    "silu": lambda inplace: nn.SiLU(),
    "elu": lambda inplace: nn.ELU(1.0, inplace),
    "mish": lambda inplace: nn.Mish(),
}
OF_TORCH = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.GELU, nn.SiLU, nn.ELU, nn.Mish, nn.Hardswish)
OF_TIMM = tuple(
    getattr(timm.layers, name)
    for name in ("Swish", "Mish", "HardSwish", "HardMish", "PReLU", "GELU", "GELUTanh", "QuickGELU")
)


def replace_activations(model: nn.Module, name: str, but_not_in: nn.Module | None = None) -> int:
    """Put the activation `name`, a key of `ACTIVATIONS`, in place of each in `model`; returns how many there were.

    Gates (sigmoid, softmax) stay, and so does what a network calls as a function. Of `but_not_in` nothing is touched.
    Raises `UserError` for an unknown name and where there was nothing to replace.
    """
    if name not in ACTIVATIONS:
        hint = near(name, ACTIVATIONS, f"known are {', '.join(ACTIVATIONS)}, null")
        raise UserError(f"model.activation={name}: there is no such activation; {hint}")
    kept = set() if but_not_in is None else set(but_not_in.modules())
    found = [
        (parent, key)
        for parent in model.modules()
        if parent not in kept
        for key, child in parent._modules.items()  # named_children() leaves out one that is there twice
        if isinstance(child, OF_TORCH + OF_TIMM) and child not in kept
    ]
    for parent, key in found:
        setattr(parent, key, ACTIVATIONS[name](getattr(parent.get_submodule(key), "inplace", False)))
    if not found:
        where = "decoder" if kept else "network"
        raise UserError(
            f"model.activation={name}: the {where} has no activation to replace; give model.activation=null"
            f"{', or model.activation_in_encoder=true' if kept else ''}"
        )
    return len(found)
