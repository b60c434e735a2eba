"""Parameter groups: the learning rate falls with the distance from the head, biases and norms are not decayed.

Layer-wise learning-rate decay as in ULMFiT (Howard and Ruder 2018, arXiv 1801.06146) and BEiT (arXiv 2106.08254).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol, runtime_checkable

from torch import nn

from segmentation.errors import UserError, near
from segmentation.models.depth import depths_in_order

Group = dict[str, Any]
# Besides what has one dimension: position embeddings and tokens, as timm's models name them in no_weight_decay(), and
# EoMT's queries, which are tokens too.
NOT_DECAYED = ("pos_embed", "cls_token", "reg_token", "dist_token", "relative_position_bias_table", "queries")


@runtime_checkable
class KnowsDepths(Protocol):
    """A model that says how deep its parameters lie: 0 nearest the input, the largest number for decoder and head."""

    def parameter_depths(self) -> Mapping[str, int]: ...


@dataclass(frozen=True)
class OwnGroup:
    """Parameters whose names match `pattern` (`*` and `?` as in file names) are treated apart from the others.

    They get the rate `lr`, or `lr_multiplier` times what their depth gives, and this `weight_decay`, biases and norms
    included; None: as usual.
    """

    pattern: str
    lr: float | None = None
    lr_multiplier: float = 1.0
    weight_decay: float | None = None


def parameter_groups(
    model: nn.Module,
    lr: float,
    weight_decay: float,
    layer_decay: float = 1.0,
    head_lr_multiplier: float = 1.0,
    own: Sequence[OwnGroup] = (),
) -> list[Group]:
    """Groups for an optimizer, the rate of each already in its `lr`, so that every scheduler keeps their ratios.

    With n the depth of the head, a parameter at depth d < n gets `lr * layer_decay ** (n - d)`, the head
    `lr * head_lr_multiplier`. Parameters of at most one dimension (biases, norms) are not decayed, nor are those whose
    own name is one of NOT_DECAYED (positions, tokens). Frozen parameters are left out. A parameter belongs to the first
    of the `own` groups that it matches; these come first, the head last. Each group carries `depth`, `names` and
    `name` beside what optimizers read.

    Raises `UserError` for a pattern that matches nothing.
    """
    depths = _depths(model)
    head = max(depths.values(), default=0)
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    owners = _owners(list(trainable), own)
    members: defaultdict[tuple[int, int, bool], list[str]] = defaultdict(list)
    for name, parameter in trainable.items():
        decays = parameter.ndim > 1 and name.rpartition(".")[2] not in NOT_DECAYED
        members[owners[name], depths[name], decays].append(name)
    groups = []
    for (owner, depth, decayed), names in sorted(members.items(), key=lambda item: (*item[0][:2], not item[0][2])):
        chosen = own[owner] if owner < len(own) else OwnGroup("")
        by_depth = lr * (head_lr_multiplier if depth == head else layer_decay ** (head - depth))
        rate = by_depth * chosen.lr_multiplier if chosen.lr is None else chosen.lr
        usual_decay = weight_decay if decayed else 0.0
        place = "head" if depth == head else f"stage {depth}"
        groups.append(
            {
                "params": [trainable[name] for name in names],
                "lr": rate,
                "weight_decay": usual_decay if chosen.weight_decay is None else chosen.weight_decay,
                "name": " ".join(filter(None, (chosen.pattern, place if decayed else f"{place}, biases and norms"))),
                "depth": depth,
                "names": names,
            }
        )
    return groups


def _owners(names: Sequence[str], own: Sequence[OwnGroup]) -> dict[str, int]:
    """The number of the own group of each parameter; those of none come after all of them."""
    owners = dict.fromkeys(names, len(own))
    for number, group in enumerate(own):
        matching = [name for name in names if fnmatchcase(name, group.pattern)]
        fresh = [name for name in matching if owners[name] == len(own)]
        if not fresh:
            taken = (
                "only what groups before it have"
                if matching
                else near(group.pattern, names, f"the first are {', '.join(names[:3])}")
            )
            raise UserError(
                f"optimizer.groups: {group.pattern} matches none of the {len(names)} trainable parameters "
                f"that are still free: {taken}"
            )
        owners.update(dict.fromkeys(fresh, number))
    return owners


def _depths(model: nn.Module) -> Mapping[str, int]:
    """What the model says, or the order of its children."""
    if isinstance(model, KnowsDepths):
        depths = model.parameter_depths()
        unknown = sorted({name for name, _ in model.named_parameters()} ^ depths.keys())
        if unknown:
            raise ValueError(f"{type(model).__name__}.parameter_depths() and its parameters differ: {unknown[:5]}")
        return depths
    return depths_in_order(model)


def describe_groups(groups: list[Group]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of the groups: their full rates, which a warm-up may have lowered already."""
    header = ["group", "depth", "tensors", "parameters", "lr", "weight decay"]
    rows = [
        [
            group["name"],
            str(group["depth"]),
            str(len(group["names"])),
            f"{sum(parameter.numel() for parameter in group['params']):,}",
            f"{group.get('initial_lr', group['lr']):.3g}",
            f"{group['weight_decay']:.3g}",
        ]
        for group in groups
    ]
    return header, rows
