"""What a model says of samples, batch by batch, at the size of their masks."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from segmentation.data.batch import Batch
from segmentation.outputs import at_size_of
from segmentation.runtime.device import Precision


@torch.inference_mode()
def predictions(
    model: nn.Module, loader: Iterable[Batch], device: torch.device, precision: Precision
) -> Iterator[tuple[Batch, Tensor]]:
    """Each batch, on the device, with its logits `[B, C, *S]` as evaluation reads them; leaves the model in eval mode.

    Of a model with several outputs these are the main ones.
    """
    model.eval()
    for batch in loader:
        batch = batch.to(device)
        with precision.autocast(device):
            outputs = model(batch.inputs)
        yield batch, at_size_of(outputs, batch.target)
