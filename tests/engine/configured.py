"""The shipped configuration, composed as the doors compose it."""

from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

CONF = Path(__file__).resolve().parents[2] / "conf"


def choices(group: str) -> list[str]:
    """The names of every file of a group, so that a new one is tested without being listed."""
    names = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
    assert names, f"{CONF / group} holds no configuration"
    return names


@cache
def configured(*overrides: str) -> DictConfig:
    """The training configuration, `overrides` as on the command line."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(overrides))
