from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses import Combined, CrossEntropy, Dice, Loss, LossValue
from segmentation.outputs import Outputs


class Scaled(Loss):
    """A loss of several parts that depends on how far training is."""

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        assert isinstance(outputs, Tensor)
        early, late = outputs.mean() * (1 - self.progress), outputs.mean() * self.progress
        return LossValue(early + 2 * late, {"early": early.detach(), "late": late.detach()})


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 4, 5, generator=generator), torch.randint(0, 3, (2, 4, 5), generator=generator)


def test_is_the_weighted_sum_and_names_the_unweighted_parts() -> None:
    logits, target = batch()
    cross_entropy, dice = CrossEntropy()(logits, target).total, Dice()(logits, target).total
    total, parts = Combined({"ce": CrossEntropy(), "dice": Dice()}, {"dice": 0.25, "ce": 2.0})(logits, target)
    torch.testing.assert_close(total, 2 * cross_entropy + 0.25 * dice)
    assert parts == {"ce": cross_entropy, "dice": dice}


def test_the_gradient_is_the_weighted_sum() -> None:
    logits, target = batch()
    logits.requires_grad_()

    def gradient(loss: Loss) -> Tensor:
        return torch.autograd.grad(loss(logits, target).total, logits)[0]

    combined = Combined({"ce": CrossEntropy(), "dice": Dice()}, {"ce": 2.0, "dice": 0.25})
    torch.testing.assert_close(gradient(combined), 2 * gradient(CrossEntropy()) + 0.25 * gradient(Dice()))


def test_parts_of_parts_keep_both_names() -> None:
    logits, target = batch()
    inner = Combined({"ce": CrossEntropy(), "dice": Dice()}, {"ce": 1.0, "dice": 1.0})
    alone = Combined({"dice": Dice()}, {"dice": 3.0})
    parts = Combined({"both": inner, "alone": alone}, {"both": 0.5, "alone": 1.0})(logits, target).parts
    dice = Dice()(logits, target).total
    assert parts == {"both/ce": CrossEntropy()(logits, target).total, "both/dice": dice, "alone": 3 * dice}


def test_progress_reaches_every_part() -> None:
    innermost = Scaled()
    inner = Combined({"scaled": innermost}, {"scaled": 1.0})
    outer = Combined({"inner": inner, "ce": CrossEntropy()}, {"inner": 1.0, "ce": 1.0})
    assert outer.progress == innermost.progress == 0
    outer.progress = 0.25
    assert outer.progress == inner.progress == innermost.progress == 0.25
    assert Scaled().progress == 0

    logits, target = torch.ones(1, 2, 3), torch.zeros(1, 3, dtype=torch.int64)
    parts = outer(logits, target).parts
    assert parts["inner/scaled/late"].item() == 0.25


def test_a_part_of_weight_zero_is_logged_and_teaches_nothing() -> None:
    logits, target = batch()
    total, parts = Combined({"ce": CrossEntropy(), "dice": Dice()}, {"ce": 1.0, "dice": 0.0})(logits, target)
    assert total == parts["ce"]
    assert parts["dice"] == Dice()(logits, target).total


def test_any_name_will_do() -> None:
    logits, target = batch()
    assert Combined({"values": Dice(), "a.b": Dice()}, {"values": 1, "a.b": 1})(logits, target).parts.keys() == {
        "values",
        "a.b",
    }


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        ({"ce": 1.0}, "dice"),
        ({"ce": 1.0, "dice": 1.0, "focal": 1.0}, "focal"),
        ({"ce": 1.0, "dice": -1.0}, "dice"),
        ({"ce": 1.0, "dice": float("nan")}, "dice"),
        ({"ce": 0.0, "dice": 0.0}, "ce, dice"),
    ],
)
def test_bad_weights(weights: Mapping[str, float], named: str) -> None:
    with pytest.raises(UserError, match=rf"^.*{named}.*$"):
        Combined({"ce": CrossEntropy(), "dice": Dice()}, weights)


def test_nothing_to_combine() -> None:
    with pytest.raises(UserError, match=r"^.*none.*$"):
        Combined({}, {})


def test_a_weight_may_follow_progress() -> None:
    logits, target = batch()
    cross_entropy, dice = CrossEntropy()(logits, target).total, Dice()(logits, target).total
    loss = Combined(
        {"ce": CrossEntropy(), "dice": Dice()}, {"ce": {"from": 1.0, "to": 0.0, "start": 0.2, "end": 0.6}, "dice": 0.5}
    )
    for progress, weight in ((0.0, 1.0), (0.3, 0.75), (0.5, 0.25), (0.9, 0.0)):
        loss.progress = progress
        total, parts = loss(logits, target)
        torch.testing.assert_close(total, weight * cross_entropy + 0.5 * dice)
        assert parts == {"ce": cross_entropy, "dice": dice}


def test_weights_that_are_never_above_zero() -> None:
    with pytest.raises(UserError, match=r"^.*above 0$"):
        Combined({"ce": CrossEntropy()}, {"ce": {"from": 0.0, "to": 0.0}})
    Combined({"ce": CrossEntropy()}, {"ce": {"from": 0.0, "to": 1.0}})


def test_in_evaluation_a_weight_is_what_it_comes_to_in_the_end() -> None:
    """So that the losses of all epochs compare, with each other and with those of a checkpoint scored later."""
    logits, target = batch()
    ramp = {"from": 1.0, "to": 0.25, "start": 0.2, "end": 0.6}
    loss, expected = Combined({"ce": CrossEntropy()}, {"ce": ramp}), 0.25 * CrossEntropy()(logits, target).total
    for progress in (0.0, 0.3, 1.0):
        loss.progress = progress
        for without in (torch.no_grad, torch.inference_mode):
            with without():
                torch.testing.assert_close(loss(logits, target).total, expected)
