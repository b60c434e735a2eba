"""Configuration to objects. Here, in apps/ and in the entry scripts is all that knows Hydra and OmegaConf."""

import inspect
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

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
from segmentation.data.image.dataset import ImageDataset, collate, start_worker
from segmentation.data.image.draw import ImageDrawing
from segmentation.data.image.files import PixelFormat
from segmentation.data.image.scan import MaskScan
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.data.sampler import Draw, ShuffledSampler, batches_of_like_size
from segmentation.data.splits import Split, assign, read_split, split_groups, write_split
from segmentation.engine.layer_decay import parameter_groups
from segmentation.engine.loop import Feed
from segmentation.engine.options import TrainerOptions
from segmentation.engine.schedule import Schedule
from segmentation.errors import UserError
from segmentation.losses.base import Loss

log = logging.getLogger("segmentation")
DATASET_SHARED = (
    *("in_channels", "max_value", "image_size", "mean", "std"),
    *("split", "split_seed", "split_file", "force_resplit"),
)
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
    """By dataset.split_file where it exists, else made from dataset.split (and written to the file that is named)."""
    path = Path(dataset.split_file) if dataset.split_file else None
    reads = path is not None and path.is_file() and not dataset.force_resplit
    if path is not None and reads:
        split = read_split(path)
    else:
        groups = [sample.group for sample in source.samples]
        split = split_groups(groups, _plain(dataset.split), int(dataset.split_seed))
    parts = assign(source.samples, split)
    if must_train and not parts["train"]:
        raise UserError(f"the training split of {source.title} is empty: give dataset.split.train more")
    if path is not None and not reads:
        write_split(path, split)
    return parts


def sample_keys(parts: Parts) -> Split:
    return {part: [sample.key for sample in samples] for part, samples in parts.items()}


def build_feed(cfg: DictConfig, source: ImageSource, parts: Parts, options: TrainerOptions) -> Feed:
    """Loaders for training and validation, and the samples that are drawn: some of val, or of train without one."""
    training = image_dataset(cfg.dataset, source, parts["train"], make(cfg.augmentation))
    train = _loader(
        training,
        options.num_workers,
        batch_size=options.batch_size,
        sampler=ShuffledSampler(len(training), int(cfg.seed)),
        drop_last=len(training) >= options.batch_size,  # a smaller last batch would weigh its images more
    )
    validation = image_dataset(cfg.dataset, source, parts["val"])
    val = evaluation_loader(validation, options.val_batch_size, options.num_workers) if parts["val"] else None
    shown = validation if parts["val"] else image_dataset(cfg.dataset, source, parts["train"])
    return Feed(train, val, _some(shown, options.visualization_count), ImageDrawing(source.classes))


def image_dataset(
    dataset: DictConfig, source: ImageSource, samples: list[ImageSample], augmentation: Any = None
) -> ImageDataset:
    size = None if dataset.image_size is None else (int(dataset.image_size[0]), int(dataset.image_size[1]))
    return ImageDataset(source, samples, size, augmentation)


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


def draw_training_samples(feed: Feed, seed: int, count: int = 2) -> list[tuple[str, Any]]:
    """Pictures of random training samples as the model will see them, augmentation included."""
    dataset = feed.train.dataset
    assert isinstance(dataset, ImageDataset)
    sampler = ShuffledSampler(len(dataset), seed)
    chosen: list[Draw] = [item for item, _ in zip(sampler, range(count), strict=False)]
    draw = ImageDrawing(dataset.source.classes)
    return [picture for item in chosen for picture in draw(collate([dataset[item]]))]


def build_model(
    model: DictConfig, classes: Classes, options: TrainerOptions, device: torch.device, pretrained: bool
) -> nn.Module:
    """The number of classes is the data's. Not `pretrained`: the weights come from a checkpoint, not from a hub."""
    without = {} if pretrained or "encoder_weights" not in model else {"encoder_weights": None}
    built: nn.Module = make(model, num_classes=len(classes), **without)
    memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
    return built.to(device, memory_format=memory_format)  # type: ignore[call-overload]


def fill_class_weights(loss: DictConfig, scan: MaskScan, parts: Parts) -> None:
    """Put numbers in place of `class_weights: enet` and the like, at any depth, from the training masks' pixels."""
    counts = scan.counts_of({sample.key for sample in parts["train"]})
    for node in _nodes(loss):
        method = node.get("class_weights")
        if isinstance(method, str):
            if method not in METHODS:
                raise UserError(f"loss.class_weights={method}: choose {', '.join(METHODS)}, or give a list of numbers")
            node["class_weights"] = class_weights(counts, method)


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
