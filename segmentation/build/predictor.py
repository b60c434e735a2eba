"""What is asked when a model's predictions of some samples are wanted."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from segmentation.build.feed import evaluation_loader
from segmentation.build.sets import Source
from segmentation.data.batch import Batch
from segmentation.engine.predictions import predictions
from segmentation.runtime.device import Precision

# Samples -> their batches, and logits `[B, C, *S]` at the size of the targets.
Predict = Callable[[Sequence[Any]], Iterator[tuple[Batch, Tensor]]]


def predictor(model: nn.Module, run: DictConfig, source: Source, device: torch.device, precision: Precision) -> Predict:
    """Samples of `source` are shown to the model as `run`, a run's configuration, has them in evaluation."""

    def predict(samples: Sequence[Any]) -> Iterator[tuple[Batch, Tensor]]:
        return predictions(model, evaluation_loader(run, source, samples), device, precision)

    return predict
