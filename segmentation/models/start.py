"""Where training starts from: the weights of another run, and which parameters are trained at all."""

import logging
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from torch import nn

from segmentation.errors import UserError, near
from segmentation.runtime.checkpoint import load_checkpoint
from segmentation.runtime.run_folder import RunFolder

log = logging.getLogger("segmentation")
SHOWN = 3  # names of each kind in a message


def load_start(model: nn.Module, path: Path, part: str = "") -> None:
    """Take over what fits, by name and shape, from the checkpoint of another run, its EMA's weights if it has them.

    `path` is the file, or the folder of the run for its best checkpoint. With a `part`, the name of a submodule, the
    weights below it are taken and no others. What did not fit is logged by name. Raises `UserError` where nothing fits,
    or the model has no such part.
    """
    if part not in dict(model.named_modules()):
        known = [name for name, _ in model.named_children()]
        raise UserError(f"model.checkpoint names {part}: {near(part, known, f'the model has {_first(known)}')}")
    path = RunFolder(path).checkpoint("best") if path.is_dir() else path
    content = load_checkpoint(path)
    given, wanted = (
        {name: value for name, value in weights.items() if not part or name.startswith(f"{part}.")}
        for weights in (content["ema"]["model"] if content.get("ema") else content["model"], model.state_dict())
    )
    of_part = f" of {part}" if part else ""
    fitting = {name: value for name, value in given.items() if name in wanted and value.shape == wanted[name].shape}
    learned = [name for name in fitting if wanted[name].ndim]  # counters fit anything
    if not learned:
        raise UserError(
            f"model.checkpoint={path}: none of its {len(given)} weights{of_part} fits the model, the first are "
            f"{_first(list(given))}, the model's {_first(list(wanted))}; name a run of this architecture, or give null"
        )
    model.load_state_dict(fitting, strict=False)
    others = {
        "of another shape": [name for name in wanted if name in given and name not in fitting],
        "not in it": [name for name in wanted if name not in given],
        "without a place": [name for name in given if name not in wanted],
    }
    told = "".join(f"; {len(names)} {kind}: {_first(names)}" for kind, names in others.items() if names)
    weights = "EMA" if content.get("ema") else "raw"
    counted = f"{len(fitting)} of {len(wanted)} {weights} weights{of_part}"
    level = logging.INFO if 2 * len(fitting) >= len(wanted) else logging.WARNING  # most likely another architecture
    log.log(level, "model.checkpoint: %s from %s%s", counted, path, told)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def freeze_all_but(model: nn.Module, patterns: Sequence[str]) -> None:
    """Freeze every parameter whose name matches none of the `patterns` (`*` and `?` as in file names).

    What is frozen already stays so. Raises `UserError` for a pattern that matches nothing and for an empty list.
    """
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            hint = near(pattern, names, f"the first are {_first(names)}")
            raise UserError(f"model.trainable: {pattern} matches none of the {len(names)} parameters; {hint}")
    if not patterns:
        raise UserError("model.trainable=[]: nothing would be trained; give patterns of names, or null for all")
    for name, parameter in model.named_parameters():
        if not any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
