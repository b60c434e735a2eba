"""What is asked when a model's predictions of some samples are wanted."""

from collections.abc import Callable, Iterator, Sequence

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from segmentation.build.feed import evaluation_loader
from segmentation.data.batch import Batch
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.engine.predictions import predictions
from segmentation.runtime.device import Precision

# Samples -> their batches, and logits `[B, C, H, W]` at the size of the masks.
Predict = Callable[[Sequence[ImageSample]], Iterator[tuple[Batch, Tensor]]]


def predictor(
    model: nn.Module, run: DictConfig, source: ImageSource, device: torch.device, precision: Precision
) -> Predict:
    """Samples of `source` are shown to the model as `run`, a run's configuration, has them in evaluation."""

    def predict(samples: Sequence[ImageSample]) -> Iterator[tuple[Batch, Tensor]]:
        return predictions(model, evaluation_loader(run, source, samples), device, precision)

    return predict
