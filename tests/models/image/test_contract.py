"""What every network for images keeps to. A file under conf/model is all that a new one needs to be held to it."""

import copy
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from segmentation.inference.onnx_file import onnx_program
from segmentation.models.image.pixels import ImageModel
from segmentation.outputs import Outputs, logits_from
from segmentation.runtime.checkpoint import load_checkpoint, save_checkpoint
from tests.models.image.small import NAMES, build, image_models, pixels
from tests.models.image.support import Support

IMAGE_MODELS = image_models()
HEAVY = ("fcn_resnet50",)  # there is none with a small encoder


def marked(only: tuple[str, ...]) -> list[Any]:
    """All models; those that are not among `only` wait for `make contract`."""
    return [name if name in only else pytest.param(name, marks=pytest.mark.contract) for name in IMAGE_MODELS]


@pytest.fixture(scope="module", params=marked(tuple(name for name in IMAGE_MODELS if name not in HEAVY)))
def built(request: pytest.FixtureRequest) -> ImageModel:
    return build(request.param)


@pytest.fixture
def model(built: ImageModel) -> Iterator[ImageModel]:
    """For tests that train it: left as it was found, so that each model is built once."""
    state = {name: value.clone() for name, value in built.state_dict().items()}
    yield built.eval()
    built.load_state_dict(state)
    built.zero_grad(set_to_none=True)


def everything(outputs: Outputs) -> Tensor:
    """One number that depends on each head."""
    heads = [outputs] if isinstance(outputs, Tensor) else list(outputs.values())
    return torch.stack([head.float().square().mean() for head in heads]).sum()


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


def test_the_image_matters(model: ImageModel) -> None:
    """In training mode: before batch norms have learned, a deep network gives much the same for all."""
    logits = []
    for seed in (0, 1):
        torch.manual_seed(0)  # of dropout
        logits.append(logits_from(model.train()(pixels(2, 3, 64, 64, seed=seed))))
    assert not torch.allclose(logits[0], logits[1])


def test_the_gradient_reaches_every_trainable_parameter(model: ImageModel) -> None:
    model.train()
    everything(model(pixels(4, 3, 64, 64))).backward()
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
        outputs = model(images)
    everything(outputs).backward()
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
    frozen = set(names[:: max(len(names) // 7, 2)])
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
    assert max(depths.values()) >= 1
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


LIGHT = ("fpn", "own", "vit_linear")  # what `make test` compiles and exports; `make contract` does it to all


@pytest.mark.parametrize("name", marked(LIGHT))
def test_compiled_it_gives_the_same_logits_and_gradients(name: str, support: Support) -> None:
    """`aot_eager`: the graphs forward and backward as every backend gets them; to compile these takes minutes."""
    model, images = build(name).eval(), pixels(2, 3, 45, 64)
    with support.noting(name, "torch.compile"):
        twin = copy.deepcopy(model)
        compiled = torch.compile(twin, backend="aot_eager")
        torch.testing.assert_close(compiled(images).detach(), logits_of(model, images), rtol=1e-4, atol=1e-4)
        for each in (model, compiled):  # in evaluation mode: dropout would differ
            everything(each(images)).backward()
        for expected, given in zip(model.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(given.grad, expected.grad, rtol=1e-2, atol=1e-4)


# What torch.export writes of these holds for sizes like the example's: it tells others apart that PyTorch treats alike.
SIZES_FIXED, SIZE_IS_FIXED = (
    ("dual_resolution", "eomt", "pan", "segformer"),
    "Guard failed|specialized it to be a constant",
)
SIZES = (
    pixels(2, 3, 64, 96),
    pixels(1, 3, 96, 64),
    pixels(3, 3, 45, 33),
    pixels(1, 3, 203, 331),
    pixels(1, 3, 64, 107),
)


@pytest.mark.parametrize("name", marked(LIGHT))
def test_as_a_program_it_gives_the_same_logits_at_any_size(name: str, support: Support) -> None:
    model, free = build(name).eval(), torch.export.Dim.DYNAMIC
    refused = pytest.raises(Exception, match=SIZE_IS_FIXED) if name in SIZES_FIXED else nullcontext()
    with refused, support.noting(name, "torch.export"), torch.no_grad():
        program = torch.export.export(model, (SIZES[0],), dynamic_shapes=({0: free, 2: free, 3: free},)).module()
        for images in SIZES:
            torch.testing.assert_close(program(images), logits_of(model, images), rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(find_spec("onnxscript") is None or find_spec("onnxruntime") is None, reason="ONNX is not installed")
@pytest.mark.parametrize("name", marked(LIGHT))
def test_as_onnx_it_gives_the_same_logits_at_any_size(name: str, support: Support, scratch: Path) -> None:
    import onnxruntime

    model, free = build(name).eval(), torch.export.Dim.DYNAMIC
    with support.noting(name, "ONNX"):
        program = onnx_program(model, SIZES[0], {0: free, 2: free, 3: free})
        program.save(str(scratch / "model.onnx"))
        session = onnxruntime.InferenceSession(scratch / "model.onnx")
        for images in SIZES:
            (logits,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
            torch.testing.assert_close(torch.from_numpy(logits), logits_of(model, images), rtol=1e-3, atol=1e-3)
