"""Loaders: which samples training and evaluation see, and when."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader

from segmentation.build.kinds import kind_of
from segmentation.build.sets import Parts, SampleSet, Source
from segmentation.data.batch import Batch
from segmentation.data.image.dataset import start_worker
from segmentation.data.image.draw import ImageDrawing
from segmentation.data.sampler import Draw, TrainingBatches, batches_of_like_size
from segmentation.engine.bad_samples import BadSamples
from segmentation.engine.options import TrainerOptions
from segmentation.engine.task import Feed
from segmentation.runtime.distributed import ALONE, World

Collate = Callable[[Sequence[Any]], Batch]


def build_feed(
    cfg: DictConfig, source: Source, parts: Parts, options: TrainerOptions, counts: np.ndarray | None
) -> Feed:
    """Loaders for training and validation, and the samples that are drawn: some of val, or of train without one.

    `counts` `[N, C]` are the places of each class in each training sample; None where nothing `asks_for_counts`.
    """
    kind = kind_of(source)
    sets = kind.training_sets(cfg, source, parts, options, counts)
    train = _loader(sets.training, kind.collate, options.num_workers, batch_sampler=sets.batches)
    val = None
    if parts["val"]:
        val = _evaluation_loader(sets.validation, kind.collate, options.val_batch_size, options.num_workers)
    pictures = _some(sets.shown, kind.collate, options.visualization_count)
    draw = kind.drawing(cfg.dataset, source)
    return Feed(train, val, pictures, draw, sets.transform_batch, BadSamples(options.max_bad_samples))


def evaluation_loader(
    cfg: DictConfig, source: Source, samples: Sequence[Any], world: World = ALONE
) -> DataLoader[Batch]:
    """Batches of samples of `source` as evaluation sees them, in the size and with the workers that `cfg.trainer` has.

    Each rank of a `world` has its share of the batches, which are those that one process alone would have: what a model
    says of a sample, and the loss of a batch, may depend on the samples beside it.
    """
    kind, trainer = kind_of(source), cfg.trainer
    dataset = kind.evaluation_set(cfg, source, samples)
    return _evaluation_loader(dataset, kind.collate, trainer.val_batch_size, trainer.num_workers, world)


def _evaluation_loader(
    dataset: SampleSet, collate: Collate, batch_size: int, num_workers: int, world: World = ALONE
) -> DataLoader[Batch]:
    batches = world.share(batches_of_like_size(dataset.sizes(), batch_size))
    return _loader(dataset, collate, num_workers if batches else 0, batch_sampler=batches)


def _loader(dataset: SampleSet, collate: Collate, num_workers: int, **how: Any) -> DataLoader[Batch]:
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


def _some(dataset: SampleSet, collate: Collate, count: int) -> list[Batch]:
    """Up to `count` samples, evenly spread, each a batch of its own."""
    count = min(count, len(dataset))
    indices = [round(place * (len(dataset) - 1) / max(count - 1, 1)) for place in range(count)]
    return [collate([dataset[Draw(index, 0)]]) for index in indices]


def draw_training_samples(feed: Feed, count: int = 2) -> list[tuple[str, Any]]:
    """Pictures of the first training samples as the model will see them, augmentation included."""
    if feed.draw is None:
        return []
    return [picture for sample in first_training_samples(feed, count) for picture in feed.draw(sample, None)]


def draw_training_grid(feed: Feed, count: int) -> np.ndarray:
    """The first training samples, which are images, in one RGB picture."""
    assert isinstance(feed.draw, ImageDrawing)
    return feed.draw.grid(first_training_samples(feed, count))


def first_training_samples(feed: Feed, count: int) -> list[Batch]:
    """Each a batch of its own; where an epoch has fewer, the next one goes on."""
    dataset, batches, collate = feed.train.dataset, feed.train.batch_sampler, feed.train.collate_fn
    assert isinstance(batches, TrainingBatches)
    drawn = enumerate(draws for epoch in range(count) for draws in batches.of(epoch))
    made = (feed.transform_batch(collate([dataset[draw] for draw in draws[:count]]), number) for number, draws in drawn)
    return list(islice((sample for batch in made for sample in batch.singles()), count))
