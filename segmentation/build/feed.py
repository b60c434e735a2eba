"""Loaders: which samples training and evaluation see, when, and how they are augmented."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader

from segmentation.build.data import Parts, image_size
from segmentation.build.make import make
from segmentation.data.batch import Batch
from segmentation.data.image.augmentation.device import DeviceAugmentation
from segmentation.data.image.augmentation.options import Augmentation
from segmentation.data.image.cached import CacheOptions
from segmentation.data.image.dataset import ImageDataset, collate, start_worker
from segmentation.data.image.draw import ImageDrawing
from segmentation.data.image.files import Size
from segmentation.data.image.resized import EVERY_TIME, Reading
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
from segmentation.engine.bad_samples import BadSamples
from segmentation.engine.options import TrainerOptions
from segmentation.engine.task import Feed, as_it_is
from segmentation.runtime.distributed import ALONE, World


def build_feed(
    cfg: DictConfig, source: ImageSource, parts: Parts, options: TrainerOptions, counts: np.ndarray | None
) -> Feed:
    """Loaders for training and validation, and the samples that are drawn: some of val, or of train without one.

    `counts` `[N, C]` are the pixels of each class in each training sample; None where nothing `asks_for_counts`.
    """
    augmentation: Augmentation = make(cfg.augmentation)
    reading = Reading(cache_options(cfg.dataset), skip_bad=options.max_bad_samples > 0)
    transform_batch = as_it_is
    if options.device_augmentation:
        transform_batch = DeviceAugmentation(augmentation.for_training(), int(cfg.seed))
        augmentation = replace(augmentation, transforms=())
    multiple = DIVISOR if options.batch_by_size else 1
    size = image_size(cfg.dataset)
    training = ImageDataset(source, parts["train"], size, augmentation, counts, multiple, reading=reading)
    batches = training_batches(training.sizes(), int(cfg.seed), options, counts, augmentation.crop.size or size)
    _try_batch(training, batches)
    train = _loader(training, options.num_workers, batch_sampler=batches)
    validation = evaluation_images(cfg, source, parts["val"], reading)
    val = evaluation_loader(validation, options.val_batch_size, options.num_workers) if parts["val"] else None
    shown = validation if parts["val"] else evaluation_images(cfg, source, parts["train"], replace(reading, cache=None))
    pictures, drawing = _some(shown, options.visualization_count), ImageDrawing(source.classes)
    return Feed(train, val, pictures, drawing, transform_batch, BadSamples(options.max_bad_samples))


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


def _try_batch(training: ImageDataset, batches: TrainingBatches) -> None:
    """Two samples of different sizes, if there are: what cannot be transformed or does not make a batch is told before
    the run and not in the middle of it.
    """
    bucket, size = batches.buckets[0], next(batches.of(0))[0].size
    of_each_size = {training.samples[index].size: Draw(index, 0, size) for index in bucket.indices}
    collate([training[draw] for draw in list(of_each_size.values())[: min(bucket.batch_size, 2)]])


def evaluation_images(
    cfg: DictConfig, source: ImageSource, samples: list[ImageSample], reading: Reading = EVERY_TIME
) -> ImageDataset:
    """As validation and evaluation see them; of the augmentation only `val` counts."""
    augmentation: Augmentation = make(cfg.augmentation)
    before = augmentation.for_validation() if augmentation.val else None
    return ImageDataset(source, samples, image_size(cfg.dataset), before=before, reading=reading)


def cache_options(dataset: DictConfig) -> CacheOptions | None:
    return None if dataset.cache == "none" else CacheOptions(dataset.cache, float(dataset.cache_gb))


def evaluation_loader(
    dataset: ImageDataset, batch_size: int, num_workers: int, world: World = ALONE
) -> DataLoader[Batch]:
    """Each rank of a `world` has its share of the batches, which are those that one process alone would have: what a
    model says of an image, and the loss of a batch, may depend on the images beside it.
    """
    batches = world.share(batches_of_like_size(dataset.sizes(), batch_size))
    return _loader(dataset, num_workers if batches else 0, batch_sampler=batches)


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
    drawing, samples = first_training_samples(feed, count)
    return [picture for sample in samples for picture in drawing(sample)]


def draw_training_grid(feed: Feed, count: int) -> np.ndarray:
    """The first training samples in one RGB picture."""
    drawing, samples = first_training_samples(feed, count)
    return drawing.grid(samples)


def first_training_samples(feed: Feed, count: int) -> tuple[ImageDrawing, list[Batch]]:
    """Each a batch of its own, and what draws them; where an epoch has fewer, the next one goes on."""
    dataset, batches = feed.train.dataset, feed.train.batch_sampler
    assert isinstance(dataset, ImageDataset)
    assert isinstance(batches, TrainingBatches)
    drawn = enumerate(draws for epoch in range(count) for draws in batches.of(epoch))
    made = (feed.transform_batch(collate([dataset[draw] for draw in draws[:count]]), number) for number, draws in drawn)
    samples = (sample for batch in made for sample in batch.singles())
    return ImageDrawing(dataset.source.classes), list(islice(samples, count))
