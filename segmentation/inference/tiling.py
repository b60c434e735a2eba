"""A model shown an image tile by tile: images of any size, in memory that a batch of tiles decides."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from segmentation.inference.windows import Tiles, Window, mirrored, strips
from segmentation.outputs import Outputs, logits_from

Predict = Callable[[Tensor], Outputs]


def tiled(predict: Predict, inputs: Tensor, tiles: Tiles) -> Tensor:
    """Logits `[B, C, H, W]`, float32, of inputs `[B, bands, H, W]`, shown to `predict` in batches of tiles.

    A pixel's logits are the mean of those that the tiles over it give, weighted towards the middle of a tile
    (`windows.spans`). Logits and not probabilities, as nnU-Net has it: the mean stays what the losses and a fitted
    temperature take, one logit is no case of its own, and there are no logarithms of zero. What is left of the
    difference is small, for where tiles overlap the weights mostly belong to one of them. An image smaller than a tile
    is extended by reflection below and to the right.

    An image of 8 x 6 in tiles of 4 x 4 with overlap 0.5 is six tiles, at rows 0, 2, 4 and columns 0, 2.
    """
    height, width = inputs.shape[-2:]
    rows, columns = mirrored(height, tiles.size[0]), mirrored(width, tiles.size[1])
    shown = inputs if (len(rows), len(columns)) == (height, width) else inputs[..., rows[:, None], columns]

    def score(windows: Sequence[Window]) -> Tensor:
        parts = torch.cat([window.of(shown) for window in windows]).split(tiles.batch_size)
        logits = torch.cat([logits_from(predict(part)) for part in parts])
        weights = torch.stack([weights_on(window, logits.device) for window in windows])
        return logits.unflatten(0, (len(windows), -1)) * weights[:, None, None]  # float32, as the weights are

    at_once = max(tiles.batch_size // len(inputs), 1)
    zeros = partial(torch.zeros, device=inputs.device)
    return torch.cat(list(strips(score, (height, width), tiles.size, tiles.overlap, at_once, zeros)), dim=-2)


def weights_on(window: Window, device: torch.device) -> Tensor:
    """A window's weights `[h, w]` on a device, multiplied there: two rows of numbers travel instead of a tile."""
    rows, columns = (torch.from_numpy(span.weights).to(device) for span in (window.rows, window.columns))
    return rows[:, None] * columns
