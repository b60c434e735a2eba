"""trainer.batch_size=auto: the largest batch that a training step has memory for."""

import logging

import numpy as np
import torch
from omegaconf import DictConfig

from segmentation.build.feed import build_feed, first_training_samples
from segmentation.build.model import build_loss, build_model
from segmentation.build.sets import Parts, Source
from segmentation.build.training import build_options, build_state
from segmentation.engine.freeze import to_training
from segmentation.engine.memory import largest_batch
from segmentation.engine.task import Task
from segmentation.engine.trial import try_step
from segmentation.errors import UserError
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.runtime.device import Precision

log = logging.getLogger("segmentation")
LEAST = 2  # what batch norms need
SHARE = 0.9  # of the memory: a run needs more now and then, for validation or where memory is in pieces


def find_batch_size(
    cfg: DictConfig,
    source: Source,
    parts: Parts,
    counts: np.ndarray | None,
    device: torch.device,
    precision: Precision,
) -> int:
    """Raises `UserError` where there is no GPU, whose memory has a known end."""
    if device.type != "cuda":
        raise UserError(f"trainer.batch_size=auto: it is for a GPU, training is on {device}; give a number")
    torch.cuda.set_per_process_memory_fraction(SHARE, device)
    try:
        found = largest_step(cfg, source, parts, counts, device, precision)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        torch.cuda.empty_cache()
    log.info("trainer.batch_size=auto: %d of %d training images", found, len(parts["train"]))
    return found


def largest_step(
    cfg: DictConfig,
    source: Source,
    parts: Parts,
    counts: np.ndarray | None,
    device: torch.device,
    precision: Precision,
) -> int:
    """Of at most as many images as there are: with model, averages and optimizer as in training, built for this."""
    trial = cfg.copy()
    trial.trainer.batch_size, trial.trainer.num_workers = LEAST, 0
    options = build_options(trial, validates=bool(parts["val"]))
    feed = build_feed(trial, source, parts, options, counts)
    model = build_model(trial, source.classes, options, device, pretrained=False)
    task = Task(build_loss(trial.loss, device), SegmentationMetric(source.classes), device, precision)
    state = build_state(trial, model, feed, task, options)
    (sample,) = first_training_samples(feed, 1)
    to_training(model, list(model.parameters()), 0, 0)

    def step(size: int) -> None:
        log.info("trainer.batch_size=auto: trying %d", size)
        state.optimizer.zero_grad(set_to_none=True)  # of an attempt that failed halfway
        try_step(state, [sample.times(size).to(device)], task, options)

    return largest_batch(step, LEAST, max(len(parts["train"]), LEAST))
