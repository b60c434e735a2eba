"""What a run works on: the batches, the loss, the metric, and where it is computed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch.utils.data import DataLoader

from segmentation.data.batch import Batch
from segmentation.data.sampler import TrainingBatches
from segmentation.engine.bad_samples import BadSamples
from segmentation.engine.record import Pictures
from segmentation.losses.base import Loss
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.outputs import Outputs
from segmentation.runtime.device import Precision

TransformBatch = Callable[[Batch, int], Batch]


def as_it_is(batch: Batch, number: int) -> Batch:
    return batch


@dataclass(frozen=True)
class Feed:
    """What training is fed with. `val` None: there is no validation. `draw` turns the model's answers to `pictures`
    into named RGB pictures, and without answers shows the samples alone; `transform_batch(batch, number)` augments on
    the device, seeded by the number: epoch times batches an epoch plus position. No two batches of a run share it, and
    a resumed run meets the same ones.
    """

    train: DataLoader[Batch]
    val: DataLoader[Batch] | None
    pictures: Sequence[Batch] = ()
    draw: Callable[[Batch, Outputs | None], Pictures] | None = None
    transform_batch: TransformBatch = as_it_is
    bad_samples: BadSamples = field(default_factory=BadSamples)


@dataclass(frozen=True)
class Task:
    """What is optimised, how it is scored, where and in which precision it is computed."""

    loss: Loss
    metric: SegmentationMetric
    device: torch.device
    precision: Precision


@runtime_checkable
class FollowsProgress(Protocol):
    """A model that changes while it is trained; `progress` is how far training is, in [0, 1]."""

    progress: float


def training_batches(feed: Feed, device: torch.device, epoch: int) -> Iterator[Batch]:
    """The batches of an epoch, from 0, as training meets them."""
    assert isinstance(feed.train.batch_sampler, TrainingBatches)
    feed.train.batch_sampler.epoch = epoch
    for index, batch in enumerate(feed.bad_samples.told_of(feed.train)):
        yield feed.transform_batch(batch.to(device), epoch * len(feed.train) + index)
