"""A picture of the learning rate of every group at every step, before a run is spent on it."""

import logging
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch.optim import Optimizer

from segmentation.apps.config.check import check_config
from segmentation.build.data import build_source, build_split
from segmentation.build.kinds import kind_of
from segmentation.build.model import build_model
from segmentation.build.training import build_optimizer, build_options, build_schedule
from segmentation.engine.layer_decay import describe_groups
from segmentation.engine.loop import steps_in
from segmentation.engine.schedule import Schedule
from segmentation.reports.rates import draw_schedule
from segmentation.runtime.console import progress_bar, table_text

log = logging.getLogger("segmentation")
OWN = ("output",)


def draw_rates(cfg: DictConfig) -> Path:
    """Returns the file of the picture. Groups that share a rate are one line; where a schedule follows the monitored
    value, nothing is measured here, so only its warm-up shows. Raises `UserError` for what is wrong with the
    configuration or the data.
    """
    training = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in OWN])
    check_config(training)
    source = build_source(training.dataset)
    parts = build_split(training.dataset, source)
    options = build_options(training, validates=bool(parts["val"]))
    model = build_model(training, source.classes, options, torch.device("cpu"), pretrained=False)
    optimizer = build_optimizer(training, model)
    log.info("%s", table_text("parameter groups", *describe_groups(optimizer.param_groups)))
    batches = kind_of(source).epoch_length(training, source, parts["train"], options)
    total_steps, steps_per_epoch = steps_in(options, batches)
    schedule = build_schedule(training, optimizer, options, total_steps, steps_per_epoch)
    rates = rates_of(optimizer, schedule, total_steps, steps_per_epoch)
    path = Path(cfg.output)
    epochs = f"{total_steps} steps, {total_steps / steps_per_epoch:.4g} epochs of {steps_per_epoch}"
    draw_schedule(rates, steps_per_epoch, f"{training.scheduler._target_.rpartition('.')[2]}: {epochs}", path)
    log.info("%s: %s", epochs, path)
    return path


def rates_of(
    optimizer: Optimizer, schedule: Schedule, total_steps: int, steps_per_epoch: int
) -> dict[str, list[float]]:
    """The rate at each step by the name of the group; groups whose rates are planned equal are one."""
    optimizer.step()  # of no gradients: else the first step of a schedule warns
    planned = {group["initial_lr"]: group for group in reversed(optimizer.param_groups)}
    groups = {group["name"]: group for group in reversed(planned.values())}
    rates: dict[str, list[float]] = {name: [] for name in groups}
    with progress_bar("schedule", total_steps) as bar:
        for step in range(1, total_steps + 1):
            for name, group in groups.items():
                rates[name].append(group["lr"])
            schedule.step()
            if step % steps_per_epoch == 0:
                schedule.epoch_end(None)
            bar.advance()
    return rates
