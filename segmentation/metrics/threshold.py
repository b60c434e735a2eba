"""Binary tasks at every threshold: AUROC, average precision, their curves, and the best threshold."""

from dataclasses import dataclass
from math import asinh
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from torch import Tensor

from segmentation.errors import UserError
from segmentation.metrics.counting import count_by_sample, is_class
from segmentation.metrics.scores import ratio
from segmentation.outputs import Outputs, logits_from

BINS = 1024
REACH = asinh(4 * 64)  # of the bins, to either side, in the inverse hyperbolic sine of four logits


@dataclass(frozen=True)
class ForegroundHistogram:
    """Counts pixels by how sure the foreground is, those that are background and those that are: `[B, 2, 1024]`, int64.

    The foreground's logit is the one there is, or that of class 1 less that of class 0, whose softmax is its sigmoid.
    Most networks are so sure of most pixels that equal bins of the probability would hold almost all in the first and
    the last. These are equal in asinh(4 logit): 0.003 of a logit wide in the middle (0.0008 of probability), 1.2 % of
    the logit from 1 on, those at the ends open from 64 on. A bin holds its upper edge, so that above 0.5 is just what
    `labels_from` takes for foreground. NaN counts as 0.5. Ignored pixels, and those whose target is neither 0 nor 1,
    are not counted.
    """

    ignore_index: int = 255

    def __call__(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Of logits `[B, 1 or 2, *S]`, or a mapping with them under `"out"`, and a target `[B, *S]`, integer.

        Raises `UserError` for more classes.
        """
        logits = logits_from(outputs).detach()
        if logits.shape[1] > 2:
            raise UserError(f"the model gives {logits.shape[1]} classes: thresholds are for two classes or one logit")
        sure = logits[:, -1].float()
        if logits.shape[1] == 2:
            sure = sure - logits[:, 0].float()
        half = BINS // 2
        bins = ((4 * sure).asinh() * (half / REACH)).ceil().nan_to_num(nan=0).clamp(1 - half, half).long() + (half - 1)
        cells = (bins + BINS * target.long()).where(is_class(target, 2, self.ignore_index), 2 * BINS)
        return count_by_sample(cells, 2 * BINS + 1)[:, :-1].view(-1, 2, BINS)


class ThresholdScores(NamedTuple):
    """Scores where the foreground is what has more than `threshold` of probability; in [0, 1] or NaN.

    Of T thresholds `[T]` the others are `[..., T]`: `recall` over `false_positive_rate` is the ROC curve, `precision`
    over `recall` the precision-recall curve. `f1` and `iou` are the foreground's.
    """

    threshold: np.ndarray
    recall: np.ndarray
    false_positive_rate: np.ndarray
    precision: np.ndarray
    f1: np.ndarray
    iou: np.ndarray


def threshold_scores(counts: np.ndarray) -> ThresholdScores:
    """At the edges of the bins, rising from 0 to 1, of counts `[..., 2, bins]` of `ForegroundHistogram`.

    NaN where what is divided by is 0: precision where nothing is foreground any more, recall without any positives.
    """
    false, true = _above(counts)
    negatives, positives = false[..., :1], true[..., :1]
    wrong = positives - true + false
    return ThresholdScores(
        threshold=_edges(counts.shape[-1]),
        recall=ratio(true, np.broadcast_to(positives, true.shape)),
        false_positive_rate=ratio(false, np.broadcast_to(negatives, false.shape)),
        precision=ratio(true, true + false),
        f1=ratio(2 * true, 2 * true + wrong),
        iou=ratio(true, true + wrong),
    )


def best_threshold(counts: np.ndarray) -> ThresholdScores:
    """The threshold at which F1 is highest, and with it the IoU, which rises and falls with it; all scores there,
    `[...]` each, of counts `[..., 2, bins]`.

    Of equal ones the nearest to 0.5, which it also is where F1 is defined nowhere. To be chosen on validation data and
    used on other data.
    """
    scores = threshold_scores(counts)
    values = np.nan_to_num(scores.f1, nan=-1.0)
    best = values == values.max(axis=-1, keepdims=True)
    from_half = np.abs(np.arange(len(scores.threshold)) - counts.shape[-1] // 2)
    return _taken(scores, np.where(best, from_half, np.inf).argmin(axis=-1))


def scores_at(counts: np.ndarray, threshold: float) -> ThresholdScores:
    """The scores at the edge of a bin that is nearest to a threshold in [0, 1], `[...]` each."""
    scores, bins = threshold_scores(counts), counts.shape[-1]
    edge = np.clip(np.rint((np.arcsinh(4 * logit(threshold)) / REACH + 1) * bins / 2), 0, bins).astype(int)
    return _taken(scores, np.full(counts.shape[:-2], edge))


def auroc(counts: np.ndarray) -> np.ndarray:
    """The area under the ROC curve `[...]` of counts `[..., 2, bins]`; NaN without positives or without negatives.

    How often a positive pixel has more foreground than a negative one, ties counting half (Fawcett 2006,
    https://doi.org/10.1016/j.patrec.2005.10.010). Pixels of a bin are tied: n negatives and p positives in one bin put
    the result at most n p / 2 pairs off, of all N P. In tests from nearly untrained to very sure: less than 0.0005.
    """
    _, true = _above(counts)
    negatives, positives = np.moveaxis(np.asarray(counts, np.float64), -2, 0)
    pairs = (negatives * (true[..., 1:] + positives / 2)).sum(axis=-1)
    return ratio(pairs, negatives.sum(axis=-1) * positives.sum(axis=-1))


def average_precision(counts: np.ndarray) -> np.ndarray:
    """Precision averaged over the positives, `[...]` of counts `[..., 2, bins]`; NaN without positives.

    As scikit-learn's `average_precision_score` has it: a sum over steps of recall, not interpolated. A positive's
    precision is that at the lower edge of its bin: with A positives and B negatives above, and p and n in the bin,
    between (A + 1) / (A + 1 + B + n) and (A + p) / (A + p + B). In the same tests: less than 0.01.
    """
    false, true = _above(counts)
    positives = np.asarray(counts, np.float64)[..., 1, :]
    precision = np.nan_to_num(ratio(true, true + false)[..., :-1])
    return ratio((positives * precision).sum(axis=-1), positives.sum(axis=-1))


def _above(counts: np.ndarray) -> np.ndarray:
    """Negatives and positives above each edge of the bins, `[2, ..., bins + 1]`, float64."""
    by_kind = np.moveaxis(np.asarray(counts, np.float64), -2, 0)
    sums = by_kind[..., ::-1].cumsum(axis=-1)[..., ::-1]
    return np.concatenate([sums, np.zeros_like(sums[..., :1])], axis=-1)


def _edges(bins: int) -> np.ndarray:
    """The probabilities at the edges of the bins, `[bins + 1]`; the outer bins reach to 0 and 1."""
    edges = expit(np.sinh(np.linspace(-REACH, REACH, bins + 1)) / 4)
    edges[[0, -1]] = 0, 1
    return edges


def _taken(scores: ThresholdScores, edge: np.ndarray) -> ThresholdScores:
    """The scores at one edge `[...]` of each."""
    values = (np.take_along_axis(each, edge[..., None], axis=-1)[..., 0] for each in scores[1:])
    return ThresholdScores(scores.threshold[edge], *values)
