"""Faults of options, found before anything is built and told together."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from segmentation.apps.config.content import ABSENT, Content, at, shown
from segmentation.errors import UserError, gathered, unknown_key

Rules = Mapping[str, tuple[Callable[[Any], bool], str]]  # by dotted path: what a value must be, as a test and in words


def raise_faults(faults: Sequence[str]) -> None:
    if faults:
        raise told_together(faults)


def told_together(faults: Sequence[str]) -> UserError:
    """One line for one fault."""
    if len(faults) == 1:
        return UserError(faults[0])
    return gathered(f"the configuration has {len(faults)} faults; nothing was started", faults, most=50)


def told_faults(cfg: DictConfig, check: Callable[[Content], Iterator[str]]) -> list[str]:
    """What `check` finds in a configuration, after what is missing in it; or why it cannot be read at all."""
    try:
        content: Any = OmegaConf.to_container(cfg, resolve=True)
        missing = sorted(OmegaConf.missing_keys(cfg))
    except OmegaConfBaseException as error:
        return [_unresolved(error)]
    return [*(f"{path} is needed: give {path}=..." for path in missing), *check(content)]


def _unresolved(error: OmegaConfBaseException) -> str:
    variable = re.search(r"Environment variable '(.+)' not found", str(error))
    if variable is None:
        return " ".join(str(error).split())
    name = variable[1]
    return f"{error.full_key}: {name} is not set: put {name}=... into a file .env here, or into the environment"


def value_faults(content: Content, rules: Rules, groups: Iterable[str]) -> Iterator[str]:
    for path, (holds, expected) in rules.items():
        value = at(content, path)
        if path.split(".")[0] in groups and value is not ABSENT and not holds(value):
            yield f"{path}={shown(value)}: expected {expected}"


def unknown_keys(node: Content, path: str, known: set[str]) -> Iterator[str]:
    for key in sorted(map(str, node.keys() - known)):
        yield unknown_key(f"{path}.{key}" if path else key, known)
