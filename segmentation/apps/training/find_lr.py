"""trainer.find_lr=true: a range test in place of training."""

import logging

from omegaconf import DictConfig

from segmentation.engine.find_lr import HIGHEST, LOWEST, range_test
from segmentation.engine.options import TrainerOptions
from segmentation.engine.state import TrainState
from segmentation.engine.task import Feed, Task
from segmentation.reports.rates import draw_range_test
from segmentation.runtime.files import write_json
from segmentation.runtime.run_folder import RunFolder

log = logging.getLogger("segmentation")


def find_lr(
    cfg: DictConfig, state: TrainState, feed: Feed, task: Task, options: TrainerOptions, folder: RunFolder
) -> None:
    """Leave find_lr.png and find_lr.json in the run folder, and tell the rate that they suggest."""
    found = range_test(state, feed, task, options, float(cfg.optimizer.lr))
    write_json(folder.path / "find_lr.json", {"suggestion": found.suggestion, "lr": found.lrs, "loss": found.losses})
    picture = folder.path / "find_lr.png"
    draw_range_test(found.lrs, found.losses, found.smoothed, found.suggestion, picture)
    if found.suggestion is None:
        log.warning("the loss fell at none of the rates from %g to %g: %s", LOWEST, HIGHEST, picture)
    else:
        log.info("suggested: optimizer.lr=%.1e (%s); nothing was trained", found.suggestion, picture)
