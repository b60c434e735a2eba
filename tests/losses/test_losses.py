"""What every loss keeps to: finite on void, float32, any layout, any number of dimensions, no wait for the device."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import Tensor

from segmentation.losses import (
    Auxiliary,
    BinaryCrossEntropy,
    BoundaryF1,
    Combined,
    CrossEntropy,
    Dice,
    Focal,
    Jaccard,
    Loss,
    LovaszHinge,
    LovaszSoftmax,
    OhemCrossEntropy,
    RegionMutualInformation,
    SigmoidFocal,
    Tversky,
)

VOID = 255
CLASSES = 5
WEIGHTS = [0.5, 1.0, 2.0, 0.0, 3.0]


@dataclass(frozen=True)
class Case:
    """A loss, and whether it is shown label maps, or is for images alone."""

    make: Callable[..., Loss]
    labels: bool = False
    images_only: bool = False

    def batch(self, *size: int, ignore_index: int = VOID) -> tuple[Tensor, Tensor]:
        """Logits `[B, CLASSES, *S]` and a target, class ids or label maps, of which some is void, for size (B, *S)."""
        generator = torch.Generator().manual_seed(0)
        logits = torch.randn(size[0], CLASSES, *size[1:], generator=generator)
        values = 2 if self.labels else CLASSES
        target = torch.randint(0, values + 1, logits.shape if self.labels else size, generator=generator)
        return logits, target.where(target < values, ignore_index)

    def void(self, target: Tensor) -> Tensor:
        return target == VOID if self.labels else (target == VOID).unsqueeze(1)


def combined(ignore_index: int = VOID) -> Loss:
    return Combined({"ce": CrossEntropy(ignore_index), "dice": Dice(ignore_index)}, {"ce": 1.0, "dice": 0.5})


def auxiliary(ignore_index: int = VOID) -> Loss:
    return Auxiliary(CrossEntropy(ignore_index), {})


CASES: dict[str, Case] = {
    "cross_entropy": Case(CrossEntropy),
    "cross_entropy_weighted": Case(partial(CrossEntropy, class_weights=WEIGHTS, label_smoothing=0.1)),
    "bce": Case(BinaryCrossEntropy),
    "bce_labels": Case(partial(BinaryCrossEntropy, pos_weight=[0.5, 1.0, 2.0, 1.5, 3.0]), labels=True),
    "dice": Case(Dice),
    "dice_per_image": Case(partial(Dice, per_image=True)),
    "dice_labels": Case(Dice, labels=True),
    "jaccard": Case(Jaccard),
    "jaccard_labels": Case(partial(Jaccard, per_image=True), labels=True),
    "tversky": Case(Tversky),
    "focal_tversky": Case(partial(Tversky, gamma=4 / 3, per_image=True)),
    "focal_tversky_labels": Case(partial(Tversky, gamma=4 / 3), labels=True),
    "focal": Case(Focal),
    "focal_weighted": Case(partial(Focal, gamma=0.5, class_weights=WEIGHTS)),
    "sigmoid_focal": Case(SigmoidFocal),
    "sigmoid_focal_labels": Case(partial(SigmoidFocal, gamma=0.5, alpha=None), labels=True),
    "lovasz": Case(LovaszSoftmax),
    "lovasz_per_image": Case(partial(LovaszSoftmax, per_image=True)),
    "lovasz_hinge": Case(LovaszHinge),
    "lovasz_hinge_labels": Case(partial(LovaszHinge, per_image=True), labels=True),
    "ohem": Case(OhemCrossEntropy),
    "ohem_weighted": Case(partial(OhemCrossEntropy, threshold=0.1, min_kept=0.3, class_weights=WEIGHTS)),
    "boundary": Case(partial(BoundaryF1, tolerance=1), images_only=True),
    "boundary_labels": Case(BoundaryF1, labels=True, images_only=True),
    "rmi": Case(partial(RegionMutualInformation, radius=2, stride=2), images_only=True),
    "rmi_labels": Case(partial(RegionMutualInformation, radius=2, stride=1), labels=True, images_only=True),
    "combined": Case(combined),
    "auxiliary": Case(auxiliary),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def loss(case: Case) -> Loss:
    return case.make()


def value_and_gradient(loss: Loss, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.detach().requires_grad_()
    total = loss(logits, target).total
    (gradient,) = torch.autograd.grad(total, logits)
    return total.detach(), gradient


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_void_only_gives_a_finite_zero_with_zero_gradients(
    case: Case, loss: Loss, dtype: torch.dtype, autocast: bool
) -> None:
    logits, target = case.batch(2, 4, 6)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        total, gradient = value_and_gradient(loss, logits.to(dtype), torch.full_like(target, VOID))
    assert total.item() == 0
    assert gradient.shape == logits.shape
    assert gradient.eq(0).all()


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_is_computed_in_float32_whatever_the_logits_are(
    case: Case, loss: Loss, dtype: torch.dtype, autocast: bool
) -> None:
    logits, target = case.batch(2, 16, 16)
    logits = logits.to(dtype)
    expected, expected_gradient = value_and_gradient(loss, logits.float(), target)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        total, gradient = value_and_gradient(loss, logits, target)
    assert total.dtype == torch.float32
    assert gradient.dtype == dtype
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient, expected_gradient.to(dtype))


def test_large_float16_logits_stay_finite(case: Case, loss: Loss) -> None:
    logits, target = case.batch(2, 8, 8)
    total, gradient = value_and_gradient(loss, (logits * 2e4).clamp(-65000, 65000).half(), target)
    assert total.isfinite()
    assert gradient.isfinite().all()


def test_a_certain_prediction_that_is_right_stays_finite(case: Case, loss: Loss) -> None:
    _, target = case.batch(2, 8, 8)
    truth = target.eq(1) if case.labels else target.unsqueeze(1).eq(torch.arange(CLASSES).view(-1, 1, 1))
    total, gradient = value_and_gradient(loss, (truth.float() - 0.5) * 1000, target)
    assert total.isfinite()
    assert gradient.isfinite().all()


def test_the_gradient_is_the_slope(case: Case) -> None:
    """Against finite differences, in float64, which a loss leaves as it is."""
    logits, target = case.batch(2, 4, 6)
    loss = case.make().double()
    assert torch.autograd.gradcheck(lambda x: loss(x, target).total, logits.double().requires_grad_(), atol=1e-6)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.images_only])
def test_ignored_pixels_might_as_well_not_be_there(name: str) -> None:
    case = CASES[name]
    loss = case.make()
    if isinstance(loss, OhemCrossEntropy):
        pytest.skip("a share of all pixels is what it is defined by")
    logits, target = case.batch(1, 60)
    ignored = torch.rand(60, generator=torch.Generator().manual_seed(1)) < 0.3
    expected, expected_gradient = value_and_gradient(loss, logits[..., ~ignored], target[..., ~ignored])
    total, gradient = value_and_gradient(loss, logits, target.where(~ignored, VOID))
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient[..., ~ignored], expected_gradient)


UNORDERED = [name for name in CASES if not name.endswith("_weighted") and name != "bce_labels"]


@pytest.mark.parametrize("name", UNORDERED)
def test_neither_classes_nor_samples_have_an_order(name: str) -> None:
    case = CASES[name]
    logits, target = case.batch(3, 8, 8)
    expected, expected_gradient = value_and_gradient(case.make(), logits, target)
    order, samples = torch.tensor([3, 0, 4, 1, 2]), torch.tensor([2, 0, 1])
    place = order.argsort()
    moved = target[:, order] if case.labels else place[target.clamp(max=CLASSES - 1)].where(target != VOID, VOID)
    total, gradient = value_and_gradient(case.make(), logits[:, order][samples], moved[samples])
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient, expected_gradient[:, order][samples])


def test_channels_last_is_equal(case: Case, loss: Loss) -> None:
    logits, target = case.batch(2, 8, 6)
    expected, expected_gradient = value_and_gradient(loss, logits, target)
    total, gradient = value_and_gradient(loss, logits.to(memory_format=torch.channels_last), target)
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("size", [(12,), (3, 4), (2, 3, 2)])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.images_only])
def test_any_number_of_dimensions(name: str, size: tuple[int, ...]) -> None:
    case = CASES[name]
    loss = case.make()
    logits, target = case.batch(2, 12)
    expected, expected_gradient = value_and_gradient(loss, logits, target)
    shaped = target.view(*target.shape[:-1], *size)
    total, gradient = value_and_gradient(loss, logits.view(2, CLASSES, *size), shaped)
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient.flatten(2), expected_gradient)


def test_reads_the_logits_of_a_mapping(case: Case, loss: Loss) -> None:
    logits, target = case.batch(2, 4, 4)
    assert loss({"out": logits, "aux": -logits}, target).total == loss(logits, target).total


def test_void_pixels_have_no_influence(case: Case, loss: Loss) -> None:
    logits, target = case.batch(2, 8, 8)
    void = case.void(target)
    total, gradient = value_and_gradient(loss, logits, target)
    assert value_and_gradient(loss, logits.where(~void, 50.0), target)[0] == total
    assert gradient.masked_select(void).eq(0).all()
    assert gradient.masked_select(~void).ne(0).any()


def test_a_void_image_does_not_dilute_the_others(case: Case, loss: Loss) -> None:
    """Of losses taken for each image and averaged, RMI alone divides by all of them: a void one is perfect there."""
    logits, target = case.batch(2, 8, 8)
    if isinstance(loss, RegionMutualInformation | OhemCrossEntropy):
        pytest.skip("a share of all pixels and the mean over all images are what they are defined by")
    both = torch.cat([logits, logits]), torch.cat([target, torch.full_like(target, VOID)])
    torch.testing.assert_close(loss(*both).total, loss(logits, target).total)


@pytest.mark.parametrize("ignore_index", [-100, -1, CLASSES])
def test_another_ignore_index(case: Case, loss: Loss, ignore_index: int) -> None:
    logits, target = case.batch(2, 8, 8)
    moved = case.make(ignore_index=ignore_index)(*case.batch(2, 8, 8, ignore_index=ignore_index)).total
    assert moved == loss(logits, target).total


def test_parts_are_detached_scalars(case: Case, loss: Loss) -> None:
    logits, target = case.batch(2, 4, 4)
    value = loss(logits.requires_grad_(), target)
    assert value.total.shape == ()
    assert value.total.requires_grad
    assert all(part.shape == () and not part.requires_grad for part in value.parts.values())


def test_never_waits_for_the_device(case: Case, loss: Loss) -> None:
    """A meta tensor has no values: whatever would have to read one on the host raises."""
    logits, target = (tensor.to("meta") for tensor in case.batch(2, 4, 4))
    logits.requires_grad_()
    loss.to("meta")(logits, target).total.backward()
    assert logits.grad is not None


@pytest.fixture
def gpu_that_refuses_to_wait() -> Iterator[torch.device]:
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    device = torch.device("cuda")
    torch.zeros(2, 2, device=device).mm(torch.zeros(2, 2, device=device))
    yield device
    torch.cuda.set_sync_debug_mode("default")


def test_is_equal_on_a_gpu_and_does_not_wait_there(
    case: Case, loss: Loss, gpu_that_refuses_to_wait: torch.device
) -> None:
    """Some operations on a GPU wait without a value that is read, to learn whether they succeeded."""
    logits, target = case.batch(2, 16, 16)
    expected, expected_gradient = value_and_gradient(loss, logits, target)
    loss.to(gpu_that_refuses_to_wait)
    logits, target = logits.to(gpu_that_refuses_to_wait), target.to(gpu_that_refuses_to_wait)
    value_and_gradient(loss, logits, target)  # libraries are loaded at their first call, with a wait
    torch.cuda.set_sync_debug_mode("error")
    total, gradient = value_and_gradient(loss, logits, target)
    torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(total.cpu(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient.cpu(), expected_gradient, rtol=1e-3, atol=1e-5)


def test_weights_are_no_part_of_a_checkpoint(loss: Loss) -> None:
    assert not loss.state_dict()
