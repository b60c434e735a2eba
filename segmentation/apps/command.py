"""From the command line to a checked configuration; errors a user can cause come out as one line."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from segmentation.apps.config_check import check_config, faults_in
from segmentation.errors import UserError, gathered

log = logging.getLogger("segmentation")
FULL_ERROR = "HYDRA_FULL_ERROR"
Task = Callable[[DictConfig], Any]


def checked_task(task: Task) -> Task:
    """To go under `hydra.main`: the task with its configuration checked first and user errors told in one line."""

    @wraps(task)
    def run(cfg: DictConfig) -> Any:
        _restore_full_error()
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            check_config(cfg)
            return task(cfg)
        except UserError as error:
            if _wants_traceback():
                raise
            log.error("error: %s", error)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(130)

    return run


def tells_composition_errors(main: Callable[[], Any], config_name: str) -> Callable[[], Any]:
    """To go over `hydra.main`: what is wrong with the command line itself, all of it, without a traceback.

    Hydra stops at the first key that it does not know; here the keys are let in first and then checked with the rest.
    """

    @wraps(main)
    def run() -> Any:
        os.environ["_" + FULL_ERROR] = os.environ.get(FULL_ERROR, "")
        os.environ[FULL_ERROR] = "1"  # else Hydra prints composition errors itself, many lines of them
        try:
            return main()
        except (HydraException, OmegaConfBaseException) as error:
            _restore_full_error()
            if _wants_traceback():
                raise
            print(f"error: {_explained(error, config_name)}", file=sys.stderr)  # noqa: T201 - no logging yet
            sys.exit(1)

    return run


def _explained(error: Exception, config_name: str) -> UserError:
    faults = _faults_of_command_line(config_name) if "Could not override" in str(error) else []
    return gathered(_title(faults), faults) if faults else UserError(" ".join(str(error).split()))


def _title(faults: list[str]) -> str:
    return f"the configuration has {len(faults)} fault{'s' if len(faults) > 1 else ''}"


def _faults_of_command_line(config_name: str) -> list[str]:
    overrides = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    groups = {entry.name for entry in _conf().iterdir() if entry.is_dir()}
    admitted = [_admit(word, groups) for word in overrides]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(_conf()), version_base="1.3"):
            return faults_in(compose(config_name, [word for word in admitted if not word.startswith("hydra")]))
    except (HydraException, OmegaConfBaseException):
        return []


def _admit(word: str, groups: set[str]) -> str:
    """`key=value` as Hydra's "add or override", so that unknown keys reach the check; group choices stay."""
    key = word.split("=", 1)[0]
    return word if key in groups or key.startswith(("+", "~", "hydra")) or "@" in key else f"++{word}"


def _conf() -> Path:
    return Path(sys.argv[0]).resolve().parent / "conf"


def _wants_traceback() -> bool:
    return os.environ.get(FULL_ERROR, "") not in ("", "0")


def _restore_full_error() -> None:
    """What the user set, for errors from here on."""
    wanted = os.environ.pop("_" + FULL_ERROR, None)
    if wanted is not None:
        os.environ[FULL_ERROR] = wanted
        if not wanted:
            del os.environ[FULL_ERROR]


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """A scheduler that ends the job is treated like Ctrl-C: what was finished is told and kept."""
    raise KeyboardInterrupt
