from math import exp, log, nan

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from segmentation.metrics.calibration import (
    UNIT,
    ConfidenceHistogram,
    PixelSample,
    calibration_error,
    confidence_for,
    fit_temperature,
    reliability,
    temperature_scaling,
)

VOID = 255


def random_batch(classes: int, *size: int, seed: int = 0, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    """Targets that follow the logits, which are too confident by `scale`."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(size[0], classes, *size[1:], generator=generator)
    drawn = torch.multinomial(logits.softmax(1).movedim(1, -1).reshape(-1, classes), 1, generator=generator)
    target = drawn.view(size)
    void = torch.rand(size, generator=generator) < 0.2
    return scale * logits, target.masked_fill(void, VOID)


def logits_with(*confidences: float) -> Tensor:
    """Of two classes, the first with these probabilities: `[1, 2, N]`."""
    return torch.tensor([[[log(value) for value in confidences], [log(1 - value) for value in confidences]]])


def test_histogram_by_hand() -> None:
    """Bins of a fifth: 0.7, 0.75 and 0.65 in the fourth, 0.9 and 0.95 in the last, of which one is ignored."""
    logits = logits_with(0.7, 0.75, 0.35, 0.9, 0.95)
    counts = ConfidenceHistogram(VOID, bins=5)(logits, torch.tensor([[0, 1, 1, 1, VOID]])).numpy()
    assert counts.dtype == np.int64
    assert counts[0, :, :2].tolist() == [[0, 0], [0, 0], [0, 0], [3, 2], [1, 0]]
    assert counts[0, :, 2] * UNIT == pytest.approx([0, 0, 0, 0.7 + 0.75 + 0.65, 0.9])
    curve = reliability(counts[0])
    assert curve.confidence == pytest.approx([nan, nan, nan, 0.7, 0.9], nan_ok=True)
    assert curve.accuracy == pytest.approx([nan, nan, nan, 2 / 3, 0], nan_ok=True)
    assert curve.share.tolist() == [0, 0, 0, 3 / 4, 1 / 4]
    assert calibration_error(counts[0]) == pytest.approx(3 / 4 * (0.7 - 2 / 3) + 1 / 4 * 0.9)


def test_a_border_belongs_to_the_bin_below_and_one_to_the_last() -> None:
    logits = torch.tensor([[[0.0, 200.0], [0.0, 0.0]]])  # confidences of 0.5 and 1
    counts = ConfidenceHistogram(bins=4)(logits, torch.zeros(1, 2).long())
    assert counts[0].tolist() == [[0, 0, 0], [1, 1, 2**23], [0, 0, 0], [1, 1, 2**24]]


@pytest.mark.parametrize("classes", [2, 5, 19])
def test_error_of_torchmetrics(classes: int) -> None:
    logits, target = random_batch(classes, 3, 30, 40)
    counts = ConfidenceHistogram(VOID)(logits, target).numpy()
    expected = multiclass_calibration_error(logits, target, classes, n_bins=15, norm="l1", ignore_index=VOID)
    assert calibration_error(counts.sum(axis=0)) == pytest.approx(float(expected), abs=1e-6)


def test_one_logit_is_a_sigmoid() -> None:
    logits, target = random_batch(2, 2, 30, 40)
    difference = logits[:, 1:] - logits[:, :1]
    one, two = (ConfidenceHistogram(VOID)(each, target) for each in (difference, logits))
    assert one[..., :2].equal(two[..., :2])
    assert np.allclose(one[..., 2] * UNIT, two[..., 2] * UNIT)
    # torchmetrics takes the foreground's probability for the confidence, ours is that of the class that is predicted
    sure, valid = difference[:, 0].abs().sigmoid(), target != VOID
    right = ((difference[:, 0] > 0) == target)[valid].long()
    expected = binary_calibration_error(sure[valid], right, n_bins=15, norm="l1")
    assert calibration_error(one.numpy().sum(axis=0)) == pytest.approx(float(expected), abs=1e-6)


def test_a_batch_is_its_samples_in_any_shape_and_type() -> None:
    logits, target = random_batch(4, 3, 30, 40)
    target[0] = VOID
    histogram, sample = ConfidenceHistogram(VOID), PixelSample(VOID)
    for counter in (histogram, sample):
        whole = counter({"out": logits, "aux": -logits}, target)
        assert torch.cat([counter(logits[i : i + 1], target[i : i + 1].byte()) for i in range(3)]).equal(whole)
        assert counter(logits.view(3, 4, 2, 15, 40), target.view(3, 2, 15, 40)).equal(whole)
        rounded = logits.bfloat16()
        assert counter(rounded, target).equal(counter(rounded.float(), target))
    assert not histogram(logits, target)[0].any()
    assert histogram(logits, target)[1:, :, 0].sum() == (target != VOID).sum()


def test_right_pixels_are_those_of_the_confusion() -> None:
    """Ties included, of which bf16 has many."""
    logits, target = random_batch(3, 2, 30, 40)
    logits = (logits / 8).round().bfloat16()
    assert (logits == logits.amax(dim=1, keepdim=True)).sum() > target.numel()
    right = (logits.max(dim=1).indices == target).sum()
    assert ConfidenceHistogram(VOID)(logits, target)[..., 1].sum() == right


def test_logits_that_are_not_finite() -> None:
    logits = torch.tensor([[[nan, float("inf"), 3], [0, 0, float("-inf")]]])
    counts = ConfidenceHistogram(bins=2)(logits, torch.zeros(1, 3).long())
    assert counts[0, :, 0].tolist() == [2, 1]
    assert counts[0, :, 2].tolist() == [0, 2**24]


def test_scores_of_many_sums_at_once_and_of_nothing() -> None:
    counts = ConfidenceHistogram(VOID)(*random_batch(3, 4, 20, 20)).numpy()
    resampled = np.einsum("rn,nbk->rbk", np.array([[1, 1, 1, 1], [0, 3, 0, 1], [0, 0, 0, 0]]), counts)
    errors = calibration_error(resampled)
    assert errors[0] == calibration_error(counts.sum(axis=0))
    assert errors[1] == calibration_error(3 * counts[1] + counts[3])
    assert np.isnan(errors[2])
    assert np.isnan(reliability(resampled).share[2]).all()


def test_pixels_drawn_are_valid_and_the_same_whatever_else_there_is() -> None:
    logits, target = random_batch(3, 2, 20, 20)
    kept = PixelSample(VOID, pixels=50)(logits, target)
    assert kept.shape == (2, 50, 4)
    assert kept.dtype == torch.float32
    for image in range(2):
        rows = torch.cat([logits[image].flatten(1), target[image].flatten()[None]]).mT.tolist()
        drawn = [rows.index(row) for row in kept[image].tolist()]
        assert len(set(drawn)) == 50
        assert all(rows[place][-1] != VOID for place in drawn)
        rest = torch.ones(400, dtype=torch.bool).index_fill(0, torch.tensor(drawn), False).view(20, 20)
        emptied = target[image].masked_fill(rest & (torch.arange(400).view(20, 20) % 2 == 0), VOID)
        assert PixelSample(VOID, pixels=50)(logits[image][None], emptied[None])[0].equal(kept[image])


def test_pixels_are_drawn_evenly() -> None:
    """1,000 of 100 x 100 pixels: about 100 of each tenth of the rows, and of each tenth of the columns."""
    row, column = torch.meshgrid(torch.arange(100.0), torch.arange(100.0), indexing="ij")
    kept = PixelSample(pixels=1000)(torch.stack([row, column])[None], torch.zeros(1, 100, 100).long())[0].numpy()
    for axis in (0, 1):
        tenths = np.bincount((kept[:, axis] // 10).astype(int), minlength=10)
        assert tenths.min() > 70
        assert tenths.max() < 130


def test_pixels_are_in_no_pattern() -> None:
    """64 throws at 64 rows hit 64 (1 - 1/e), about 40 of them, a lattice all or few; the first pixel is not special."""
    row, column = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    kept = PixelSample(pixels=64)(torch.stack([row, column])[None], torch.zeros(1, 64, 64).long())[0]
    for axis in (0, 1):
        assert 32 < len(kept[:, axis].unique()) < 48
    assert kept[0, :2].any()


def test_fewer_pixels_than_asked_for() -> None:
    logits, target = torch.randn(1, 1, 5), torch.tensor([[1, VOID, 0, 1, VOID]])
    kept = PixelSample(VOID, pixels=8)(logits, target)[0].numpy()
    assert (kept[:, -1] >= 0).sum() == 3
    assert kept[3:, -1].tolist() == [-1] * 5
    assert sorted(kept[:3, 1]) == sorted(logits[0, 0][target[0] != VOID].tolist())
    assert not kept[:3, 0].any()


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_temperature_undoes_a_known_factor(scale: float) -> None:
    sample = PixelSample(VOID, pixels=20_000)(*random_batch(5, 2, 200, 200, scale=scale)).numpy()
    found = temperature_scaling(sample)
    assert found.temperature == pytest.approx(scale, rel=0.03)
    assert found.pixels == 40_000
    assert found.ece_after < 0.01
    assert found.nll_after <= found.nll_before
    if scale != 1:
        assert found.ece_before > 0.05


@pytest.mark.parametrize("scale", [0.3, 5.0])
def test_temperature_is_that_of_gradient_descent(scale: float) -> None:
    logits, target = random_batch(4, 1, 2000, scale=scale)
    valid = target[0] != VOID
    rows, truth = logits[0].mT[valid].double(), target[0][valid]
    inverse = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([inverse], max_iter=200, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(inverse * rows, truth)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert fit_temperature(rows.numpy(), truth.numpy()) == pytest.approx(1 / inverse.item(), rel=1e-4)


def test_temperature_by_hand() -> None:
    """Logits that differ by 1, right in 3 of 4 cases: 1 / (1 + exp(-1 / T)) is 3/4 at T = 1 / ln 3."""
    logits, target = np.array([[1.0, 0.0]] * 4), np.array([0, 0, 0, 1])
    assert fit_temperature(logits, target) == pytest.approx(1 / log(3), rel=1e-5)


def test_temperature_of_what_has_none() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 1.0]])
    assert fit_temperature(logits, np.array([0, 1])) < 0.1  # all right: the surer the better
    assert fit_temperature(logits, np.array([1, 0])) == pytest.approx(100, rel=1e-3)  # all wrong
    nothing = temperature_scaling(np.array([[[1, 2, -1], [nan, 1, 0], [0, np.inf, 1]]], np.float32))
    assert nothing[:-1] == pytest.approx((nan, 0, nan, nan, nan, nan), nan_ok=True)
    assert not nothing.counts.any()


def test_of_many_pixels_some_are_drawn() -> None:
    sample = np.tile(np.array([[1.0, 0.0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 1]], np.float32), (50_000, 1, 1))
    found = temperature_scaling(sample[:, [0, 1, 2, 3, 0, 1, 2]])
    assert found.pixels == 50_000
    assert found.temperature == pytest.approx(1 / log(6), rel=0.03)
    assert found.nll_before == pytest.approx(log(1 + exp(-1)) + 1 / 7, rel=0.03)


def test_nothing_waits_for_the_device() -> None:
    """A meta tensor raises on whatever would have to be read on the host."""
    logits, target = torch.randn(2, 3, 8, 8, device="meta"), torch.zeros(2, 8, 8, device="meta").byte()
    assert ConfidenceHistogram()(logits, target).shape == (2, 15, 3)
    assert PixelSample()(logits, target).shape == (2, 256, 4)


def test_the_confidence_above_which_enough_is_right_by_hand() -> None:
    """Of four bins: from the last up 9 of 10 are right, with the third 17 of 20, with the second 18 of 30."""
    counts = np.array([[10, 0, 0], [10, 1, 0], [10, 8, 0], [10, 9, 0]])
    assert confidence_for(counts, 0.9) == 0.75
    assert confidence_for(counts, 0.85) == 0.5
    assert confidence_for(counts, 0.86) == 0.75
    assert confidence_for(counts, 0.1) == 0
    assert np.isnan(confidence_for(counts, 0.95))
    assert np.isnan(confidence_for(np.zeros((4, 3)), 0.5)), "nothing was counted"
    empty_on_top = np.array([[10, 10, 0], [0, 0, 0]])
    assert confidence_for(empty_on_top, 0.9) == 0
