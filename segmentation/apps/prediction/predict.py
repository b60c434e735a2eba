"""predict.py: classes of whatever is given, by the model of a run, by several, or by an exported file.

Nothing here imports PyTorch: an exported file is used without it.
"""

import errno
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.apps.config.faults import raise_faults
from segmentation.apps.config.prediction import faults_in_prediction
from segmentation.apps.prediction.images import ImageTask
from segmentation.apps.prediction.models import open_exported
from segmentation.apps.prediction.output import OutputFolder
from segmentation.apps.prediction.task import Task
from segmentation.errors import UserError, gathered

log = logging.getLogger("segmentation")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ANY_TIME = (
    "input",
    "output",
    "skip_existing",
    "overwrite",
    "threads",
    "device",
    "tile_batch",
)


def predict(cfg: DictConfig) -> None:
    """Write what `cfg` asks for into `cfg.output`. What can be refused is refused before the model is loaded.

    What cannot be read is told and passed over, and in the end a `UserError` says how many there were.
    """
    raise_faults(faults_in_prediction(cfg))
    task, output = _task(cfg), Path(cfg.output)
    with _failing_in_one_line(output):
        about = _about(cfg, task)
        folder = OutputFolder.open(output, about, cfg.skip_existing, cfg.overwrite)
        faults = [*task.unreadable, *task.predict(folder)]
        rows = [folder.done[key] for key in task.keys if key in folder.done]
        task.conclude(folder, rows, about, faults)
        log.info("%d inputs -> %s", len(rows), folder.path / "index.html")
    if faults:
        number = len(task.keys) + len(task.unreadable)
        raise gathered(f"{len(faults)} of {number} inputs could not be done in whole; all else is in {output}", faults)


def _task(cfg: DictConfig) -> Task:
    """An exported file takes images; a run what it was trained on."""
    if cfg.model is None:
        from segmentation.apps.prediction.trained import task_of_runs

        return task_of_runs(cfg)
    return ImageTask.of(cfg, open_exported(cfg))


def _about(cfg: DictConfig, task: Task) -> dict[str, Any]:
    """What must be the same for results to lie in one folder, as JSON; infinity, which JSON has not, as text."""
    options: Mapping[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    left_out = {*ANY_TIME, "run", "model", "checkpoint", *task.without_effect}
    others = {name: value for name, value in options.items() if name not in left_out}
    plain: dict[str, Any] = json.loads(json.dumps({**task.identity, **others}), parse_constant=str)
    return plain


@contextmanager
def _failing_in_one_line(output: Path) -> Iterator[None]:
    """What is written is whole, whatever happens."""
    try:
        yield
    except MemoryError as error:
        raise UserError(f"out of memory ({error}): give threads=1, or fewer kinds of results") from error
    except OSError as error:
        if error.errno in FULL:
            raise UserError(
                f"no space to write in {output} ({error.strerror}): free some and go on with skip_existing=true; what "
                "is there is complete"
            ) from error
        told = f"{error.filename or output}: {error.strerror or error}"
        raise UserError(f"output={output} cannot be written ({told}): give a folder that can be") from error
