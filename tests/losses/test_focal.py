from math import log

import pytest
import torch
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from segmentation.errors import UserError
from segmentation.losses import BinaryCrossEntropy, CrossEntropy, Focal, Loss, SigmoidFocal

VOID = 255


def batch(*size: int, classes: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, classes + 1, size, generator=generator)
    return torch.randn(size[0], classes, *size[1:], generator=generator), target.where(target < classes, VOID)


def test_by_hand() -> None:
    """True classes of probability 3/4 and 1/2."""
    logits = torch.tensor([[[0.25, 0.5, 0.2], [0.75, 0.5, 0.8]]]).log()
    target = torch.tensor([[1, 0, VOID]])
    total, parts = Focal(gamma=2.0)(logits, target)
    assert total.item() == pytest.approx((log(4 / 3) / 16 + log(2) / 4) / 2)
    assert parts == {"focal": total}
    weighted = Focal(gamma=2.0, class_weights=[3.0, 1.0])(logits, target).total
    assert weighted.item() == pytest.approx((log(4 / 3) / 16 + 3 * log(2) / 4) / 4)


@pytest.mark.parametrize("class_weights", [None, [0.5, 1.0, 0.0, 2.0]])
def test_gamma_zero_is_cross_entropy(class_weights: list[float] | None) -> None:
    logits, target = batch(2, 7, 5)
    expected = CrossEntropy(class_weights=class_weights)(logits, target).total
    torch.testing.assert_close(Focal(gamma=0.0, class_weights=class_weights)(logits, target).total, expected)


def test_sigmoid_by_hand() -> None:
    """A label of probability 3/4 that holds, one of 1/2 that does not."""
    logits = torch.tensor([[[0.75, 0.5, 0.1]]]).logit()
    target = torch.tensor([[[1, 0, VOID]]])
    total, parts = SigmoidFocal(gamma=2.0, alpha=0.25)(logits, target)
    assert total.item() == pytest.approx((0.25 * log(4 / 3) / 16 + 0.75 * log(2) / 4) / 2)
    assert parts == {"sigmoid_focal": total}
    assert SigmoidFocal(alpha=None)(logits, target).total.item() == pytest.approx((log(4 / 3) / 16 + log(2) / 4) / 2)


def test_sigmoid_at_gamma_zero_is_binary_cross_entropy() -> None:
    logits, target = batch(2, 7, 5)
    expected = BinaryCrossEntropy()(logits, target).total
    torch.testing.assert_close(SigmoidFocal(gamma=0.0, alpha=None)(logits, target).total, expected)


@pytest.mark.parametrize("alpha", [0.25, None])
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.5])
def test_sigmoid_equals_torchvision_where_all_is_valid(gamma: float, alpha: float | None) -> None:
    logits, _ = batch(2, 6, 5)
    logits.requires_grad_()
    target = torch.randint(0, 2, logits.shape, generator=torch.Generator().manual_seed(1))
    theirs = -1 if alpha is None else alpha
    expected = sigmoid_focal_loss(logits, target.float(), theirs, gamma, reduction="mean")
    total = SigmoidFocal(gamma=gamma, alpha=alpha)(logits, target).total
    torch.testing.assert_close(total, expected)
    (slope,), (expected_slope,) = torch.autograd.grad(total, logits), torch.autograd.grad(expected, logits)
    torch.testing.assert_close(slope, expected_slope)


@pytest.mark.parametrize("loss", [Focal(gamma=0.5), SigmoidFocal(gamma=0.5)])
def test_a_gamma_below_one_has_a_slope_where_the_prediction_is_certain(loss: Loss) -> None:
    """Theirs has not: 0 ** -0.5."""
    logits = torch.tensor([[[200.0, -200.0], [-200.0, 200.0]]]).requires_grad_()
    loss(logits, torch.tensor([[0, 1]])).total.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("gamma", [-0.5, float("inf"), float("nan")])
def test_bad_gamma(gamma: float) -> None:
    for loss in (Focal, SigmoidFocal):
        with pytest.raises(UserError, match=r"^gamma is .*$"):
            loss(gamma=gamma)


@pytest.mark.parametrize("alpha", [-0.5, 1.5, float("nan")])
def test_bad_alpha(alpha: float) -> None:
    with pytest.raises(UserError, match=r"^alpha is .*$"):
        SigmoidFocal(alpha=alpha)
