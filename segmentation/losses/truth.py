"""How losses read a batch: the two kinds of target that there are become one here.

Class ids `[B, *S]` choose one of C classes for each pixel. Label maps `[B, L, *S]` of 0, 1 and the ignore index say of
each label whether it holds, any number of them for a pixel. The target's shape tells which it is; the one logit of a
binary task (L = 1) may be given either, class ids of 0 and 1 then being its map.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from segmentation.errors import UserError
from segmentation.outputs import Outputs, logits_from


class LabelMaps(NamedTuple):
    """`exact_logits` `[B, L, *S]` with the truth of each, bool, and `valid`, bool, `[B, L or 1, *S]`.

    Where something is not valid its truth is False.
    """

    logits: Tensor
    truth: Tensor
    valid: Tensor


def by_label(logits: Tensor, target: Tensor) -> bool:
    """Whether each logit is a label of its own, with a sigmoid, and not one of several classes, with a softmax."""
    return target.ndim == logits.ndim or logits.shape[1] == 1


def exact_logits(outputs: Outputs) -> Tensor:
    """The logits `[B, C, *S]` in float32, or as they are in float64."""
    logits = logits_from(outputs)
    return logits if logits.dtype == torch.float64 else logits.float()


def class_logits(outputs: Outputs, target: Tensor) -> Tensor:
    """`exact_logits` for a loss that chooses between classes. Raises `UserError` for labels."""
    logits = exact_logits(outputs)
    if by_label(logits, target):
        raise UserError(
            f"logits {list(logits.shape)} with a target {list(target.shape)}: this loss chooses between two classes or "
            "more; for label maps or a single logit use loss=bce, sigmoid_focal, lovasz_hinge, dice, jaccard or tversky"
        )
    return logits


def label_maps(outputs: Outputs, target: Tensor, ignore_index: int) -> LabelMaps:
    """Class ids become one map for each class, so that a class is told from all others.

    Raises `UserError` where there are not as many label maps as logits, `ValueError` where sizes differ.
    """
    logits = exact_logits(outputs)
    if target.ndim == logits.ndim and target.shape[1] != logits.shape[1]:
        raise UserError(f"the model gives {logits.shape[1]} logits for {target.shape[1]} labels: make them equal")
    if target.ndim == logits.ndim - 1:
        target = target.unsqueeze(1)
    if (len(target), *target.shape[2:]) != (len(logits), *logits.shape[2:]):
        raise ValueError(f"logits {list(logits.shape)} and target {list(target.shape)} differ in their sizes")
    valid = target != ignore_index
    if target.shape[1] == logits.shape[1]:
        return LabelMaps(logits, valid & (target == 1), valid)
    truth = torch.zeros_like(logits, dtype=torch.bool)
    return LabelMaps(logits, truth.scatter_(1, target.where(valid, 0), valid), valid)


def probabilities(outputs: Outputs, target: Tensor) -> Tensor:
    """`[B, C, *S]` in the dtype of `exact_logits`: the softmax over classes, or each label's sigmoid."""
    logits = exact_logits(outputs)
    return logits.sigmoid() if by_label(logits, target) else logits.softmax(dim=1)
