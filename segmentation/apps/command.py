"""From the command line to a task; what a user can mend comes out as one line and an exit status of 1."""

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
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from segmentation.errors import UserError

log = logging.getLogger("segmentation")
FULL_ERROR = "HYDRA_FULL_ERROR"
wants_traceback = os.environ.get(FULL_ERROR) == "1"


def one_line_errors(hydra_main: Callable[[], Any]) -> Callable[[], Any]:
    """Over `hydra.main`: what is wrong with the command line itself, all of it together.

    Hydra prints such errors over many lines and stops at the first key that it does not know.
    """

    @wraps(hydra_main)
    def run() -> Any:
        os.environ[FULL_ERROR] = "1"  # lets errors of the composition through to here
        try:
            return hydra_main()
        except UserError:  # of a sweep's job, and told there
            sys.exit(1)
        except (HydraException, OmegaConfBaseException, OSError) as error:
            if wants_traceback:
                raise
            print(f"error: {_explained(error)}", file=sys.stderr)  # noqa: T201 - there is no logging yet
            sys.exit(1)

    return run


def run_task(task: Callable[[DictConfig], Any], cfg: DictConfig) -> Any:
    """Under `hydra.main`: the task, its user errors in one line, SIGTERM (a cluster's end of time) like Ctrl-C."""
    in_sweep = HydraConfig.get().mode is RunMode.MULTIRUN
    if not wants_traceback and not in_sweep:
        os.environ.pop(FULL_ERROR, None)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return task(cfg)
    except (UserError, OSError) as error:
        if wants_traceback:
            raise
        log.error("error: %s", error)
        if in_sweep:
            raise  # noted by Hydra, which goes on with the other jobs and raises it again in the end
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    if hasattr(signal, "SIGCHLD"):  # loader workers die of the same signal, which PyTorch would report instead
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    raise KeyboardInterrupt


def _explained(error: Exception) -> UserError:
    faults = _faults_of_command_line() if "Could not override" in str(error) else None
    given = f"{error.override}: " if isinstance(error, OverrideParseException) else ""
    return faults or UserError(given + " ".join(str(error).split()))


def _faults_of_command_line() -> UserError | None:
    """Every unknown key and impossible value of a training command: the keys are let in, then checked with the rest."""
    from segmentation.apps.config_check import faults_in, told_together  # imports PyTorch: seconds, for errors only

    script = Path(sys.argv[0]).resolve()
    conf = script.parent / "conf"
    if script.stem != "train":
        return None
    groups = {entry.name for entry in conf.iterdir() if entry.is_dir()}
    overrides = [word for word in sys.argv[1:] if "=" in word and not word.startswith(("-", "hydra"))]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            faults = faults_in(compose("config", [_admitted(word, groups) for word in overrides]))
    except (HydraException, OmegaConfBaseException):
        return None
    return told_together(faults) if faults else None


def _admitted(word: str, groups: set[str]) -> str:
    """`key=value` as Hydra's "add or override"; choices of groups stay as they are."""
    key = word.split("=", 1)[0]
    return word if key in groups or key.startswith(("+", "~")) or "@" in key else f"++{word}"
