"""Every loss that conf/loss/ ships, as it is configured there."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from segmentation.apps.config.check import faults_in
from segmentation.build.class_weights import fill_class_weights
from segmentation.build.make import make
from segmentation.losses import BoundaryF1, Loss, RegionMutualInformation
from tests.conftest import ROOT, Compose

VOID, CLASSES = 255, 12
NOT_OF_LOGITS = {"mask_classification", "masked_prediction"}  # alone: they have tests of their own
SHIPPED = sorted({path.stem for path in (ROOT / "conf" / "loss").glob("*.yaml")} - NOT_OF_LOGITS)
SIZES = {"image": (32, 48), "mesh": (6, 64)}


@pytest.fixture(params=SHIPPED)
def loss(request: pytest.FixtureRequest, composed: Compose) -> Loss:
    node = composed("dataset=camvid", "dataset.root=data", f"loss={request.param}").loss
    fill_class_weights(node, None)
    built: Loss = make(node)
    return built


def batch(kind: str, loss: Loss) -> tuple[Tensor, Tensor]:
    if kind == "mesh" and any(isinstance(part, BoundaryF1 | RegionMutualInformation) for part in loss.modules()):
        pytest.skip("boundaries and regions are an image's")
    generator = torch.Generator().manual_seed(0)
    size = (2, *SIZES[kind])
    target = torch.randint(0, CLASSES + 1, size, generator=generator)
    return torch.randn(2, CLASSES, *size[1:], generator=generator), target.where(target < CLASSES, VOID)


def value_and_gradient(loss: Loss, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
    logits = outputs.detach().requires_grad_()
    value = loss(logits, target)
    (gradient,) = torch.autograd.grad(value.total, logits)
    return value.total.detach(), gradient, value.parts


@pytest.mark.parametrize("kind", SIZES)
def test_teaches(kind: str, loss: Loss) -> None:
    """One step against the gradient makes it less."""
    logits, target = batch(kind, loss)
    total, gradient, parts = value_and_gradient(loss, logits, target)
    assert total > 0
    assert parts
    assert all(part.isfinite() for part in parts.values())
    assert gradient.isfinite().all()
    step = 0.1 * gradient / gradient.norm()
    assert loss(logits - step, target).total < total


@pytest.mark.parametrize("kind", SIZES)
def test_void_alone_is_a_finite_zero(kind: str, loss: Loss) -> None:
    logits, target = batch(kind, loss)
    total, gradient, parts = value_and_gradient(loss, logits, torch.full_like(target, VOID))
    assert total == 0
    assert gradient.eq(0).all()
    assert all(part == 0 for part in parts.values())


@pytest.mark.parametrize("kind", SIZES)
def test_half_precision_under_autocast_is_float32(kind: str, loss: Loss) -> None:
    logits, target = batch(kind, loss)
    logits = logits.bfloat16()
    expected, expected_gradient, _ = value_and_gradient(loss, logits.float(), target)
    with torch.autocast("cpu", torch.bfloat16):
        total, gradient, _ = value_and_gradient(loss, logits, target)
    assert total.dtype == torch.float32
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient, expected_gradient.bfloat16())


def test_is_captured_as_one_graph(loss: Loss) -> None:
    """What torch.compile could do nothing with breaks the graph, and is refused here."""
    logits, target = batch("image", loss)
    torch.compiler.reset()
    captured = torch.compile(lambda outputs, truth: loss(outputs, truth).total, fullgraph=True, backend="eager")
    torch.testing.assert_close(captured(logits, target), loss(logits, target).total)


@pytest.mark.parametrize("name", ["bce", "bce_dice", "bce_rmi", "sigmoid_focal", "lovasz_hinge", "boundary", "tversky"])
def test_one_logit_is_learnt_from_ids_of_two_classes(name: str, composed: Compose) -> None:
    binary = ("dataset=split_files", "dataset.root=data", "dataset.classes=[intact,defect]", "model.one_logit=true")
    cfg = composed(*binary, f"loss={name}")
    assert faults_in(cfg) == []
    loss = make(cfg.loss)
    logits, target = batch("image", loss)
    target = (target % 2).where(target != VOID, VOID)
    total, gradient, _ = value_and_gradient(loss, logits[:, :1], target)
    assert loss(logits[:, :1] - 0.1 * gradient / gradient.norm(), target).total < total
