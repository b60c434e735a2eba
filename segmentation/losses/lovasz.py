"""Lovasz losses: the convex extension of the Jaccard loss itself.

Berman et al. 2018 (https://arxiv.org/abs/1705.08790). The pixels of a class are sorted by their error; the loss is the
sum of each error times what the Jaccard loss grows by when that pixel, too, is taken for wrong (algorithm 1).

All pixels are sorted once for each class: on a CPU some ten times the time of cross-entropy.
K sets of P pixels: the classes of the batch, or of each of its samples.
"""

import torch
from torch import Tensor

from segmentation.losses.base import Loss, LossValue
from segmentation.losses.means import mean_over_present
from segmentation.losses.truth import LabelMaps, class_logits, label_maps
from segmentation.outputs import Outputs


class LovaszSoftmax(Loss):
    """Lovasz-softmax, averaged over the classes that are in the target; in [0, 1].

    The error of a pixel for class c is |g_c - p_c|, with p the softmax of the logits and g the target as 0 or 1. Sets
    are the whole batch, or each sample where `per_image`, then averaged over samples that hold a valid pixel.
    """

    takes_one_logit = False

    def __init__(self, ignore_index: int = 255, per_image: bool = False) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.per_image = per_image

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        probability = class_logits(outputs, target).softmax(dim=1)
        maps = label_maps(outputs, target, self.ignore_index)
        errors = probability.where(~maps.truth, 1 - probability) * maps.valid
        losses = lovasz_extension(errors, maps, self.per_image)
        total = mean_over_present(losses, _any(maps.truth, self.per_image))
        return LossValue(total, {"lovasz": total.detach()})


class LovaszHinge(Loss):
    """Lovasz hinge, averaged over the labels; at least 0.

    The error of a pixel is max(0, 1 - x) for a logit x where the label holds and max(0, 1 + x) elsewhere. A label that
    holds nowhere has the loss of its largest error. For label maps `[B, L, *S]`, a binary task of one logit, and class
    ids `[B, *S]`, where each class is told from all others. Sets are each sample where `per_image`, as Berman et al.
    have it for the binary task, else the whole batch.
    """

    def __init__(self, ignore_index: int = 255, per_image: bool = False) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.per_image = per_image

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        maps = label_maps(outputs, target, self.ignore_index)
        errors = (1 - maps.logits.where(maps.truth, -maps.logits)).relu() * maps.valid
        losses = lovasz_extension(errors, maps, self.per_image)
        total = mean_over_present(losses, _any(maps.valid.expand_as(errors), self.per_image))
        return LossValue(total, {"lovasz_hinge": total.detach()})


def lovasz_extension(errors: Tensor, maps: LabelMaps, per_image: bool) -> Tensor:
    """The Jaccard loss of errors `[B, C, *S]`, >= 0 and 0 where not valid, extended to all of them: `[B or 1, C]`."""
    flat = [_sets(values, per_image) for values in (errors, maps.truth, maps.valid.expand_as(errors))]
    with torch.no_grad():  # a set at a time: sorting needs several times the memory of what it sorts
        slopes = torch.stack([_slopes(*one) for one in zip(*flat, strict=True)])
    return (flat[0] * slopes).sum(dim=1).view(-1, errors.shape[1])


def _sets(values: Tensor, per_image: bool) -> Tensor:
    """`[B, C, *S]` -> `[K, P]`."""
    return values.flatten(2).flatten(0, 1) if per_image else values.transpose(0, 1).flatten(1)


def _any(values: Tensor, per_image: bool) -> Tensor:
    """`[B, C, *S]`, bool -> `[B or 1, C]`."""
    return _sets(values, per_image).any(dim=1).view(-1, values.shape[1])


def _slopes(errors: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """What the Jaccard loss grows by with each pixel of one set `[P]`, largest error first, in the pixels' own order.

    With I true pixels left and U in the union once this one is taken for wrong: 1 / U for a true pixel, else
    I / (U (U - 1)), and 1 for the first of a set without true pixels. As differences of neighbouring Jaccard values,
    as the algorithm has them, they would keep one digit of seven in a set of a million pixels.
    """
    order = _falling(errors)
    is_true, is_false = truth.gather(0, order), (valid & ~truth).gather(0, order)
    count = truth.sum()
    left = (count - is_true.cumsum(0, dtype=torch.int32)).to(errors.dtype)
    union = (count + is_false.cumsum(0, dtype=torch.int32)).to(errors.dtype)
    of_true = is_true / union.clamp(min=1)
    of_false = is_false * (left / (union * (union - 1)).clamp(min=1) + (union == 1))
    return torch.empty_like(errors).scatter_(0, order, of_true + of_false)


def _falling(errors: Tensor) -> Tensor:
    """The order of values `[P]`, >= 0, that puts the largest first.

    The bits of floats >= 0 are integers in the same order, which a CPU sorts six times as fast.
    """
    return (~errors.float().view(torch.int32)).argsort()
