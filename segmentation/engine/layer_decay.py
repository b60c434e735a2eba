"""Parameter groups: the learning rate falls with the distance from the head, biases and norms are not decayed.

Layer-wise learning-rate decay as in ULMFiT (Howard and Ruder 2018, arXiv 1801.06146) and BEiT (arXiv 2106.08254).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import nn

Group = dict[str, Any]


@runtime_checkable
class KnowsDepths(Protocol):
    """A model that says how deep its parameters lie: 0 nearest the input, the largest number for decoder and head."""

    def parameter_depths(self) -> Mapping[str, int]: ...


def parameter_groups(
    model: nn.Module,
    lr: float,
    weight_decay: float,
    layer_decay: float = 1.0,
    head_lr_multiplier: float = 1.0,
) -> list[Group]:
    """Groups for an optimizer, the rate of each already in its `lr`, so that every scheduler keeps their ratios.

    With n the depth of the head, a parameter at depth d < n gets `lr * layer_decay ** (n - d)`, the head
    `lr * head_lr_multiplier`. Parameters of at most one dimension (biases, norms) are not decayed. Frozen parameters
    are left out. Each group carries `depth`, `names` and `name` beside what optimizers read.
    """
    depths = _depths(model)
    head = max(depths.values(), default=0)
    members: defaultdict[tuple[int, bool], list[str]] = defaultdict(list)
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    for name, parameter in trainable.items():
        members[depths[name], parameter.ndim > 1].append(name)
    groups = []
    for (depth, decayed), names in sorted(members.items(), key=lambda item: (item[0][0], not item[0][1])):
        scale = head_lr_multiplier if depth == head else layer_decay ** (head - depth)
        place = "head" if depth == head else f"stage {depth}"
        groups.append(
            {
                "params": [trainable[name] for name in names],
                "lr": lr * scale,
                "weight_decay": weight_decay if decayed else 0.0,
                "name": place if decayed else f"{place}, biases and norms",
                "depth": depth,
                "names": names,
            }
        )
    return groups


def _depths(model: nn.Module) -> Mapping[str, int]:
    """What the model says; else its direct children in order, each a stage of its own, the last one the head."""
    if isinstance(model, KnowsDepths):
        depths = model.parameter_depths()
        unknown = sorted({name for name, _ in model.named_parameters()} ^ depths.keys())
        if unknown:
            raise ValueError(f"{type(model).__name__}.parameter_depths() and its parameters differ: {unknown[:5]}")
        return depths
    stages: dict[str, int] = {}
    return {name: stages.setdefault(name.split(".")[0], len(stages)) for name, _ in model.named_parameters()}


def describe_groups(groups: list[Group]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of the groups."""
    header = ["group", "tensors", "parameters", "lr", "weight decay"]
    rows = [
        [
            group["name"],
            str(len(group["names"])),
            f"{sum(parameter.numel() for parameter in group['params']):,}",
            f"{group['lr']:.3g}",
            f"{group['weight_decay']:.3g}",
        ]
        for group in groups
    ]
    return header, rows
