"""What every network for images keeps to. A file under conf/model is all that a new one needs to be held to it."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from segmentation.build import build_model, build_options
from segmentation.classes import Classes
from segmentation.models.image.pixels import ImageModel
from segmentation.runtime.checkpoint import load_checkpoint, save_checkpoint
from tests.engine.configured import choices, configured

NAMES = ("sky", "road", "car", "tree", "wall")
CLASSES = Classes(NAMES, tuple((index, index, index) for index in range(len(NAMES))))
IMAGE_MODELS = [
    name
    for name in choices("model")
    if configured(f"model={name}").model._target_.startswith("segmentation.models.image.")
]


def build(name: str, *overrides: str, seed: int = 0) -> ImageModel:
    """As training builds it, with `overrides` as on the command line."""
    torch.manual_seed(seed)
    cfg = configured(f"model={name}", "trainer.channels_last=false", *overrides)
    model = build_model(cfg.model, CLASSES, build_options(cfg, validates=True), torch.device("cpu"), pretrained=True)
    return cast(ImageModel, model)


def pixels(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module", params=IMAGE_MODELS)
def built(request: pytest.FixtureRequest) -> ImageModel:
    return build(request.param)


@pytest.fixture
def model(built: ImageModel) -> Iterator[ImageModel]:
    """For tests that train it: left as it was found, so that each model is built once."""
    state = {name: value.clone() for name, value in built.state_dict().items()}
    yield built.eval()
    built.load_state_dict(state)
    built.zero_grad(set_to_none=True)


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return cast(Tensor, model.eval()(images))


@pytest.mark.parametrize(
    "size", [(64, 64), (65, 33), (50, 97), (7, 5), (1, 1)], ids=lambda size: "x".join(map(str, size))
)
def test_any_height_and_width_come_out_as_they_went_in(built: ImageModel, size: tuple[int, int]) -> None:
    logits = logits_of(built, pixels(1, 3, *size))
    assert logits.shape == (1, len(NAMES), *size)
    assert torch.isfinite(logits).all()


def test_an_image_has_the_same_logits_alone_and_in_a_batch(built: ImageModel) -> None:
    images = pixels(3, 3, 40, 56)
    together = logits_of(built, images)
    for index in range(3):
        torch.testing.assert_close(
            logits_of(built, images[index : index + 1])[0], together[index], rtol=1e-4, atol=1e-4
        )


def test_the_image_matters(built: ImageModel) -> None:
    one, other = logits_of(built, torch.cat([pixels(1, 3, 64, 64), pixels(1, 3, 64, 64, seed=1)]))
    assert not torch.allclose(one, other)


def test_the_gradient_reaches_every_trainable_parameter(model: ImageModel) -> None:
    model.train()
    model(pixels(4, 3, 64, 64)).square().mean().backward()
    without = [
        name for name, parameter in model.named_parameters() if parameter.requires_grad and parameter.grad is None
    ]
    assert without == []
    dead = [
        name for name, parameter in model.named_parameters() if parameter.grad is not None and not parameter.grad.any()
    ]
    assert dead == []
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_channels_last_gives_the_same_logits(built: ImageModel) -> None:
    images = pixels(2, 3, 48, 64)
    expected = logits_of(built, images)
    moved = copy.deepcopy(built).to(memory_format=torch.channels_last)
    for given in (images, images.to(memory_format=torch.channels_last)):
        torch.testing.assert_close(logits_of(moved, given), expected, rtol=1e-3, atol=1e-3)


def test_bf16_autocast_comes_close_in_evaluation_and_trains(model: ImageModel) -> None:
    images = pixels(2, 3, 64, 64)
    expected = logits_of(model, images)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = logits_of(model, images)
    error = (rounded.float() - expected).norm() / expected.norm()
    assert error < 0.1
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(images)
    logits.float().square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)


def test_saved_and_loaded_into_a_fresh_model_gives_the_same_logits(
    model: ImageModel, request: pytest.FixtureRequest, scratch: Path
) -> None:
    model.train()
    model(pixels(2, 3, 64, 64))  # batch norms learn something
    images = pixels(1, 3, 37, 64)
    expected = logits_of(model, images)
    save_checkpoint(scratch / "model.pt", {"model": model.state_dict()})
    fresh = build(request.node.callspec.params["built"], seed=1)
    assert not torch.equal(logits_of(fresh, images), expected)
    fresh.load_state_dict(load_checkpoint(scratch / "model.pt")["model"])
    assert torch.equal(logits_of(fresh, images), expected)


def test_a_copy_shares_nothing(built: ImageModel) -> None:
    twin = copy.deepcopy(built)
    images = pixels(1, 3, 32, 64)
    expected = logits_of(built, images)
    assert torch.equal(logits_of(twin, images), expected)
    with torch.no_grad():
        for tensor in [*twin.parameters(), *twin.buffers()]:
            tensor.fill_(1)
    assert torch.equal(logits_of(built, images), expected)


@pytest.mark.parametrize("training", [True, False])
def test_depths_cover_every_parameter_and_leave_the_model_as_it_was(model: ImageModel, training: bool) -> None:
    model.train(training)
    names = [name for name, _ in model.named_parameters()]
    frozen = set(names[:: len(names) // 7])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in frozen)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        depths = model.parameter_depths()
        assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == frozen
    finally:
        model.requires_grad_(True)
    assert depths.keys() == set(names)
    assert set(depths.values()) == set(range(max(depths.values()) + 1))
    assert max(depths.values()) >= 4
    assert model.training is training
    assert all(module.training is training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_depths_do_not_depend_on_what_is_frozen(built: ImageModel) -> None:
    expected = built.parameter_depths()
    built.requires_grad_(False)
    try:
        assert built.parameter_depths() == expected
    finally:
        built.requires_grad_(True)
