"""What a kind of data gives to be loaded: samples to draw from, and the batches of training."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from segmentation.classes import Classes
from segmentation.data.batch import Batch
from segmentation.data.rarity import class_balanced_chances
from segmentation.data.sampler import Draw, TrainingBatches
from segmentation.engine.options import TrainerOptions
from segmentation.engine.record import Pictures
from segmentation.engine.task import TransformBatch, as_it_is
from segmentation.outputs import Outputs

Parts = Mapping[str, list[Any]]  # samples of one kind by the part of the split
Draws = Callable[[Batch, Outputs | None], Pictures]  # without outputs: the samples and their truth alone


class Source(Protocol):
    """What a reader of any kind returns; `title` is for messages."""

    @property
    def title(self) -> str: ...
    @property
    def samples(self) -> Sequence[Any]: ...
    @property
    def classes(self) -> Classes: ...


class SampleSet(Protocol):
    """Samples as training or evaluation wants them; those of one of the `sizes` may share a batch in evaluation."""

    def __len__(self) -> int: ...
    def __getitem__(self, draw: Draw) -> Any: ...
    def sizes(self) -> Sequence[Hashable]: ...


@dataclass(frozen=True)
class Sets:
    """Of a training run. Pictures are drawn of some samples of `shown`."""

    training: SampleSet
    batches: TrainingBatches
    validation: SampleSet
    shown: SampleSet
    transform_batch: TransformBatch = as_it_is


def sample_chances(options: TrainerOptions, counts: np.ndarray | None) -> np.ndarray | None:
    """`[N]`, how likely each training sample is to be drawn; None: each comes once an epoch. `counts` are those of its
    classes.
    """
    if options.sampling != "class_balanced":
        return None
    assert counts is not None
    return class_balanced_chances(counts)
