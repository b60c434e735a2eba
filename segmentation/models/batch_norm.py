"""What batch norms can learn from a batch."""

from functools import partial

import torch
from torch import Tensor, nn


def norms_of_single_values(model: nn.Module, inputs: Tensor) -> list[str]:
    """The names of the batch norms that would see one value of each channel if `model` were trained on `inputs`, as
    after a global pooling of one image: they have nothing to estimate a variance from, and torch refuses it.

    One pass in evaluation mode, which changes nothing; batch norms that are in evaluation mode now do not count.
    """
    found: list[str] = []

    def look(name: str, norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        if given[0].numel() == given[0].shape[1]:
            found.append(name)

    modes = {name: module.training for name, module in model.named_modules()}
    hooks = [
        module.register_forward_pre_hook(partial(look, name))
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training
    ]
    try:
        with torch.inference_mode():
            model.eval()(inputs)
    finally:
        for hook in hooks:
            hook.remove()
        for name, module in model.named_modules():
            module.training = modes[name]
    return found
