import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor

from segmentation.losses import LovaszHinge, LovaszSoftmax

VOID = 255


def batch(*size: int, classes: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, classes + 1, size, generator=generator)
    return torch.randn(size[0], classes, *size[1:], generator=generator), target.where(target < classes, VOID)


def extension(errors: np.ndarray, truth: np.ndarray) -> float:
    """By definition: errors in falling order, each times the growth of the Jaccard loss of the set of wrong pixels."""
    order = np.argsort(-errors)
    values = [0.0]
    for count in range(1, len(order) + 1):
        wrong = np.zeros(len(order), dtype=bool)
        wrong[order[:count]] = True
        values.append((wrong.sum()) / (truth | wrong).sum())  # 1 - IoU of the truth, and of it where these are flipped
    growth = np.diff(values)
    return float(errors[order] @ growth)


def test_by_hand() -> None:
    """p0 = 0.9, 0.4, 0.3, truth 0, 0, 1. Class 0 has errors 0.1, 0.6, 0.3: 0.6 / 2, then 0.3 (2/3 - 1/2), then
    0.1 (1 - 2/3). Class 1 has the same errors and pixel 3 for its truth: 0.6 / 2, then 0.3 (1 - 1/2), then nothing.
    """
    logits = torch.tensor([[[0.9, 0.4, 0.3, 0.5], [0.1, 0.6, 0.7, 0.5]]]).log()
    total, parts = LovaszSoftmax()(logits, torch.tensor([[0, 0, 1, VOID]]))
    first = 0.6 / 2 + 0.3 * (2 / 3 - 1 / 2) + 0.1 * (1 - 2 / 3)
    second = 0.6 / 2 + 0.3 * (1 - 1 / 2)
    assert total.item() == pytest.approx((first + second) / 2)
    assert parts == {"lovasz": total}


def test_hinge_by_hand() -> None:
    """Errors 0.5 where it holds, 3 and 0 where it does not: 3 / 2, then 0.5 (1 - 1/2)."""
    logits = torch.tensor([[[0.5, 2.0, -1.5, 9.0]]])
    total, parts = LovaszHinge()(logits, torch.tensor([[[1, 0, 0, VOID]]]))
    assert total.item() == pytest.approx(3 / 2 + 0.5 / 2)
    assert parts == {"lovasz_hinge": total}


def test_a_label_that_holds_nowhere_costs_its_largest_error() -> None:
    logits = torch.tensor([[[0.5, 2.0, -1.5]]])
    assert LovaszHinge()(logits, torch.zeros(1, 1, 3, dtype=torch.int64)).total.item() == pytest.approx(3)


def test_equals_the_definition() -> None:
    logits, target = batch(2, 5, 4)
    valid = (target != VOID).flatten().numpy()
    probability = logits.softmax(dim=1).transpose(0, 1).flatten(1).double().numpy()
    ids = target.flatten().numpy()
    losses = []
    for index, p in enumerate(probability):
        truth = ids == index
        losses.append(extension(np.abs(truth - p)[valid], truth[valid]))
    assert LovaszSoftmax()(logits, target).total.item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_hard_predictions_give_the_jaccard_index_itself() -> None:
    logits, target = batch(2, 5, 4)
    labels = logits.argmax(dim=1)
    valid = target != VOID
    iou = [
        ((labels == index) & (target == index)).sum() / (((labels == index) & valid) | (target == index)).sum()
        for index in range(4)
    ]
    certain = 100.0 * torch.nn.functional.one_hot(labels, 4).movedim(-1, 1)
    torch.testing.assert_close(LovaszSoftmax()(certain, target).total, 1 - torch.stack(iou).mean())


@pytest.mark.parametrize("per_image", [False, True])
def test_equals_segmentation_models_pytorch(per_image: bool) -> None:
    """Where every image has a valid pixel; theirs gives an empty tensor without one."""
    logits, target = batch(3, 6, 5)
    logits.requires_grad_()
    expected = smp.losses.LovaszLoss("multiclass", per_image=per_image, ignore_index=VOID)(logits, target)
    total = LovaszSoftmax(per_image=per_image)(logits, target).total
    torch.testing.assert_close(total, expected)
    (slope,), (expected_slope,) = torch.autograd.grad(total, logits), torch.autograd.grad(expected, logits)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("per_image", [False, True])
def test_hinge_equals_segmentation_models_pytorch(per_image: bool) -> None:
    logits, target = batch(3, 6, 5, classes=1)
    target = target.where(torch.arange(30).view(6, 5) % 3 > 0, 1 - target.clamp(max=1))
    logits.requires_grad_()
    expected = smp.losses.LovaszLoss("binary", per_image=per_image, ignore_index=VOID)(logits[:, 0], target)
    total = LovaszHinge(per_image=per_image)(logits, target).total
    torch.testing.assert_close(total, expected)


def test_keeps_its_digits_over_many_pixels() -> None:
    """The slope of one pixel in a million, as the difference of two Jaccard values of float32, has one digit left."""
    logits = torch.linspace(-3, 3, 2_000_000).view(1, 1, -1).requires_grad_()
    target = (torch.arange(2_000_000) % 3 == 0).long().view(1, 1, -1)
    LovaszHinge()(logits, target).total.backward()
    assert logits.grad is not None
    order = (1 - logits.detach() * (2 * target - 1)).flatten().double().argsort(descending=True)
    truth = target.flatten()[order].double()
    jaccard = 1 - (truth.sum() - truth.cumsum(0)) / (truth.sum() + (1 - truth).cumsum(0))
    slopes = jaccard.diff(prepend=jaccard.new_zeros(1))
    wrong = (1 - logits.detach() * (2 * target - 1)).flatten()[order] > 0
    got = logits.grad.flatten()[order].abs()
    torch.testing.assert_close(got[wrong], slopes[wrong].float(), rtol=1e-4, atol=0)


def test_void_images_do_not_count() -> None:
    logits, target = batch(2, 5, 4)
    target[1] = VOID
    for loss in (LovaszSoftmax(per_image=True), LovaszHinge(per_image=True)):
        torch.testing.assert_close(loss(logits, target).total, loss(logits[:1], target[:1]).total)
