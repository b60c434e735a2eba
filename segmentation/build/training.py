"""What moves the weights: trainer options, optimizer, schedule, and the state of a run."""

import inspect
from dataclasses import replace
from functools import partial

from omegaconf import DictConfig
from torch import nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from segmentation.build.make import make, plain
from segmentation.engine.ema import exponential_average, running_average
from segmentation.engine.layer_decay import OwnGroup, parameter_groups
from segmentation.engine.loop import steps_in
from segmentation.engine.options import TrainerOptions
from segmentation.engine.schedule import Schedule
from segmentation.engine.state import TrainState
from segmentation.engine.task import Feed, Task
from segmentation.errors import UserError

GROUP_OPTIONS = ("lr", "weight_decay", "layer_decay", "head_lr_multiplier", "groups")


def build_options(cfg: DictConfig, validates: bool) -> TrainerOptions:
    """Without validation what would follow it follows the training loss."""
    if cfg.trainer.batch_size == "auto":
        raise UserError("trainer.batch_size=auto: only training finds it; give a number")
    options: TrainerOptions = make(cfg.trainer)
    if not validates and options.early_stopping.monitor.startswith("val/"):
        stopping = replace(options.early_stopping, monitor="train/loss", mode="min")
        options = replace(options, early_stopping=stopping)
    if not validates and options.monitor.startswith("val/"):
        options = replace(options, monitor="train/loss", monitor_mode="min")
    return options


def build_state(cfg: DictConfig, model: nn.Module, feed: Feed, task: Task, options: TrainerOptions) -> TrainState:
    optimizer = build_optimizer(cfg, model)
    total_steps, steps_per_epoch = steps_in(options, len(feed.train))
    return TrainState(
        model=model,
        optimizer=optimizer,
        schedule=build_schedule(cfg, optimizer, options, total_steps, steps_per_epoch),
        scaler=GradScaler(task.device.type, enabled=task.precision.scale_gradients),
        ema=None if options.ema_decay is None else exponential_average(model, options.ema_decay),
        average=running_average(model) if options.average_start < 1 else None,
    )


def build_optimizer(cfg: DictConfig, model: nn.Module) -> Optimizer:
    """Layer-wise decay decides the rate of each group; the rest of the configuration is the optimizer's own."""
    given = plain(cfg.optimizer)
    options = {name: given.pop(name) for name in GROUP_OPTIONS}
    own = [OwnGroup(**group) for group in options.pop("groups") or ()]
    groups = parameter_groups(model, **options, own=own)
    optimizer: partial[Optimizer] = make(given)
    try:
        return optimizer(groups)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"optimizer {given['_target_']} cannot be built as configured: {error}") from error


def build_schedule(
    cfg: DictConfig, optimizer: Optimizer, options: TrainerOptions, total_steps: int, steps_per_epoch: int
) -> Schedule:
    """A schedule that follows the monitored value is told which way is better."""
    schedule: partial[Schedule] = make(cfg.scheduler)
    follows = "mode" in inspect.signature(schedule.func).parameters
    mode = {"mode": options.monitor_mode} if follows else {}
    return schedule(optimizer, total_steps=total_steps, steps_per_epoch=steps_per_epoch, **mode)
