import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses import BoundaryF1

VOID = 255


def logits_of(target: Tensor, classes: int = 2) -> Tensor:
    return 100.0 * F.one_hot(target, classes).movedim(-1, 1)


def halves(edge: int, side: int = 16) -> Tensor:
    """Class 1 from column `edge` on."""
    return (torch.arange(side) >= edge).long().expand(1, side, side)


def test_a_perfect_prediction_costs_nothing() -> None:
    total, parts = BoundaryF1()(logits_of(halves(8)), halves(8))
    assert total.item() == pytest.approx(0, abs=1e-6)
    assert parts == {"boundary": total}


@pytest.mark.parametrize("tolerance", [1, 2, 3])
def test_a_boundary_may_be_off_by_its_tolerance(tolerance: int) -> None:
    """An edge that is one too far has none of its pixels near: 1 / 17 by smooth, in a picture 16 pixels high."""
    loss = BoundaryF1(tolerance=tolerance)
    assert loss(logits_of(halves(8 + tolerance)), halves(8)).total.item() == pytest.approx(0, abs=1e-6)
    assert loss(logits_of(halves(9 + tolerance)), halves(8)).total.item() == pytest.approx(16 / 17)


def test_by_hand() -> None:
    """One row, truth 1 0 0 0 0, p1 = 0.6 0.2 0 0 0; class 1 alone, as the other's truth is void.

    Boundary of the truth: pixel 0. Of the prediction: 1 - p is 0.4 0.8 1 1 1, its maximum over three 0.8 1 1 1 1, the
    difference 0.4 0.2 0 0 0. Widened by 1: 1 1 0 0 0 and 0.4 0.4 0.2 0 0.
    """
    logits = torch.tensor([0.6, 0.2, 1e-9, 1e-9, 1e-9]).logit().view(1, 1, 1, 5)
    target = torch.tensor([1, 0, 0, 0, 0]).view(1, 1, 1, 5)
    precision, recall = (0.6 + 1) / (0.6 + 1), (0.4 + 1) / (1 + 1)
    total = BoundaryF1(tolerance=1)(logits, target).total
    assert total.item() == pytest.approx(1 - 2 * precision * recall / (precision + recall))


def test_hard_predictions_have_the_score_of_their_boundaries() -> None:
    """Boundaries and what is near them by morphology."""
    generator = np.random.default_rng(0)
    ids = [ndimage.zoom(generator.integers(0, 3, (5, 6)), 6, order=0) for _ in range(2)]
    square = np.ones((3, 3))
    scores = []
    for index in range(3):
        true, predicted = (
            part & ~ndimage.binary_erosion(part, square, border_value=1) for part in (ids[0] == index, ids[1] == index)
        )
        near_true, near_predicted = (ndimage.binary_dilation(edge, square, 2) for edge in (true, predicted))
        precision = ((predicted & near_true).sum() + 1) / (predicted.sum() + 1)
        recall = ((true & near_predicted).sum() + 1) / (true.sum() + 1)
        scores.append(2 * precision * recall / (precision + recall))
    target, labels = (torch.from_numpy(part).long().unsqueeze(0) for part in ids)
    total = BoundaryF1(tolerance=2, smooth=1.0)(logits_of(labels, 3), target).total
    assert 0.2 < total.item() < 0.9
    assert total.item() == pytest.approx(1 - np.mean(scores), abs=1e-5)


def test_images_and_classes_without_a_boundary_do_not_count() -> None:
    """Class 2 is nowhere, the second image all of class 0: what is predicted there is other losses' work."""
    target = torch.cat([halves(8), torch.zeros(1, 16, 16, dtype=torch.int64)])
    logits = torch.cat([logits_of(halves(12), 3), torch.randn(1, 3, 16, 16)])
    alone = BoundaryF1()(logits_of(halves(12)), halves(8)).total
    torch.testing.assert_close(BoundaryF1()(logits, target).total, alone)


def test_there_is_no_boundary_towards_void() -> None:
    target = halves(8).clone()
    target[..., 8:] = VOID
    assert BoundaryF1()(torch.randn(1, 2, 16, 16), target).total.item() == 0
    target = halves(8).clone()
    target[..., 6:10] = VOID
    assert BoundaryF1()(torch.randn(1, 2, 16, 16), target).total.item() == 0


def test_descends_to_the_boundary() -> None:
    """With cross-entropy's help away from it, as it is meant to be used."""
    logits = torch.zeros(1, 2, 16, 16, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    target = halves(8)
    for _ in range(60):
        optimizer.zero_grad()
        boundary = BoundaryF1(tolerance=1)(logits, target).total
        (F.cross_entropy(logits, target) + boundary).backward()
        optimizer.step()
    assert boundary.item() < 0.05


def test_is_for_images_alone() -> None:
    with pytest.raises(UserError, match=r"^.*images.*$"):
        BoundaryF1()(torch.randn(1, 2, 16), torch.zeros(1, 16, dtype=torch.int64))


@pytest.mark.parametrize("tolerance", [0, 1.5, float("nan")])
def test_bad_tolerance(tolerance: float) -> None:
    with pytest.raises(UserError, match=r"^tolerance is .*$"):
        BoundaryF1(tolerance=tolerance)  # type: ignore[arg-type]
