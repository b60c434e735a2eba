"""How well boundaries are met: Boundary IoU and boundary F1 of each class, from counts of each image."""

from dataclasses import dataclass
from math import floor, hypot, inf, isqrt
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.errors import UserError
from segmentation.metrics.counting import count_by_sample, is_class
from segmentation.metrics.scores import ratio
from segmentation.outputs import Outputs, labels_from, logits_from

IGNORED = -1


@dataclass(frozen=True)
class BoundaryCounts:
    """Counts the pixels of each class that `boundary_scores` needs: `[B, C, 6]`, int64.

    **Boundary IoU** (Cheng et al. 2021, https://arxiv.org/abs/2103.16562): the IoU of two bands, the pixels of a class
    that are at most `width` rows and columns away from a pixel outside of it, that is a mask less its erosion. What
    lies beyond the image is outside of every class, as in the authors' code. First two counts: pixels of a class that
    are in both bands, and in either.

    **Boundary F1** (Csurka et al. 2013, http://www.bmva.org/bmvc/2013/Papers/paper0032/; the F of DAVIS, Perazzi et
    al. 2016): a contour is the pixels of a class that touch another class, corners included; the image's edge is
    none. A contour pixel is matched where the other map has one of the same class no further away than `tolerance`
    (Euclidean). The last four counts: pixels of the predicted contour that are matched, and all of them; the same of
    the true contour.

    `width` and `tolerance` are pixels from 1 on, and below 1 a share of the image's diagonal, of at least one pixel
    (the width, as in the authors' code, rounded to a whole number). The defaults are the usual ones.

    Ignored pixels, and those whose target is no class, belong to no class in either map: they are neither in a band or
    contour nor outside of a class, so that a border with what is ignored is no boundary. Two classes on either side of
    an ignored strip are outside of each other where it is narrower than `width`.

    Raises `UserError` for a `width` or `tolerance` that is neither, and, when called, for logits that are not
    images `[B, C, H, W]`. One logit stands for two classes.
    """

    ignore_index: int = 255
    width: float = 0.02
    tolerance: float = 0.0075

    def __post_init__(self) -> None:
        whole = self.width < 1 or self.width % 1 == 0
        for name, value, right in (("width", self.width, whole), ("tolerance", self.tolerance, True)):
            if not (0 < value < inf and right):
                what = "whole pixels" if name == "width" else "pixels"
                raise UserError(f"boundary {name}={value}: give {what} from 1 on, or a share of the diagonal below 1")

    def __call__(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Of logits `[B, C, H, W]`, or a mapping with them under `"out"`, and a target `[B, H, W]`, integer."""
        logits = logits_from(outputs)
        if logits.ndim != 4:
            raise UserError(f"logits {list(logits.shape)}: boundaries are scored in images, [B, C, H, W]")
        classes = max(2, logits.shape[1])
        ignored = ~is_class(target, classes, self.ignore_index)
        predicted, true = (
            labels.to(torch.int16).masked_fill(ignored, IGNORED) for labels in (labels_from(outputs), target)
        )
        return _counts(predicted, true, classes, self._width(target), self._tolerance(target))

    def _width(self, target: Tensor) -> int:
        return max(1, round(_in_pixels(self.width, target)))

    def _tolerance(self, target: Tensor) -> float:
        return max(1.0, _in_pixels(self.tolerance, target))


class BoundaryScores(NamedTuple):
    """Of each class, `[..., C]`: the Boundary IoU, and precision, recall and F1 of the contours; in [0, 1] or NaN."""

    iou: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def boundary_scores(counts: np.ndarray) -> BoundaryScores:
    """From counts `[..., C, 6]` of `BoundaryCounts`, of one image or summed over many.

    A class with a boundary in neither map is NaN throughout; with a contour in one of the two alone it has F1 0, and,
    where that is the prediction, no recall (NaN).
    """
    both, either, hits_predicted, predicted, hits_true, true = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    precision = np.where((predicted == 0) & (true > 0), 0.0, ratio(hits_predicted, predicted))
    recall = ratio(hits_true, true)
    f1 = np.where(
        (precision == 0) | (true == 0) & (predicted > 0), 0.0, ratio(2 * precision * recall, precision + recall)
    )
    return BoundaryScores(ratio(both, either), precision, recall, f1)


def _in_pixels(length: float, target: Tensor) -> float:
    return length * hypot(*target.shape[-2:]) if length < 1 else length


def _counts(predicted: Tensor, true: Tensor, classes: int, width: int, tolerance: float) -> Tensor:
    """Of maps `[B, H, W]` that are `IGNORED` at the same pixels."""
    band_predicted, band_true = (_near_other(labels, classes, width, beyond=True) for labels in (predicted, true))
    both = band_predicted & band_true & (predicted == true)
    contour_predicted, contour_true = (_near_other(labels, classes, 1, beyond=False) for labels in (predicted, true))
    bits_predicted = _class_bits(predicted, contour_predicted, classes)
    bits_true = _class_bits(true, contour_true, classes)
    matched_predicted = contour_predicted & _has_bit(_within(bits_true, tolerance), predicted)
    matched_true = contour_true & _has_bit(_within(bits_predicted, tolerance), true)

    in_both, in_predicted, on_predicted, hit_predicted = _by_class(
        predicted, classes, both, band_predicted, contour_predicted, matched_predicted
    )
    in_true, on_true, hit_true = _by_class(true, classes, band_true, contour_true, matched_true)
    union = in_predicted + in_true - in_both
    return torch.stack([in_both, union, hit_predicted, on_predicted, hit_true, on_true], dim=-1)


def _near_other(labels: Tensor, classes: int, reach: int, beyond: bool) -> Tensor:
    """Where a pixel of a class has another class within `reach` rows and columns; `beyond`: or the image's edge.

    For all classes at once: there is another class where the largest or the smallest id around is not the own one.
    """
    void = labels == IGNORED
    others = classes if beyond else IGNORED
    highest = _highest(labels, reach, others)
    lowest = -_highest(torch.where(void, -classes, -labels), reach, -IGNORED if beyond else -classes)
    return ((highest != labels) | (lowest != labels)) & ~void


def _highest(values: Tensor, reach: int, beyond: int) -> Tensor:
    """The largest value within `reach` rows and columns, in `[B, H, W]`; outside of the image all are `beyond`.

    The windows double until they are long enough: six passes for a window of 47, whatever the device.
    """
    values, length = F.pad(values, [reach] * 4, value=beyond), 2 * reach + 1
    for dim in (1, 2):
        covered = 1
        while covered < length:
            step = min(covered, length - covered)
            size = values.shape[dim] - step
            values = torch.maximum(values.narrow(dim, 0, size), values.narrow(dim, step, size))
            covered += step
    return values


def _class_bits(labels: Tensor, where: Tensor, classes: int) -> Tensor:
    """`[B, P, H, W]` uint8: of the pixels that are meant, class c sets bit c % 8 of plane c // 8."""
    planes = torch.arange(-(-classes // 8), device=labels.device, dtype=labels.dtype)[:, None, None]
    bit = (1 << (labels & 7).to(torch.uint8)).masked_fill(~where, 0)
    return torch.where((labels >> 3).unsqueeze(1) == planes, bit.unsqueeze(1), 0)


def _has_bit(bits: Tensor, labels: Tensor) -> Tensor:
    """Whether the bit of a pixel's class is set in its `bits`; any answer where it has no class."""
    plane = (labels >> 3).clamp(min=0).long().unsqueeze(1)
    return (bits.gather(1, plane).squeeze(1) >> (labels & 7).to(torch.uint8)) & 1 == 1


def _within(bits: Tensor, distance: float) -> Tensor:
    """All the bits that are set within a Euclidean distance, in pixels; `bits` `[B, P, H, W]`.

    A disk is a stack of rows that get longer towards its middle; each is made of the one before.
    """
    height, width = bits.shape[-2:]
    row, near, half = bits.clone(), torch.zeros_like(bits), 0
    for offset in range(min(floor(distance), height - 1), -1, -1):
        longer = isqrt(floor(distance**2 - offset**2))
        for shift in range(half + 1, min(longer, width - 1) + 1):
            row[..., shift:] |= bits[..., :-shift]
            row[..., :-shift] |= bits[..., shift:]
        half = longer
        near[..., offset:, :] |= row[..., : height - offset, :]
        near[..., : height - offset, :] |= row[..., offset:, :]
    return near


def _by_class(labels: Tensor, classes: int, *masks: Tensor) -> Tensor:
    """The number of pixels of each class in each of the masks `[B, H, W]`: `[masks, B, C]`."""
    kinds = 1 << len(masks)
    kind = sum(mask.to(torch.int32) << place for place, mask in enumerate(masks))
    cells = labels.clamp(min=0).long() * kinds + kind
    counts = count_by_sample(cells, classes * kinds).view(-1, classes, kinds)
    chosen = torch.arange(kinds, device=labels.device) >> torch.arange(len(masks), device=labels.device)[:, None] & 1
    return (counts * chosen[:, None, None]).sum(dim=-1)
