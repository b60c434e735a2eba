from collections.abc import Sequence
from math import log

import pytest
import torch
import torch.nn.functional as F

from segmentation.errors import UserError
from segmentation.losses import CrossEntropy

VOID = 255


def hand_made_logits() -> torch.Tensor:
    """One image of three pixels with the probabilities (1/4, 3/4), (1/2, 1/2) and (1/5, 4/5)."""
    return torch.tensor([[0.25, 0.5, 0.2], [0.75, 0.5, 0.8]]).log().unsqueeze(0)


def test_by_hand() -> None:
    target = torch.tensor([[1, 0, VOID]])
    total, parts = CrossEntropy()(hand_made_logits(), target)
    assert total.item() == pytest.approx((log(4 / 3) + log(2)) / 2)
    assert parts.keys() == {"cross_entropy"}
    assert parts["cross_entropy"] == total


def test_class_weights_by_hand() -> None:
    target = torch.tensor([[1, 0, VOID]])
    total = CrossEntropy(class_weights=[3.0, 1.0])(hand_made_logits(), target).total
    assert total.item() == pytest.approx((1 * log(4 / 3) + 3 * log(2)) / (1 + 3))


def test_label_smoothing_by_hand() -> None:
    """A fifth of the target spread over two classes leaves the truth nine tenths."""
    target = torch.tensor([[1, VOID, VOID]])
    total = CrossEntropy(label_smoothing=0.2)(hand_made_logits(), target).total
    assert total.item() == pytest.approx(0.9 * log(4 / 3) + 0.1 * log(4))


@pytest.mark.parametrize("ignore_index", [VOID, -100, 2])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("class_weights", [None, [0.2, 1.0, 4.0, 0.0]])
def test_equals_torch(class_weights: list[float] | None, label_smoothing: float, ignore_index: int) -> None:
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(3, 4, 9, 7, generator=generator).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    target = torch.randint(0, 4, (3, 9, 7), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.2] = ignore_index

    total = CrossEntropy(ignore_index, class_weights, label_smoothing)(ours, target).total
    expected = F.cross_entropy(
        theirs,
        target,
        weight=None if class_weights is None else torch.tensor(class_weights),
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
    torch.testing.assert_close(total, expected)
    total.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_pixels_without_a_weight_give_a_finite_zero() -> None:
    logits = hand_made_logits().requires_grad_()
    total = CrossEntropy(class_weights=[0.0, 1.0])(logits, torch.zeros(1, 3, dtype=torch.int64)).total
    total.backward()
    assert total.item() == 0
    assert logits.grad is not None
    assert logits.grad.eq(0).all()


def test_small_weights_are_not_swallowed() -> None:
    target = torch.tensor([[1, 0, VOID]])
    small = CrossEntropy(class_weights=[3e-6, 1e-6])(hand_made_logits(), target).total
    torch.testing.assert_close(small, CrossEntropy(class_weights=[3.0, 1.0])(hand_made_logits(), target).total)


def test_a_model_that_diverged_is_not_hidden() -> None:
    logits = torch.full((1, 2, 3), torch.nan)
    assert CrossEntropy()(logits, torch.zeros(1, 3, dtype=torch.int64)).total.isnan()


@pytest.mark.parametrize("label_smoothing", [-0.1, 1.0, float("nan")])
def test_bad_label_smoothing(label_smoothing: float) -> None:
    with pytest.raises(UserError, match=r"^label_smoothing .*$"):
        CrossEntropy(label_smoothing=label_smoothing)


@pytest.mark.parametrize("class_weights", [[1.0, -1.0], [0.0, 0.0], [1.0, float("inf")], [float("nan"), 1.0], []])
def test_bad_class_weights(class_weights: Sequence[float]) -> None:
    with pytest.raises(UserError, match=r"^class_weights .*$"):
        CrossEntropy(class_weights=class_weights)


@pytest.mark.parametrize("class_weights", [[1.0], [1.0, 1.0, 1.0]])
def test_wrong_number_of_class_weights(class_weights: Sequence[float]) -> None:
    loss = CrossEntropy(class_weights=class_weights)
    with pytest.raises(UserError, match=rf"^class_weights .*{len(class_weights)} .* 2 .*$"):
        loss(hand_made_logits(), torch.zeros(1, 3, dtype=torch.int64))
