"""What every loss keeps to: finite on void, float32, any layout, any number of dimensions, no wait for the device."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from segmentation.losses import Combined, CrossEntropy, Dice, Loss

VOID = 255
CLASSES = 5
WEIGHTS = [0.5, 1.0, 2.0, 0.0, 3.0]

LOSSES: dict[str, Callable[[], Loss]] = {
    "cross_entropy": CrossEntropy,
    "cross_entropy_weighted": lambda: CrossEntropy(class_weights=WEIGHTS, label_smoothing=0.1),
    "dice": Dice,
    "combined": lambda: Combined({"ce": CrossEntropy(), "dice": Dice()}, {"ce": 1.0, "dice": 0.5}),
}


@pytest.fixture(params=LOSSES)
def loss(request: pytest.FixtureRequest) -> Loss:
    return LOSSES[request.param]()


def batch(*size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits `[B, CLASSES, *S]` and a target `[B, *S]` of which some is void, for size (B, *S)."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size[0], CLASSES, *size[1:], generator=generator)
    target = torch.randint(0, CLASSES + 1, size, generator=generator)
    return logits, target.where(target < CLASSES, VOID)


def value_and_gradient(loss: Loss, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.detach().requires_grad_()
    total = loss(logits, target).total
    (gradient,) = torch.autograd.grad(total, logits)
    return total.detach(), gradient


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_void_only_gives_a_finite_zero_with_zero_gradients(loss: Loss, dtype: torch.dtype, autocast: bool) -> None:
    logits = torch.randn(2, CLASSES, 4, 6, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        total, gradient = value_and_gradient(loss, logits, torch.full((2, 4, 6), VOID))
    assert total.item() == 0
    assert gradient.shape == logits.shape
    assert gradient.eq(0).all()


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_is_computed_in_float32_whatever_the_logits_are(loss: Loss, dtype: torch.dtype, autocast: bool) -> None:
    logits, target = batch(2, 16, 16)
    logits = logits.to(dtype)
    expected, expected_gradient = value_and_gradient(loss, logits.float(), target)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        total, gradient = value_and_gradient(loss, logits, target)
    assert total.dtype == torch.float32
    assert gradient.dtype == dtype
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient, expected_gradient.to(dtype))


def test_large_float16_logits_stay_finite(loss: Loss) -> None:
    logits, target = batch(2, 8, 8)
    total, gradient = value_and_gradient(loss, (logits * 2e4).clamp(-65000, 65000).half(), target)
    assert total.isfinite()
    assert gradient.isfinite().all()


def test_channels_last_is_equal(loss: Loss) -> None:
    logits, target = batch(2, 8, 6)
    expected, expected_gradient = value_and_gradient(loss, logits, target)
    total, gradient = value_and_gradient(loss, logits.to(memory_format=torch.channels_last), target)
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("size", [(12,), (3, 4), (2, 3, 2)])
def test_any_number_of_dimensions(loss: Loss, size: tuple[int, ...]) -> None:
    logits, target = batch(2, 12)
    expected, expected_gradient = value_and_gradient(loss, logits, target)
    total, gradient = value_and_gradient(loss, logits.view(2, CLASSES, *size), target.view(2, *size))
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient.flatten(2), expected_gradient)


def test_reads_the_logits_of_a_mapping(loss: Loss) -> None:
    logits, target = batch(2, 4, 4)
    assert loss({"out": logits, "aux": -logits}, target).total == loss(logits, target).total


def test_void_pixels_have_no_influence(loss: Loss) -> None:
    logits, target = batch(2, 8, 8)
    void = (target == VOID).unsqueeze(1)
    total, gradient = value_and_gradient(loss, logits, target)
    assert value_and_gradient(loss, logits.where(~void, 50.0), target)[0] == total
    assert gradient.masked_select(void).eq(0).all()
    assert gradient.masked_select(~void).ne(0).any()


def test_another_ignore_index() -> None:
    logits, target = batch(2, 8, 8)
    for ignore_index in (-100, -1, CLASSES):
        moved = target.where(target != VOID, ignore_index)
        for make in (CrossEntropy, Dice):
            assert make(ignore_index=ignore_index)(logits, moved).total == make()(logits, target).total
        weighted = CrossEntropy(ignore_index, WEIGHTS)(logits, moved).total
        assert weighted == CrossEntropy(class_weights=WEIGHTS)(logits, target).total


def test_parts_are_detached_scalars(loss: Loss) -> None:
    logits, target = batch(2, 4, 4)
    value = loss(logits.requires_grad_(), target)
    assert value.total.shape == ()
    assert value.total.requires_grad
    assert all(part.shape == () and not part.requires_grad for part in value.parts.values())


def test_never_waits_for_the_device(loss: Loss) -> None:
    """A meta tensor has no values: whatever would have to read one on the host raises."""
    logits = torch.randn(2, CLASSES, 4, 4, device="meta", requires_grad=True)
    loss.to("meta")(logits, torch.zeros(2, 4, 4, dtype=torch.int64, device="meta")).total.backward()
    assert logits.grad is not None


def test_weights_are_no_part_of_a_checkpoint(loss: Loss) -> None:
    assert not loss.state_dict()
