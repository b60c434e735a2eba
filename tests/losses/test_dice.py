import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses import Dice

VOID = 255


def naive_dice(logits: Tensor, target: Tensor, smooth: float) -> Tensor:
    """The formula as it stands in the docstring, class by class on a one-hot target."""
    num_classes = logits.shape[1]
    valid = target != VOID
    probability = logits.softmax(dim=1).movedim(1, -1)[valid]
    truth = F.one_hot(target[valid], num_classes)
    losses = []
    for index in range(num_classes):
        p, g = probability[:, index], truth[:, index]
        if g.sum() > 0:
            losses.append(1 - (2 * (p * g).sum() + smooth) / (p.sum() + g.sum() + smooth))
    return torch.stack(losses).mean()


def test_by_hand() -> None:
    """Three valid pixels: classes 0, 0, 1 with p0 = 0.5, 0.75, 0.25; smooth = 2.

    class 0: overlap 1.25, predicted 1.5, truth 2 -> 1 - (2.5 + 2) / (3.5 + 2) = 1/5.5
    class 1: overlap 0.75, predicted 1.5, truth 1 -> 1 - (1.5 + 2) / (2.5 + 2) = 1/4.5
    """
    logits = torch.tensor([[0.5, 0.75, 0.25, 0.1], [0.5, 0.25, 0.75, 0.9]]).log().unsqueeze(0)
    total, parts = Dice(smooth=2.0)(logits, torch.tensor([[0, 0, 1, VOID]]))
    assert total.item() == pytest.approx((1 / 5.5 + 1 / 4.5) / 2)
    assert parts.keys() == {"dice"}
    assert parts["dice"] == total


def test_classes_absent_from_the_target_stay_out_of_the_mean() -> None:
    """p = 1/2, 1/4, 1/4 on both pixels, all class 0: 1 - (2 * 1 + 1) / (1 + 2 + 1) = 1/4 for that class alone."""
    logits = torch.tensor([0.5, 0.25, 0.25]).log().view(1, 3, 1).expand(1, 3, 2)
    assert Dice(smooth=1.0)(logits, torch.zeros(1, 2, dtype=torch.int64)).total.item() == pytest.approx(0.25)


@pytest.mark.parametrize("smooth", [1e-6, 1.0, 100.0])
def test_a_perfect_prediction_costs_nothing_and_a_wrong_one_almost_everything(smooth: float) -> None:
    target = torch.arange(3).repeat_interleave(100_000).view(1, 300, 1000)
    certain = 100 * F.one_hot(target, 3).movedim(-1, 1).float()
    assert Dice(smooth=smooth)(certain, target).total.item() == pytest.approx(0, abs=1e-6)
    assert Dice(smooth=smooth)(certain.roll(1, dims=1), target).total.item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("smooth", [1e-3, 1.0])
@pytest.mark.parametrize("size", [(4, 9, 7), (4, 63), (2, 3, 3, 4)])
def test_equals_the_naive_reference(size: tuple[int, ...], smooth: float) -> None:
    generator = torch.Generator().manual_seed(0)
    ours = (3 * torch.randn(size[0], 6, *size[1:], generator=generator)).requires_grad_()
    theirs = ours.detach().double().requires_grad_()
    target = torch.randint(0, 5, size, generator=generator)
    target = target.where(target != 2, VOID)

    total = Dice(smooth=smooth)(ours, target).total
    expected = naive_dice(theirs, target, smooth)
    torch.testing.assert_close(total, expected.float())
    total.backward()
    expected.backward()
    assert theirs.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad.float())


def test_is_taken_over_the_batch_and_not_for_each_image() -> None:
    logits = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    target = torch.arange(2).view(2, 1, 1).expand(2, 5, 4)
    side_by_side = Dice()(torch.cat(tuple(logits), dim=1).unsqueeze(0), torch.cat(tuple(target)).unsqueeze(0))
    torch.testing.assert_close(Dice()(logits, target).total, side_by_side.total)


def test_keeps_its_digits_over_many_pixels() -> None:
    """A running float32 sum of 0.9 over four million pixels would be off in the third digit."""
    logits = torch.tensor([0.9, 0.1]).log().view(1, 2, 1, 1).expand(1, 2, 2048, 2048)
    total = Dice()(logits, torch.zeros(1, 2048, 2048, dtype=torch.int64)).total
    assert total.item() == pytest.approx(1 - 1.8 / 1.9, abs=1e-4)


@pytest.mark.parametrize("smooth", [0.0, -1.0, float("inf"), float("nan")])
def test_bad_smooth(smooth: float) -> None:
    with pytest.raises(UserError, match=r"^smooth .*$"):
        Dice(smooth=smooth)
