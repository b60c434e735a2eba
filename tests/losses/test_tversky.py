import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses import Dice, Jaccard, Tversky

VOID = 255


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 5, (3, 6, 5), generator=generator)
    return torch.randn(3, 4, 6, 5, generator=generator), target.where(target < 4, VOID)


def by_hand() -> tuple[Tensor, Tensor]:
    """Class 0: overlap 1.25, false positives 0.25, false negatives 0.75; class 1: 0.75, 0.75 and 0.25."""
    logits = torch.tensor([[0.5, 0.75, 0.25, 0.1], [0.5, 0.25, 0.75, 0.9]]).log().unsqueeze(0)
    return logits, torch.tensor([[0, 0, 1, VOID]])


def test_by_hand() -> None:
    total, parts = Tversky(alpha=0.2, beta=0.8, smooth=2.0)(*by_hand())
    first = 1 - 3.25 / (3.25 + 0.2 * 0.25 + 0.8 * 0.75)
    second = 1 - 2.75 / (2.75 + 0.2 * 0.75 + 0.8 * 0.25)
    assert total.item() == pytest.approx((first + second) / 2)
    assert parts == {"tversky": total}


def test_focal_by_hand() -> None:
    total = Tversky(alpha=1.0, beta=1.0, gamma=2.0, smooth=2.0)(*by_hand()).total
    assert total.item() == pytest.approx(((1 / 4.25) ** 0.5 + (1 / 3.75) ** 0.5) / 2)


@pytest.mark.parametrize("per_image", [False, True])
def test_halves_are_dice_and_ones_are_jaccard(per_image: bool) -> None:
    logits, target = batch()
    dice = Tversky(alpha=0.5, beta=0.5, smooth=2.0, per_image=per_image)(logits, target).total
    torch.testing.assert_close(dice, Dice(smooth=4.0, per_image=per_image)(logits, target).total)
    jaccard = Tversky(alpha=1.0, beta=1.0, smooth=2.0, per_image=per_image)(logits, target).total
    torch.testing.assert_close(jaccard, Jaccard(smooth=2.0, per_image=per_image)(logits, target).total)


def test_beta_weighs_what_is_missed() -> None:
    """Nothing is predicted of a class that covers half."""
    logits = torch.tensor([5.0, -5.0]).view(1, 2, 1).expand(1, 2, 4)
    target = torch.tensor([[0, 0, 1, 1]])
    careful, lax = Tversky(alpha=0.3, beta=0.7), Tversky(alpha=0.7, beta=0.3)
    only_missed = target.where(target == 1, VOID)
    assert careful(logits, only_missed).total > lax(logits, only_missed).total


def test_equals_segmentation_models_pytorch() -> None:
    logits, target = batch()
    expected = smp.losses.TverskyLoss("multiclass", smooth=2.0, ignore_index=VOID, alpha=0.2, beta=0.9)(logits, target)
    torch.testing.assert_close(Tversky(alpha=0.2, beta=0.9, smooth=2.0)(logits, target).total, expected)


def test_focal_differs_from_segmentation_models_pytorch_by_what_the_paper_says() -> None:
    """Theirs is the mean over all four classes, absent ones being 0, to the power gamma; the paper's the mean of powers
    of 1 / gamma.
    """
    logits, target = batch()
    only_first = target.where(target == 0, VOID)
    theirs = smp.losses.TverskyLoss("multiclass", smooth=2.0, ignore_index=VOID, alpha=0.3, beta=0.7, gamma=0.75)
    ours = Tversky(gamma=4 / 3, smooth=2.0)(logits, only_first).total
    torch.testing.assert_close(ours, theirs(logits, only_first) * 4**0.75)


def test_a_perfect_class_has_no_infinite_slope() -> None:
    logits = torch.tensor([[[200.0, 1.0], [-200.0, 0.0]]]).requires_grad_()
    total = Tversky(gamma=2.0)(logits, torch.tensor([[0, VOID]])).total
    total.backward()
    assert total.item() == 0
    assert logits.grad is not None
    assert logits.grad.eq(0).all()


@pytest.mark.parametrize(
    ("option", "value"),
    [("alpha", -0.1), ("beta", float("nan")), ("gamma", 0.0), ("gamma", float("inf")), ("smooth", 0.0)],
)
def test_bad_options(option: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"^{option} is .*$"):
        Tversky(**{option: value})  # type: ignore[arg-type]


def test_both_weights_zero() -> None:
    with pytest.raises(UserError, match=r"^beta is 0.*alpha.*$"):
        Tversky(alpha=0.0, beta=0.0)
