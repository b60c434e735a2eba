"""Which checkpoints a run keeps: the last, the best, the average, and some of the best by name."""

import logging
import math
from pathlib import Path

from segmentation.engine.ema import WeightAverage
from segmentation.engine.options import TrainerOptions, better
from segmentation.engine.state import Progress, TrainState
from segmentation.errors import UserError
from segmentation.runtime.checkpoint import load_checkpoint, save_checkpoint
from segmentation.runtime.files import link_or_copy
from segmentation.runtime.run_folder import RunFolder

log = logging.getLogger("segmentation")


def note_best(progress: Progress, value: float, options: TrainerOptions) -> None:
    """Take the monitored value of the epoch just finished into `progress`; NaN improves on nothing."""
    if better(value, progress.best_value, options.monitor_mode):
        progress.best_value, progress.best_epoch = value, progress.epoch
    if options.max_checkpoints and not math.isnan(value):
        progress.kept[f"epoch_{progress.epoch:03d}"] = value
        sign = -1 if options.monitor_mode == "max" else 1
        ranked = sorted(progress.kept, key=lambda name: sign * progress.kept[name])
        progress.kept = {name: progress.kept[name] for name in ranked[: options.max_checkpoints]}


def note_stopping(progress: Progress, value: float, options: TrainerOptions) -> None:
    """Take early stopping's value of the epoch just finished into `progress`."""
    if better(value, progress.stopping_value, options.early_stopping.mode):
        progress.stopping_value, progress.stopping_wait = value, 0
    else:
        progress.stopping_wait += 1


def stopped_early(progress: Progress, options: TrainerOptions) -> bool:
    patience = options.early_stopping.patience
    return patience is not None and progress.stopping_wait >= patience


def save_checkpoints(folder: RunFolder, state: TrainState) -> None:
    """Write the state once; `best` and `epoch_XXX` are further names for the same bytes.

    `last` is renamed into place after them: a run killed in between goes on from the epoch before and comes to the same
    best again.
    """
    progress = state.progress
    pending = folder.checkpoint(".pending")
    save_checkpoint(pending, state.state_dict())
    if progress.best_epoch == progress.epoch:
        link_or_copy(pending, folder.checkpoint("best"))
    name = f"epoch_{progress.epoch:03d}"
    if name in progress.kept:
        link_or_copy(pending, folder.checkpoint(name))
    if state.average is not None and int(state.average.n_averaged):
        save_average(folder, state.average, progress.epoch)
    pending.replace(folder.checkpoint("last"))
    for file in folder.checkpoints.glob("epoch_*.pt"):
        if file.stem not in progress.kept:
            file.unlink()


def save_average(folder: RunFolder, average: WeightAverage, epoch: int) -> None:
    save_checkpoint(folder.checkpoint("average"), {"model": average.module.state_dict(), "epoch": epoch})


def adopt_checkpoints(resumed: Path, folder: RunFolder, progress: Progress) -> None:
    """Bring the best and the kept checkpoints of a run along when it goes on from `resumed` in `folder`.

    What `progress` knows but the files beside `resumed` no longer hold is forgotten, with a warning; that later
    epochs of `folder` itself will be overwritten is told too.
    """
    latest = _epoch_of(folder.checkpoint("last"))
    if latest is not None and latest > progress.epoch:
        told = "%s goes on after epoch %d: its later epochs, up to %d, are discarded (history and checkpoints)"
        log.warning(told, folder.path, progress.epoch, latest)
    if progress.best_epoch is not None:
        best = _file_of(progress.best_epoch, resumed)
        if best is not None:
            link_or_copy(best, folder.checkpoint("best"))
        else:
            log.warning("the best, of epoch %d, is not beside %s: it is sought anew", progress.best_epoch, resumed)
            progress.best_epoch = progress.best_value = None
    for name in list(progress.kept):
        kept = resumed.with_name(f"{name}.pt")
        if kept.is_file():
            link_or_copy(kept, folder.checkpoint(name))
        else:
            log.warning("%s is not beside %s: it is no longer kept", kept.name, resumed)
            del progress.kept[name]


def _file_of(epoch: int, resumed: Path) -> Path | None:
    """The checkpoint of `epoch`: `resumed` itself, or the best or a kept one beside it."""
    files = (resumed, resumed.with_name("best.pt"), resumed.with_name(f"epoch_{epoch:03d}.pt"))
    return next((file for file in files if _epoch_of(file) == epoch), None)


def _epoch_of(checkpoint: Path) -> int | None:
    """None when there is no such file or it cannot be read."""
    try:
        return int(load_checkpoint(checkpoint, mmap=True)["progress"]["epoch"])
    except UserError:
        return None
