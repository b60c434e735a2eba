"""Going on with a run: which checkpoint, on which split, and what may have changed since."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.apps.config.content import flat
from segmentation.build.sets import Source
from segmentation.data.splits import assign, read_split
from segmentation.engine.checkpoints import adopt_checkpoints
from segmentation.engine.state import TrainState
from segmentation.errors import UserError, gathered
from segmentation.runtime.checkpoint import load_checkpoint
from segmentation.runtime.run_folder import RunFolder, read_written

log = logging.getLogger("segmentation")
FIXED = ("optimizer.", "trainer.monitor", "trainer.early_stopping.monitor", "trainer.early_stopping.mode")


@dataclass(frozen=True)
class Resumed:
    """The checkpoint that training goes on from."""

    path: Path
    content: dict[str, Any]

    @property
    def folder(self) -> RunFolder:
        """Of the run that it was written by."""
        return RunFolder(self.path.parent.parent)

    def __str__(self) -> str:
        return f"{self.path} (epoch {self.content['progress']['epoch']})"


def find_checkpoint_to_resume(choice: str | None, folder: RunFolder) -> Resumed | None:
    """None for a run from the start. Raises `UserError` rather than start anew over a run that is there, or when a
    checkpoint that is named is missing.
    """
    last, present = folder.checkpoint("last"), folder.present_checkpoints()
    if choice is None:
        if present:
            raise UserError(
                f"{folder.path} holds a run already: trainer.resume=auto goes on, another hydra.run.dir starts"
            )
        return None
    if choice == "auto" and not present:
        log.info("trainer.resume=auto: %s holds no checkpoint, training starts from the beginning", folder.path)
        return None
    if choice == "auto" and not last.is_file():
        raise UserError(
            f"{folder.checkpoints} has no last.pt but {', '.join(present)}: trainer.resume=PATH goes on from one of "
            "them, another hydra.run.dir starts"
        )
    path = last if choice == "auto" else Path(choice)
    if path.is_dir():
        raise UserError(f"trainer.resume={choice} is a folder: name a file, {RunFolder(path).checkpoint('last')}")
    if present and path.resolve().parent != folder.checkpoints.resolve():
        raise UserError(f"{folder.path} holds another run already: give the run that goes on a new hydra.run.dir")
    content = load_checkpoint(path)
    if "progress" not in content:
        raise UserError(f"trainer.resume={choice} holds weights only: name last.pt, best.pt or epoch_XXX.pt")
    resumed = Resumed(path, content)
    log.info("training goes on from %s", resumed)
    return resumed


def split_of(resumed: Resumed, source: Source) -> dict[str, list[Any]]:
    """The samples that the run had: another split would validate on what was trained on."""
    splits = resumed.folder.splits
    if not splits.is_file():
        raise UserError(f"{splits} is missing: a resumed run keeps its split; put the file back or start a new run")
    return assign(source.samples, read_split(splits))


def batch_size_of(resumed: Resumed) -> int:
    """What trainer.batch_size=auto came to when the run began."""
    return int(read_written(resumed.folder.config, OmegaConf.load).trainer.batch_size)


def resume(state: TrainState, resumed: Resumed, folder: RunFolder, cfg: DictConfig) -> None:
    """Raises `UserError` for a changed optimizer, whose state, rates included, comes from the checkpoint, and for
    another measure of what is best: the values that are compared with come from there as well.
    """
    before = resumed.folder.config
    changes = differences(read_written(before, OmegaConf.load), cfg) if before.is_file() else []
    fixed = [change for change in changes if change.startswith(FIXED)]
    if fixed:
        raise gathered(
            "a resumed run keeps its optimizer and what it is judged by: leave these as they were, or start a new run",
            fixed,
        )
    state.load_state_dict(resumed.content)
    adopt_checkpoints(resumed.path, folder, state.progress)
    for change in changes:
        log.warning("other than before: %s", change)


def differences(before: Any, now: Any) -> list[str]:
    """Where two configurations differ, less where the run goes."""
    old, new = flat(OmegaConf.to_container(before, resolve=True)), flat(OmegaConf.to_container(now, resolve=True))
    ignored = ("trainer.resume", "experiment_name")
    names = [name for name in sorted(old.keys() | new.keys()) if name not in ignored]
    return [
        f"{name}: {old.get(name, 'absent')} -> {new.get(name, 'absent')}"
        for name in names
        if old.get(name) != new.get(name)
    ]
