"""Test-time augmentation: one image shown in several ways, and the mean of what the model says of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.outputs import Outputs, logits_from, probabilities_from

# Left to right, or top to bottom, which is left to right and half a turn.
FLIPS = {"horizontal": (True, 0), "vertical": (True, 2)}


@dataclass(frozen=True)
class View:
    """An image scaled, then mirrored left to right if `flip`, then turned `quarters` times by 90 degrees."""

    flip: bool = False
    quarters: int = 0
    scale: float = 1.0

    def of(self, inputs: Tensor) -> Tensor:
        """`[B, bands, H, W]` -> the same pixels, or those of the scaled image in the same dtype."""
        scaled = inputs if self.scale == 1 else _scaled(inputs, self.scale)
        flipped = scaled.flip(-1) if self.flip else scaled
        return flipped.rot90(self.quarters, (-2, -1))

    def undo(self, scores: Tensor, size: Sequence[int]) -> Tensor:
        """Scores `[B, C, h, w]` of what `of` gave, back at the pixels of the image of `size`; exact at scale 1."""
        upright = scores.rot90(-self.quarters, (-2, -1))
        flipped = upright.flip(-1) if self.flip else upright
        if self.scale == 1:
            return flipped
        return F.interpolate(flipped.float(), size=tuple(size), mode="bilinear", align_corners=False)


def views(flips: Iterable[str] = (), rotations: Iterable[int] = (), scales: Iterable[float] = ()) -> list[View]:
    """The image as it is and, each combined with all others, what is asked for: `flips` named as in `FLIPS`,
    `rotations` in degrees, multiples of 90, `scales` as factors of height and width. Each view once.

    >>> [(view.flip, view.quarters) for view in views(["horizontal"], [180])]
    [(False, 0), (False, 2), (True, 0), (True, 2)]
    """
    mirrors = [(False, 0), *(FLIPS[name] for name in flips)]
    turns = [0, *(int(degrees) // 90 for degrees in rotations)]
    every = product([1.0, *scales], mirrors, turns)
    return list(dict.fromkeys(View(flip, (half + turn) % 4, scale) for scale, (flip, half), turn in every))


def augmented(predict: Callable[[Tensor], Outputs], inputs: Tensor, views: Sequence[View]) -> Tensor:
    """`mean_of` what `predict` gives for the views of inputs `[B, bands, H, W]`, `[B, C, H, W]`."""
    size = inputs.shape[-2:]
    return mean_of(view.undo(logits_from(predict(view.of(inputs))), size) for view in views)


def mean_of(predictions: Iterable[Tensor]) -> Tensor:
    """From logits `[B, C, *S]` of several views, or of several models, those of their mean probabilities, float32.

    They are the logarithms of the probabilities, whose softmax is the probabilities themselves; of one logit it is the
    logit of the mean. So losses, metrics and `labels_from` read them like a model's own. One prediction at a time is
    held. A probability is at least the smallest float32, for the logarithm to be finite.
    """
    total: Tensor | float = 0.0
    count = 0
    for logits in predictions:
        total = total + probabilities_from(logits)
        count += 1
    assert isinstance(total, Tensor), "nothing to take the mean of"
    mean = (total / count).clamp_min(torch.finfo(torch.float32).tiny).log()
    return mean[:, 1:] - mean[:, :1] if logits.shape[1] == 1 else mean


def _scaled(inputs: Tensor, scale: float) -> Tensor:
    size = [max(round(side * scale), 1) for side in inputs.shape[-2:]]
    resized = F.interpolate(inputs.float(), size=size, mode="bilinear", align_corners=False, antialias=True)
    return resized.to(inputs.dtype) if inputs.is_floating_point() else resized.round().to(inputs.dtype)
