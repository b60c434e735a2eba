"""What Dice, Jaccard and Tversky are made of: the soft counts of a batch, and the index between them.

R rows: 1 for the whole batch, or B, one for each sample; C classes or labels.
"""

from math import inf
from typing import NamedTuple

from torch import Tensor

from segmentation.losses.base import checked
from segmentation.losses.truth import by_label, label_maps, probabilities
from segmentation.outputs import Outputs, logits_from


class SoftCounts(NamedTuple):
    """Pixels `[R, C]`, float32, with p the probability and g the truth: sum p g, sum p and sum g over valid pixels."""

    overlap: Tensor
    predicted: Tensor
    truth: Tensor


def soft_counts(outputs: Outputs, target: Tensor, ignore_index: int, per_image: bool) -> SoftCounts:
    """Of each sample, or of the whole batch; p is the softmax over classes, or each label's sigmoid."""
    count = _counts_of_labels if by_label(logits_from(outputs), target) else _counts_of_classes
    counts = count(outputs, target, ignore_index)
    return counts if per_image else SoftCounts(*(values.sum(dim=0, keepdim=True) for values in counts))


def tversky_index(counts: SoftCounts, alpha: float, beta: float, smooth: float) -> Tensor:
    """(overlap + smooth) / (overlap + alpha * false positives + beta * false negatives + smooth), `[R, C]`.

    Written in the sums themselves, so that it is one fraction of them: 1/2 and 1/2 are Dice, 1 and 1 Jaccard.
    """
    overlap, predicted, truth = counts
    whole = (1 - alpha - beta) * overlap + alpha * predicted + beta * truth
    return (overlap + smooth) / (whole + smooth)


def checked_smooth(smooth: float) -> float:
    return checked("smooth", smooth, 0 < smooth < inf, "a finite number of pixels above 0")


def _counts_of_classes(outputs: Outputs, target: Tensor, ignore_index: int) -> SoftCounts:
    """Without a map for each class: the truth's probability is looked up, and summed by class."""
    valid = target != ignore_index
    labels = target.where(valid, 0)
    probability = probabilities(outputs, target) * valid.unsqueeze(1)
    num_classes = probability.shape[1]
    of_truth = probability.gather(1, labels.unsqueeze(1)).squeeze(1)
    return SoftCounts(
        overlap=_sum_by_class(of_truth, labels, num_classes),
        predicted=probability.flatten(2).sum(dim=2),
        truth=_sum_by_class(valid.float(), labels, num_classes),
    )


def _counts_of_labels(outputs: Outputs, target: Tensor, ignore_index: int) -> SoftCounts:
    _, truth, valid = label_maps(outputs, target, ignore_index)
    probability = probabilities(outputs, target) * valid
    return SoftCounts(
        overlap=(probability * truth).flatten(2).sum(dim=2),
        predicted=probability.flatten(2).sum(dim=2),
        truth=truth.flatten(2).sum(dim=2).float(),
    )


def _sum_by_class(values: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Values `[B, *S]` summed by the class of their pixel, labels `[B, *S]` -> `[B, C]`.

    Rows first: a running float32 sum over a whole image would lose digits, and thousands of threads would queue for
    the same few addresses of a GPU.
    """
    rows = values.new_zeros(*labels.shape[:-1], num_classes).scatter_add(-1, labels, values)
    return rows.view(len(labels), -1, num_classes).sum(dim=1)
