"""From the command line to a task; what a user can mend comes out as one line and an exit status of 1."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

from dotenv import load_dotenv
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from segmentation.errors import UserError, near

log = logging.getLogger("segmentation")
FULL_ERROR = "HYDRA_FULL_ERROR"
NO_CHOICE = "Config group override must be"  # the ValueError that Hydra raises for trainer=null
wants_traceback = os.environ.get(FULL_ERROR) == "1"


def one_line_errors(hydra_main: Callable[[], Any]) -> Callable[[], Any]:
    """Over `hydra.main`: what is wrong with the command line itself, all of it together.

    Hydra prints such errors over many lines and stops at the first key that it does not know.
    """

    @wraps(hydra_main)
    def run() -> Any:
        load_dotenv(Path.cwd() / ".env")  # what is set already stays
        sys.path.append(str(Path.cwd()))  # for models of the user's own; last, so that they hide nothing
        os.environ[FULL_ERROR] = "1"  # lets errors of the composition through to here
        try:
            if {"-m", "--multirun"} & set(
                sys.argv
            ):  # the last job's faults would else be told when the others are done
                _refuse(faults_of_command_line())
            return hydra_main()
        except UserError:  # of a sweep's job, and told there
            sys.exit(1)
        except (HydraException, OmegaConfBaseException, OSError, ValueError) as error:
            if wants_traceback or (isinstance(error, ValueError) and NO_CHOICE not in str(error)):
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
    except (UserError, OmegaConfBaseException, OSError) as error:
        if wants_traceback:
            raise
        told = error if isinstance(error, UserError) else UserError(" ".join(str(error).split()))
        log.error("error: %s", told)
        if in_sweep:
            raise told from None  # noted by Hydra, which goes on with the other jobs and raises it again in the end
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    if hasattr(signal, "SIGCHLD"):  # loader workers die of the same signal, which PyTorch would report instead
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    raise KeyboardInterrupt


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        print(f"error: {_together(faults)}", file=sys.stderr)  # noqa: T201 - there is no logging yet
        sys.exit(1)


def _together(faults: Sequence[str]) -> UserError:
    from segmentation.apps.config.faults import told_together

    return told_together(faults)


def _explained(error: Exception) -> UserError:
    told = str(error)
    if any(words in told for words in ("Could not override", "Could not find", NO_CHOICE)):
        faults = faults_of_command_line()
        if faults:
            return _together(faults)
    given = f"{error.override}: " if isinstance(error, OverrideParseException) else ""
    return UserError(given + " ".join(told.split()))


def faults_of_command_line() -> list[str]:
    """Every unknown key and impossible value; of a sweep those of every value, whatever it is combined with."""
    script = Path(sys.argv[0]).resolve()
    overrides = [word for word in sys.argv[1:] if "=" in word and not word.startswith(("-", "hydra"))]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_folder(script)), version_base="1.3"):
            faults = (fault for job in _jobs(overrides) for fault in _faults_of_job(script, job))
            return list(dict.fromkeys(faults))
    except (HydraException, OmegaConfBaseException):
        return []


def config_folder(script: Path) -> Path:
    """predict.py has one of its own: its option `model` would else be a choice of the group conf/model."""
    own = script.parent / "conf" / script.stem
    return own if own.is_dir() else own.parent


def _jobs(overrides: Sequence[str]) -> Iterator[list[str]]:
    """Of a sweep not every job but every value: each in turn in place of its option's first."""
    alternatives = [_alternatives(word) for word in overrides]
    first = [values[0] for values in alternatives]
    yield first
    for place, values in enumerate(alternatives):
        yield from ([*first[:place], value, *first[place + 1 :]] for value in values[1:])


def _alternatives(word: str) -> list[str]:
    """A sweep's `key=a,b` is `key=a` in one job and `key=b` in another."""
    override = OverridesParser.create().parse_override(word)
    if not override.is_discrete_sweep():
        return [word]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def _faults_of_job(script: Path, overrides: Sequence[str]) -> list[str]:
    """Groups without a choice are left at their default and keys that Hydra refuses let in, then all is checked."""
    name, check = _check_of(script.stem)
    groups = {path.name: path for path in config_folder(script).iterdir() if path.is_dir()}
    without = [word for word in overrides if _key(word) in groups and not _names_choice(word, groups[_key(word)])]
    cfg = compose(name, [_admitted(word, groups) for word in overrides if word not in without])
    return [*(_without_choice(word, groups[_key(word)]) for word in without), *check(cfg)]


def _check_of(script: str) -> tuple[str, Callable[[DictConfig], list[str]]]:
    """The configuration of a script, and what finds the faults in it."""
    if script == "predict":  # which may be used without PyTorch
        from segmentation.apps.config.prediction import faults_in_prediction

        return script, faults_in_prediction
    from segmentation.apps.config import check

    others = {
        "evaluate": check.faults_in_evaluation,
        "check": check.faults_in_check,
        "compare": check.faults_in_compare,
        "export": check.faults_in_export,
        "pareto": check.faults_in_pareto,
    }
    return (script, others[script]) if script in others else ("config", check.faults_in)


def _key(word: str) -> str:
    return word.partition("=")[0]


def _names_choice(word: str, group: Path) -> bool:
    value = OverridesParser.create().parse_override(word).value()
    names = value if isinstance(value, list) else [value]
    return all(isinstance(name, str) and (group / f"{name}.yaml").is_file() for name in names)


def _without_choice(word: str, group: Path) -> str:
    choices = sorted(path.stem for path in group.glob("*.yaml"))
    meant = near(word.partition("=")[2], choices, "")
    if meant:
        return f"{word}: there is no such {group.name}; {meant}"
    return f"{word}: expected one of {', '.join(choices)}; leave {group.name}= out for the default"


def _admitted(word: str, groups: Container[str]) -> str:
    """`key=value` as Hydra's "add or override"; choices of groups stay as they are."""
    key = _key(word)
    return word if key in groups or key.startswith(("+", "~")) or "@" in key else f"++{word}"
