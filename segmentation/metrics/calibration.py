"""Whether a model is right as often as it is confident: calibration error, reliability curve, temperature.

Guo et al. 2017, On Calibration of Modern Neural Networks (https://arxiv.org/abs/1706.04599).
"""

from dataclasses import dataclass
from math import exp, log, nan
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from torch import Tensor

from segmentation.metrics.counting import count_by_sample, is_class, sum_by_sample
from segmentation.metrics.scores import ratio
from segmentation.outputs import Outputs, labels_from, logits_from

UNIT = 2**-24  # of the sums of confidences: what float32 can tell apart just below 1
TEMPERATURES = (0.01, 100.0)
ENOUGH = 50_000  # pixels to fit one number to


@dataclass(frozen=True)
class ConfidenceHistogram:
    """Counts pixels by the confidence of their prediction, the softmax of its class: `[B, bins, 3]`, int64.

    Bin i holds the confidences in (i / bins, (i + 1) / bins]. Of each bin: the pixels in it, those of them that are
    right, and the sum of their confidences in units of 2**-24, whole numbers as all counts are, so that sums over
    samples do not depend on their order. A confidence that is not finite counts as 0. Ignored pixels and those whose
    target is no class are not counted. One logit stands for two classes and is read by a sigmoid.
    """

    ignore_index: int = 255
    bins: int = 15

    def __call__(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Of logits `[B, C, *S]`, or a mapping with them under `"out"`, and a target `[B, *S]`, integer."""
        logits = _of_two_or_more(outputs)
        confidence, right = _confidence(logits), labels_from(outputs) == target
        bins = (confidence * self.bins).ceil().long().sub(1).clamp(0, self.bins - 1)
        bins = bins.where(is_class(target, logits.shape[1], self.ignore_index), self.bins)  # cut off in the end
        wrong_right = count_by_sample(2 * bins + right, 2 * (self.bins + 1)).view(len(target), -1, 2)
        sums = sum_by_sample(bins, (confidence / UNIT).long(), self.bins + 1)
        return torch.stack([wrong_right.sum(dim=-1), wrong_right[..., 1], sums], dim=-1)[:, : self.bins]


class Reliability(NamedTuple):
    """Of each bin, `[..., bins]`: mean confidence and accuracy (NaN where it is empty), and its share of the pixels."""

    confidence: np.ndarray
    accuracy: np.ndarray
    share: np.ndarray


def reliability(counts: np.ndarray) -> Reliability:
    """The reliability curve of counts `[..., bins, 3]` of `ConfidenceHistogram`, of one sample or summed over many.

    A calibrated model has an accuracy equal to its confidence in every bin.
    """
    pixels, right, confidence = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    share = ratio(pixels, np.broadcast_to(pixels.sum(axis=-1, keepdims=True), pixels.shape))
    return Reliability(ratio(confidence * UNIT, pixels), ratio(right, pixels), share)


def calibration_error(counts: np.ndarray) -> np.ndarray:
    """Expected calibration error `[...]` of counts `[..., bins, 3]`, in [0, 1]; NaN where nothing was counted.

    The gap between accuracy and mean confidence, averaged over bins by their pixels (Naeini et al. 2015,
    https://ojs.aaai.org/index.php/AAAI/article/view/9602; Guo et al. 2017).
    """
    pixels, right, confidence = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    return ratio(np.abs(right - confidence * UNIT).sum(axis=-1), pixels.sum(axis=-1))


def confidence_for(counts: np.ndarray, accuracy: float) -> float:
    """The lowest edge of a bin above which at least `accuracy` of the pixels are right, of counts `[bins, 3]`; NaN
    where there is none. Predictions with less confidence are better left open, or looked at.
    """
    pixels, right, _ = np.asarray(counts, np.float64)[::-1].cumsum(axis=0)[::-1].T
    (enough,) = np.nonzero(ratio(right, pixels) >= accuracy)
    return float(enough[0] / len(counts)) if len(enough) else nan


@dataclass(frozen=True)
class PixelSample:
    """Keeps the logits and targets of some pixels of each sample: `[B, pixels, C + 1]`, float32, the target last.

    The same for a sample in whatever batch, and on whatever device: pixels are drawn by a hash of their position,
    those that are ignored or no class left out; a sample with fewer than `pixels` others fills up with a target of -1.
    One logit is kept as two, 0 and itself.
    """

    ignore_index: int = 255
    pixels: int = 256

    def __call__(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Of logits `[B, C, *S]`, or a mapping with them under `"out"`, and a target `[B, *S]`, integer."""
        logits = _of_two_or_more(outputs).flatten(2)
        target = target.flatten(1).long()
        valid = is_class(target, logits.shape[1], self.ignore_index)
        last = 2**32  # behind all hashes
        order = _hashed(torch.arange(target.shape[1], device=target.device)).expand_as(target).where(valid, last)
        drawn = order.topk(min(self.pixels, target.shape[1]), largest=False)
        kept = logits.gather(2, drawn.indices[:, None].expand(-1, logits.shape[1], -1)).float()
        truth = target.gather(1, drawn.indices).where(drawn.values < last, -1)
        rows = torch.cat([kept, truth[:, None]], dim=1).mT
        return F.pad(rows, (0, 0, 0, self.pixels - rows.shape[1]), value=-1)


class TemperatureScaling(NamedTuple):
    """What dividing all logits by one number does to some pixels; NaN where there were none.

    `nll` is the mean negative log-likelihood in nats, `ece` the expected calibration error, `counts` `[bins, 3]` are of
    the scaled pixels, as `ConfidenceHistogram` has them. Scaling changes no prediction.
    """

    temperature: float
    pixels: int
    ece_before: float
    ece_after: float
    nll_before: float
    nll_after: float
    counts: np.ndarray


def temperature_scaling(sample: np.ndarray, temperature: float | None = None, bins: int = 15) -> TemperatureScaling:
    """From samples `[..., pixels, C + 1]` of `PixelSample`; without a `temperature` the one that fits them best.

    Of more than 50,000 pixels as many are drawn, with a fixed seed. Those with logits that are not finite are left out.

    Guo et al. 2017, section 4.2. To be fitted on validation data and used on other data.
    """
    rows = sample.reshape(-1, sample.shape[-1])
    rows = rows[(rows[:, -1] >= 0) & np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return TemperatureScaling(nan, 0, nan, nan, nan, nan, np.zeros((bins, 3), np.int64))
    rows = rows[np.random.default_rng(0).permutation(len(rows))[:ENOUGH]]
    logits, target = rows[:, :-1].astype(np.float64), rows[:, -1].astype(np.int64)
    temperature = temperature or fit_temperature(logits, target)
    scaled = logits / temperature
    before, after = (_histogram_of(each, target, bins) for each in (logits, scaled))
    return TemperatureScaling(
        temperature,
        len(rows),
        float(calibration_error(before)),
        float(calibration_error(after)),
        _nll(logits, target),
        _nll(scaled, target),
        after,
    )


def fit_temperature(logits: np.ndarray, target: np.ndarray) -> float:
    """The T in [0.01, 100] for which logits / T have the least negative log-likelihood; logits `[M, C]`, target `[M]`.

    Above 1 the model is too confident, below 1 not confident enough. The negative log-likelihood is convex in 1 / T, so
    that it has one minimum; where all pixels are right T is close to 0, where they are right less often than by chance
    100.
    """
    found = minimize_scalar(
        lambda log_t: _nll(logits / exp(log_t), target),
        bounds=tuple(map(log, TEMPERATURES)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return exp(found.x)


def _of_two_or_more(outputs: Outputs) -> Tensor:
    """The logits, the one of a binary task as those of two classes: the same probabilities."""
    logits = logits_from(outputs).detach()
    return logits if logits.shape[1] > 1 else torch.cat([torch.zeros_like(logits), logits], dim=1)


def _confidence(logits: Tensor) -> Tensor:
    """The largest softmax `[B, *S]`, float32; 0 where logits are not finite.

    Class after class: on a CPU in half the time of a softmax, and without its memory.
    """
    highest = logits.amax(dim=1).float()
    total = torch.zeros_like(highest)
    for of_class in logits.unbind(dim=1):
        total += (of_class.float() - highest).exp_()
    return (1 / total).nan_to_num(nan=0)


def _hashed(positions: Tensor) -> Tensor:
    """A number below 2**32 for each, all different and in no visible order (the mixer of MurmurHash3)."""
    mixed = positions + 1  # 0 would stay 0
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        mixed = ((mixed ^ (mixed >> shift)) * factor) & 0xFFFFFFFF
    return mixed


def _nll(logits: np.ndarray, target: np.ndarray) -> float:
    return float((logsumexp(logits, axis=1) - logits[np.arange(len(target)), target]).mean())


def _histogram_of(logits: np.ndarray, target: np.ndarray, bins: int) -> np.ndarray:
    """The counts `[bins, 3]` of logits `[M, C]` and target `[M]`."""
    histogram = ConfidenceHistogram(ignore_index=-1, bins=bins)
    counts: np.ndarray = histogram(torch.from_numpy(logits.T[None]), torch.from_numpy(target[None])).numpy()[0]
    return counts
