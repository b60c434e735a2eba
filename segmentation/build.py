"""Configuration to objects. Here, in apps/ and in the entry scripts is all that knows Hydra and OmegaConf."""

import inspect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from segmentation.classes import Classes
from segmentation.data.batch import Batch
from segmentation.data.class_weights import METHODS, class_weights
from segmentation.data.image.augmentation.options import Augmentation
from segmentation.data.image.dataset import ImageDataset, collate, start_worker
from segmentation.data.image.draw import ImageDrawing
from segmentation.data.image.files import PixelFormat, Size
from segmentation.data.image.labels.unlabelled import NoLabels
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.data.rarity import class_balanced_chances
from segmentation.data.sampler import (
    DIVISOR,
    Bucket,
    Draw,
    TrainingBatches,
    batches_of_like_size,
    buckets_of_like_size,
)
from segmentation.data.splits import Split, assign, read_split, split_samples, write_split
from segmentation.engine.layer_decay import parameter_groups
from segmentation.engine.loop import Feed
from segmentation.engine.options import TrainerOptions
from segmentation.engine.schedule import Schedule
from segmentation.errors import UserError
from segmentation.losses.base import Loss
from segmentation.models.options import ModelOptions

log = logging.getLogger("segmentation")
DATASET_SHARED = (
    *("in_channels", "max_value", "image_size", "mean", "std"),
    *("split", "split_seed", "split_file", "force_resplit"),
)
MODEL_SHARED = {field.name for field in fields(ModelOptions)}
GROUP_OPTIONS = ("lr", "weight_decay", "layer_decay", "head_lr_multiplier")
Parts = Mapping[str, list[ImageSample]]


def make(node: Any, **arguments: Any) -> Any:
    """Instantiate a node. Raises the `UserError` of what it calls as it is, and makes one of any other exception."""
    try:
        return instantiate(node, **arguments, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        reason = " ".join(str(cause or error).split())
        raise UserError(f"{node['_target_']} cannot be built as configured: {reason}") from error


def build_source(dataset: DictConfig) -> ImageSource:
    """The samples that the configured reader finds; what every data set shares is not the reader's."""
    reader = {key: value for key, value in _plain(dataset).items() if key not in DATASET_SHARED}
    source: ImageSource = make(reader)
    return replace(source, pixels=PixelFormat(int(dataset.in_channels), dataset.max_value))


def build_split(dataset: DictConfig, source: ImageSource, must_train: bool = True) -> dict[str, list[ImageSample]]:
    """By dataset.split_file where it exists, else the data's own parts or made from dataset.split (and written to the
    file that is named).
    """
    if must_train and isinstance(source.labels, NoLabels):
        raise UserError(f"{source.title} has no labels, so there is nothing to train on: set dataset.labels")
    path = Path(dataset.split_file) if dataset.split_file else None
    reads = path is not None and path.is_file() and not dataset.force_resplit
    if path is not None and reads:
        split = read_split(path)
    else:
        split = split_samples(source.samples, _plain(dataset.split), int(dataset.split_seed))
    parts = assign(source.samples, split)
    if must_train and not parts["train"]:
        raise UserError(f"the training split of {source.title} is empty: give dataset.split.train more")
    if path is not None and not reads:
        write_split(path, split)
    return parts


def sample_keys(parts: Parts) -> Split:
    return {part: [sample.key for sample in samples] for part, samples in parts.items()}


def build_feed(
    cfg: DictConfig, source: ImageSource, parts: Parts, options: TrainerOptions, counts: np.ndarray | None
) -> Feed:
    """Loaders for training and validation, and the samples that are drawn: some of val, or of train without one.

    `counts` `[N, C]` are the pixels of each class in each training sample; None where nothing `asks_for_counts`.
    """
    augmentation: Augmentation = make(cfg.augmentation)
    multiple = DIVISOR if options.batch_by_size else 1
    training = ImageDataset(source, parts["train"], image_size(cfg.dataset), augmentation, counts, multiple)
    usual_size = augmentation.crop.size or image_size(cfg.dataset)
    batches = training_batches(training.sizes(), int(cfg.seed), options, counts, usual_size)
    train = _loader(training, options.num_workers, batch_sampler=batches)
    validation = evaluation_images(cfg, source, parts["val"])
    val = evaluation_loader(validation, options.val_batch_size, options.num_workers) if parts["val"] else None
    shown = validation if parts["val"] else evaluation_images(cfg, source, parts["train"])
    return Feed(train, val, _some(shown, options.visualization_count), ImageDrawing(source.classes))


def training_batches(
    sizes: Sequence[Size], seed: int, options: TrainerOptions, counts: np.ndarray | None, usual_size: Size | None
) -> TrainingBatches:
    """`sizes` are those of the images as stored, `usual_size` is that of a batch while multi_scale is off."""
    if options.batch_by_size:
        buckets = buckets_of_like_size(sizes, options.batch_size, options.batch_pixels)
    else:
        buckets = [Bucket(range(len(sizes)), options.batch_size)]
    chances = None
    if options.sampling == "class_balanced":
        assert counts is not None
        chances = class_balanced_chances(counts)
    drop_last = not options.batch_by_size  # it could be all that there is of a size
    return TrainingBatches(buckets, seed, drop_last, chances, options.multi_scale, usual_size)


def evaluation_images(cfg: DictConfig, source: ImageSource, samples: list[ImageSample]) -> ImageDataset:
    """As validation and evaluation see them; of the augmentation only `val` counts."""
    augmentation: Augmentation = make(cfg.augmentation)
    before = augmentation.for_validation() if augmentation.val else None
    return ImageDataset(source, samples, image_size(cfg.dataset), before=before)


def image_size(dataset: DictConfig) -> Size | None:
    size = dataset.image_size
    return None if size is None else (int(size[0]), int(size[1]))


def evaluation_loader(dataset: ImageDataset, batch_size: int, num_workers: int) -> DataLoader[Batch]:
    return _loader(dataset, num_workers, batch_sampler=batches_of_like_size(dataset.sizes(), batch_size))


def _loader(dataset: ImageDataset, num_workers: int, **how: Any) -> DataLoader[Batch]:
    """Its own generator: the seeds that a loader draws for its workers must not move the run's random state."""
    return DataLoader[Batch](
        dataset,  # type: ignore[arg-type]  # its items become batches in collate
        num_workers=num_workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=num_workers > 0,
        worker_init_fn=start_worker,
        generator=torch.Generator().manual_seed(0),
        **how,
    )


def _some(dataset: ImageDataset, count: int) -> list[Batch]:
    """Up to `count` samples, evenly spread, each a batch of its own."""
    count = min(count, len(dataset))
    indices = [round(place * (len(dataset) - 1) / max(count - 1, 1)) for place in range(count)]
    return [collate([dataset[Draw(index, 0)]]) for index in indices]


def draw_training_samples(feed: Feed, count: int = 2) -> list[tuple[str, Any]]:
    """Pictures of the first training samples as the model will see them, augmentation included."""
    drawing, samples = _first_training_samples(feed, count)
    return [picture for sample in samples for picture in drawing(sample)]


def draw_training_grid(feed: Feed, count: int) -> np.ndarray:
    """The first training samples in one RGB picture."""
    drawing, samples = _first_training_samples(feed, count)
    return drawing.grid(samples)


def _first_training_samples(feed: Feed, count: int) -> tuple[ImageDrawing, list[Batch]]:
    """Each a batch of its own, and what draws them; where an epoch has fewer, the next one goes on."""
    dataset, batches = feed.train.dataset, feed.train.batch_sampler
    assert isinstance(dataset, ImageDataset)
    assert isinstance(batches, TrainingBatches)
    draws = (draw for epoch in range(count) for batch in batches.of(epoch) for draw in batch)
    return ImageDrawing(dataset.source.classes), [collate([dataset[draw]]) for draw in islice(draws, count)]


def build_model(
    model: DictConfig, classes: Classes, options: TrainerOptions, device: torch.device, pretrained: bool
) -> nn.Module:
    """The number of classes is the data's. Not `pretrained`: the weights come from a checkpoint, not from a hub."""
    without = {} if pretrained or "encoder_weights" not in model else {"encoder_weights": None}
    given = _plain(model)
    shared = ModelOptions(**{key: given.pop(key) for key in MODEL_SHARED & given.keys()})
    built: nn.Module = make(given, num_classes=len(classes), **without)
    shared.apply_to(built, pretrained)
    memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
    return built.to(device, memory_format=memory_format)  # type: ignore[call-overload]


def asks_for_counts(cfg: DictConfig) -> bool:
    """Whether training needs the pixels of each class in each sample."""
    chances = ("augmentation.crop.rare_probability", "augmentation.mixing.copy_paste")
    return (
        any(node.get("class_weights") in METHODS[1:] for node in _nodes(cfg.loss))
        or cfg.trainer.sampling == "class_balanced"
        or any(OmegaConf.select(cfg, chance, default=0) for chance in chances)
    )


def fill_class_weights(loss: DictConfig, counts: np.ndarray | None) -> None:
    """Put numbers in place of `class_weights: enet` and the like, at any depth, from the pixels of each class in each
    training sample, `counts` `[N, C]`; None where nothing `asks_for_counts`.
    """
    for node in _nodes(loss):
        method = node.get("class_weights")
        if isinstance(method, str):
            if method not in METHODS:
                raise UserError(f"loss.class_weights={method}: choose {', '.join(METHODS)}, or give a list of numbers")
            node["class_weights"] = None if counts is None else class_weights(counts, method)


def _nodes(node: Any) -> list[DictConfig]:
    if not isinstance(node, DictConfig):
        return []
    return [node, *(inner for value in node.values() for inner in _nodes(value))]


def build_loss(loss: DictConfig, device: torch.device) -> Loss:
    built: Loss = make(loss)
    return built.to(device)


def build_optimizer(cfg: DictConfig, model: nn.Module) -> Optimizer:
    """Layer-wise decay decides the rate of each group; the rest of the configuration is the optimizer's own."""
    given = _plain(cfg.optimizer)
    groups = parameter_groups(model, **{name: given.pop(name) for name in GROUP_OPTIONS})
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


def build_options(cfg: DictConfig, validates: bool) -> TrainerOptions:
    """Without validation what would follow it follows the training loss."""
    options: TrainerOptions = make(cfg.trainer)
    if not validates and options.early_stopping.monitor.startswith("val/"):
        stopping = replace(options.early_stopping, monitor="train/loss", mode="min")
        options = replace(options, early_stopping=stopping)
    if not validates and options.monitor.startswith("val/"):
        options = replace(options, monitor="train/loss", monitor_mode="min")
    return options


def _plain(node: DictConfig) -> dict[str, Any]:
    content: dict[str, Any] = OmegaConf.to_container(node, resolve=True)  # type: ignore[assignment]
    return content
