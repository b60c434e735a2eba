"""How deep in a network each parameter lies: what layer-wise learning-rate decay goes by."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def depths_from_features(features: Sequence[Tensor], parameters: dict[str, nn.Parameter]) -> dict[str, int]:
    """The depth of an encoder's parameters: the index of the first feature map that depends on them.

    `features` are an encoder's outputs from the first stage to the last, with their graph. Asking the graph needs no
    knowledge of how an architecture names or nests its stages. Feature maps that bring no new parameters do not count
    as a stage; parameters that no feature map depends on belong to the last one.
    """
    depths: dict[str, int] = {}
    stage = 0
    for feature in features:
        new = {name: parameter for name, parameter in parameters.items() if name not in depths}
        if not new or not feature.requires_grad:
            continue
        gradients = torch.autograd.grad(
            feature.sum(), list(new.values()), retain_graph=True, allow_unused=True, materialize_grads=False
        )
        reached = [name for name, gradient in zip(new, gradients, strict=True) if gradient is not None]
        depths.update(dict.fromkeys(reached, stage))
        stage += bool(reached)
    last = max(stage - 1, 0)
    return {name: depths.get(name, last) for name in parameters}


def depths_in_order(network: nn.Module) -> dict[str, int]:
    """The depth of a network's parameters by the order of its direct children, the last one being the head.

    A child that holds all parameters and has children itself is taken for the network that it wraps.
    """
    stages: dict[str, int] = {}
    depths = {name: stages.setdefault(name.split(".")[0], len(stages)) for name, _ in network.named_parameters()}
    wrapped = getattr(network, next(iter(stages))) if len(stages) == 1 else None
    if isinstance(wrapped, nn.Module) and any(True for _ in wrapped.children()):
        (prefix,) = stages
        return {f"{prefix}.{name}": depth for name, depth in depths_in_order(wrapped).items()}
    return depths
