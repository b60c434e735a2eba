"""How a dense model's outputs are read: by the losses, the metrics, prediction and export alike.

Shapes: B samples, C classes, S the sample's own dimensions, (H, W) for images and (clusters, faces) for meshes.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Outputs = Tensor | Mapping[str, Tensor]


class MaskPrediction(NamedTuple):
    """Of Q queries: mask logits `[B, Q, h, w]` and class logits `[B, Q, C + 1]`, no object being the last."""

    masks: Tensor
    classes: Tensor


def logits_from(outputs: Outputs) -> Tensor:
    """The logits `[B, C, *S]`: the outputs themselves, or what they hold under `"out"` beside auxiliary heads."""
    return outputs if isinstance(outputs, Tensor) else outputs["out"]


def labels_from(outputs: Outputs) -> Tensor:
    """Class ids `[B, *S]`, int64: the class of the largest logit; 1 where the one logit of a binary task is above 0.

    `max` and not `argmax`: the same indices, a fifth of the time on a CPU.
    """
    logits = logits_from(outputs).detach()
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.max(dim=1).indices


def probabilities_from(outputs: Outputs) -> Tensor:
    """Class probabilities `[B, C, *S]`, float32: the softmax, or of the one logit of a binary task those of both."""
    logits = logits_from(outputs).detach().float()
    return torch.cat([-logits, logits], dim=1).sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)


def at_size_of(outputs: Outputs, target: Tensor) -> Tensor:
    """The logits at the size of `target`, `[B, *S]` or `[B, L, *S]`, interpolated bilinearly where the sizes differ.

    Scores are taken at the size of the mask on disk, whatever size the model was shown.
    """
    logits = logits_from(outputs)
    size = target.shape[2 - logits.ndim :]
    if logits.shape[2:] == size:
        return logits
    return F.interpolate(logits.float(), size=size, mode="bilinear", align_corners=False)
