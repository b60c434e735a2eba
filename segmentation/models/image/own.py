"""A network of the user's own."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segmentation.errors import UserError
from segmentation.models.image.pixels import ImageModel
from segmentation.models.image.weights import is_file_name, load_encoder_weights


def own_model(
    network: Callable[..., nn.Module],
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    divisor: int = 1,
    encoder: str | None = None,
    encoder_weights: str | None = None,
) -> ImageModel:
    """`network(num_classes=..., in_channels=...)`, the latter where it takes it, is a module that maps normalised
    pixels `[B, bands, H, W]`, H and W multiples of `divisor`, to logits `[B, num_classes, H, W]`, or to a mapping that
    holds them under `"out"` and heads for loss=auxiliary beside.

    `encoder` names its submodule that starts from the file `encoder_weights`. Layer-wise decay takes the network's
    direct children in order. Raises `UserError` for what does not fit together and, when the model is called, for a
    network that answers with something else.
    """
    takes = inspect.signature(network).parameters
    bands = {"in_channels": len(mean)} if "in_channels" in takes else {}
    built = network(num_classes=num_classes, **bands)
    if not isinstance(built, nn.Module):
        raise UserError(
            f"model.network gives a {type(built).__name__} and no torch.nn.Module: name a class or a function"
        )
    if encoder is not None and encoder not in dict(built.named_modules()):
        children = ", ".join(name for name, _ in built.named_children())
        raise UserError(f"model.encoder={encoder}: the network has no such submodule; its own are {children}")
    if encoder_weights is not None:
        if encoder is None or not is_file_name(encoder_weights):
            raise UserError(
                f"model.encoder_weights={encoder_weights}: an own network takes a file (.pth, .safetensors) for "
                "the submodule that model.encoder names"
            )
        load_encoder_weights(built.get_submodule(encoder), Path(encoder_weights))
    built.register_forward_hook(partial(_check_answer, num_classes))
    return ImageModel(built, encoder, None, mean, std, divisor)


def _check_answer(num_classes: int, network: nn.Module, given: tuple[Tensor, ...], answer: Any) -> None:
    """Not while it is exported, where sizes are symbols: that follows training."""
    if torch.compiler.is_exporting() or torch.jit.is_tracing():  # type: ignore[attr-defined]
        return
    batch, _, *size = given[0].shape
    wanted = [batch, num_classes, *size]
    logits = answer.get("out") if isinstance(answer, Mapping) else answer
    if isinstance(logits, Tensor) and list(logits.shape) == wanted:
        return
    found = f"logits {list(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(answer).__name__}"
    raise UserError(
        f"model.network gives {found} for pixels {list(given[0].shape)}: expected logits {wanted}, or a mapping that "
        "holds them under out"
    )
