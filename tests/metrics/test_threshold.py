from math import asinh, exp, inf, log, nan, sqrt

import numpy as np
import pytest
import sklearn.metrics
import torch
from torch import Tensor

from segmentation.errors import UserError
from segmentation.metrics.threshold import (
    BINS,
    ForegroundHistogram,
    auroc,
    average_precision,
    best_threshold,
    scores_at,
    threshold_scores,
)
from segmentation.outputs import labels_from

VOID = 255
# Of four bins: asinh(4 MIDDLE) is half of asinh(4 64).
MIDDLE = sqrt((sqrt(1 + 256**2) - 1) / 2) / 4
BY_HAND = np.array([[5, 2, 1, 0], [1, 0, 2, 4]])


def sigmoid(value: float) -> float:
    return 1 / (1 + exp(-value))


def one_image(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The counts `[2, 1024]` of the one logit `[N]` of pixels."""
    counter = ForegroundHistogram(VOID)
    return counter(torch.from_numpy(logits)[None, None].float(), torch.from_numpy(target)[None])[0].numpy()


def random_pixels(pixels: int, spread: float, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits around plus and minus `spread`, of which a few are wrong."""
    generator = np.random.default_rng(seed)
    target = (generator.random(pixels) < share).astype(np.int64)
    return ((2 * target - 1) * spread + spread * generator.normal(size=pixels)).astype(np.float32), target


def random_batch(channels: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 3, (3, 20, 24), generator=generator)
    return 3 * torch.randn(3, channels, 20, 24, generator=generator), target.masked_fill(target == 2, VOID)


def test_histogram_by_hand() -> None:
    """The bins in the middle are asinh(256) / 2048 = 0.003047 wide, and the upper edge is part of them."""
    logits = torch.tensor([[[-100, -0.003, 0, 0.001, 0.003, 0.0031, 100, 3, nan, inf, -inf]]])
    target = torch.tensor([[0, 0, 1, 1, 1, 0, 1, VOID, 0, 1, 0]])
    counts = ForegroundHistogram(VOID)(logits, target)
    assert counts.shape == (1, 2, BINS)
    assert counts.dtype == torch.int64
    assert counts.nonzero()[:, 1:].tolist() == [[0, 0], [0, 511], [0, 513], [1, 511], [1, 512], [1, 1023]]
    assert counts[counts > 0].tolist() == [2, 2, 1, 1, 2, 2]


def test_scores_by_hand() -> None:
    scores = threshold_scores(BY_HAND)
    assert scores.threshold == pytest.approx([0, sigmoid(-MIDDLE), 0.5, sigmoid(MIDDLE), 1])
    assert scores.recall.tolist() == [1, 6 / 7, 6 / 7, 4 / 7, 0]
    assert scores.false_positive_rate.tolist() == [1, 3 / 8, 1 / 8, 0, 0]
    assert scores.precision == pytest.approx([7 / 15, 6 / 9, 6 / 7, 1, nan], nan_ok=True)
    assert scores.f1 == pytest.approx([14 / 22, 12 / 16, 12 / 14, 8 / 11, 0])
    assert scores.iou == pytest.approx([7 / 15, 6 / 10, 6 / 8, 4 / 7, 0])


def test_areas_by_hand() -> None:
    """Of 8 x 7 pairs: each negative beats none, ties half, loses to all positives above."""
    assert auroc(BY_HAND) == pytest.approx((5 * (6 + 1 / 2) + 2 * 6 + 1 * (4 + 2 / 2)) / 56)
    assert average_precision(BY_HAND) == pytest.approx((4 * 1 + 2 * 6 / 7 + 1 * 7 / 15) / 7)


def test_best_threshold_by_hand() -> None:
    best = best_threshold(BY_HAND)
    assert (best.threshold, best.f1, best.iou) == (0.5, pytest.approx(12 / 14), 6 / 8)
    shy = np.array([[9, 1, 0, 0], [0, 3, 1, 0]])  # the foreground is below 0.5
    assert best_threshold(shy).threshold == pytest.approx(sigmoid(-MIDDLE))
    assert best_threshold(shy).iou == 4 / 5


def test_of_equal_thresholds_the_nearest_to_a_half() -> None:
    apart = np.array([[5, 0, 0, 0], [0, 0, 0, 5]])
    assert best_threshold(apart).threshold == 0.5
    assert best_threshold(apart).f1 == 1


def test_at_any_threshold() -> None:
    assert scores_at(BY_HAND, 0.5).iou == 6 / 8
    assert scores_at(BY_HAND, 0.55).threshold == 0.5
    assert scores_at(BY_HAND, 0.999).recall == 4 / 7
    assert (scores_at(BY_HAND, 0).recall, scores_at(BY_HAND, 1).recall) == (1, 0)
    counts = one_image(*random_pixels(100, 1, 0.5, seed=2))
    edges = threshold_scores(counts).threshold
    assert edges[[0, 512, 1024]].tolist() == [0, 0.5, 1]
    assert [scores_at(counts, edge).threshold for edge in edges[200:800]] == edges[200:800].tolist()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_at_a_half_the_scores_are_those_of_the_confusion(channels: int, dtype: torch.dtype) -> None:
    """Ties and differences too small for a probability included."""
    logits, target = random_batch(channels)
    logits[0] = (logits[0] / 4).round()
    logits[1] *= 1e-20
    logits = logits.to(dtype)
    counts = ForegroundHistogram(VOID)({"out": logits, "aux": -logits}, target).numpy()
    valid = target != VOID
    confusion = sklearn.metrics.confusion_matrix(target[valid], labels_from(logits)[valid])
    half = counts.sum(axis=0).reshape(2, 2, BINS // 2).sum(axis=-1)
    assert np.array_equal(half, confusion)
    assert scores_at(counts.sum(axis=0), 0.5).iou == confusion[1, 1] / (confusion.sum() - confusion[0, 0])


def test_exact_for_scores_on_the_bins() -> None:
    """Scores in the middle of bins, as scikit-learn has them, points of the curves included."""
    logits, target = random_pixels(5000, 1.5, 0.1, seed=0)
    step = asinh(256) / 512
    logits = np.sinh((np.round(np.arcsinh(4 * logits) / step) + 0.5) * step) / 4
    counts = one_image(logits, target)
    assert auroc(counts) == pytest.approx(sklearn.metrics.roc_auc_score(target, logits), abs=1e-12)
    assert average_precision(counts) == pytest.approx(
        sklearn.metrics.average_precision_score(target, logits), abs=1e-12
    )
    scores = threshold_scores(counts)
    rates = sklearn.metrics.roc_curve(target, logits, drop_intermediate=False)[:2]
    assert np.allclose(np.unique([scores.false_positive_rate, scores.recall], axis=1), np.unique(rates, axis=1))
    precision, recall, _ = sklearn.metrics.precision_recall_curve(target, logits)
    ours = np.stack([scores.precision, scores.recall])[:, ~np.isnan(scores.precision)]
    assert np.allclose(np.unique(ours, axis=1), np.unique([precision[:-1], recall[:-1]], axis=1))
    best = best_threshold(counts)
    assert best.f1 == pytest.approx(np.nanmax(2 * precision * recall / (precision + recall)))
    assert best.f1 == pytest.approx(
        sklearn.metrics.f1_score(target, logits > log(best.threshold / (1 - best.threshold)))
    )


@pytest.mark.parametrize(("spread", "share"), [(0.02, 0.5), (0.5, 0.02), (4, 0.01), (12, 0.3), (60, 0.05)])
def test_error_of_binning(spread: float, share: float) -> None:
    """Within what the docstrings say, for a model that is nearly untrained, others, and one beyond the last bin."""
    logits, target = random_pixels(20_000, spread, share, seed=1)
    counts = one_image(logits, target)
    negatives, positives = counts.astype(float)
    tied = (negatives * positives).sum() / 2 / (negatives.sum() * positives.sum())
    assert abs(auroc(counts) - sklearn.metrics.roc_auc_score(target, logits)) <= tied

    above = counts[:, ::-1].cumsum(axis=1)[:, ::-1] - counts  # B and A
    lowest = (above[1] + 1) / (above[1] + 1 + above[0] + negatives)
    highest = (above[1] + positives) / np.maximum(above[1] + positives + above[0], 1)
    expected = sklearn.metrics.average_precision_score(target, logits)
    for value in (expected, average_precision(counts)):
        assert (positives * lowest).sum() <= value * positives.sum() <= (positives * highest).sum()
    if spread < 60:
        assert auroc(counts) == pytest.approx(sklearn.metrics.roc_auc_score(target, logits), abs=5e-4)
        assert average_precision(counts) == pytest.approx(expected, abs=0.01)


def test_without_positives_negatives_or_anything() -> None:
    negatives, positives, nothing = np.array([[[3, 1], [0, 0]], [[0, 0], [1, 2]], [[0, 0], [0, 0]]])
    assert np.isnan([auroc(negatives), auroc(positives), auroc(nothing)]).all()
    assert average_precision(positives) == 1
    assert np.isnan([average_precision(negatives), average_precision(nothing)]).all()
    assert threshold_scores(negatives).iou == pytest.approx([0, 0, nan], nan_ok=True)
    assert np.isnan(threshold_scores(negatives).recall).all()
    assert best_threshold(nothing).threshold == 0.5
    assert np.isnan(best_threshold(nothing).f1)


def test_a_batch_is_its_samples_and_void_counts_nothing() -> None:
    logits, target = random_batch(2)
    target[1] = VOID
    counter = ForegroundHistogram(VOID)
    counts = counter(logits, target)
    assert torch.cat([counter(logits[i : i + 1], target[i : i + 1].byte()) for i in range(3)]).equal(counts)
    assert counter(logits[:, 1:] - logits[:, :1], target).equal(counts)
    assert counts.sum(dim=(1, 2)).tolist() == (target != VOID).sum(dim=(1, 2)).tolist()
    assert counts[1].sum() == 0


def test_many_sums_at_once() -> None:
    counts = ForegroundHistogram(VOID)(*random_batch(1)).numpy()
    weights = np.array([[1, 1, 1], [0, 2, 1], [3, 0, 0]])
    resampled = np.einsum("rn,nkb->rkb", weights, counts)
    for row, single in enumerate(resampled):
        assert auroc(resampled)[row] == auroc(single)
        assert average_precision(resampled)[row] == average_precision(single)
        together, alone = best_threshold(resampled), best_threshold(single)
        assert [each[row] for each in together] == list(alone)
        assert scores_at(resampled, 0.7).f1[row] == scores_at(single, 0.7).f1


def test_more_classes_are_refused() -> None:
    with pytest.raises(UserError, match=r"^the model gives 3 classes: .*$"):
        ForegroundHistogram()(torch.randn(1, 3, 4, 4), torch.zeros(1, 4, 4).long())


def test_nothing_waits_for_the_device() -> None:
    """A meta tensor raises on whatever would have to be read on the host."""
    counts = ForegroundHistogram()(torch.randn(2, 2, 8, 8, device="meta"), torch.zeros(2, 8, 8, device="meta").byte())
    assert counts.shape == (2, 2, BINS)
