import copy

import pytest
import torch
from torch import Tensor, nn

from segmentation.errors import UserError
from segmentation.models.gradient_checkpointing import checkpoint_blocks
from segmentation.models.image.pixels import ImageModel
from tests.models.image.small import build as small
from tests.models.image.small import pixels


def build(name: str, *overrides: str) -> ImageModel:
    """With two blocks in each stage."""
    return small(name, *overrides, *(("model.encoder_name=tu-resnet18",) if name == "unet" else ()))


def gradients(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    torch.manual_seed(0)  # of dropout
    model.train()(images).square().mean().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("name", ["unet", "vit_linear", "segformer"])
def test_the_gradients_and_what_batch_norms_learn_are_the_same(name: str) -> None:
    plain = build(name)
    model, images = copy.deepcopy(plain), pixels(2, 3, 64, 64)
    assert model.encoder is not None
    assert checkpoint_blocks(model.encoder) >= 2
    expected, given = gradients(plain, images), gradients(model, images)
    assert expected.keys() == given.keys()
    for parameter, gradient in expected.items():
        torch.testing.assert_close(given[parameter], gradient, rtol=1e-4, atol=1e-6)
    for key, value in plain.state_dict().items():  # running statistics, learned once and not twice
        torch.testing.assert_close(model.state_dict()[key], value)


def kept_bytes(model: nn.Module, images: Tensor) -> int:
    """What autograd keeps for the backward pass, less the weights."""
    kept = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        outputs = model.train()(images)
    del outputs
    weights = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    return sum(size for place, size in kept.items() if place not in weights)


def test_less_is_kept_for_the_backward_pass() -> None:
    images = pixels(2, 3, 128, 128)
    plain, model = build("vit_linear"), build("vit_linear", "model.gradient_checkpointing=true")
    assert kept_bytes(model, images) < kept_bytes(plain, images) / 2


def test_the_names_of_the_weights_stay() -> None:
    model = build("unet", "model.gradient_checkpointing=true")
    assert model.state_dict().keys() == build("unet").state_dict().keys()
    copy.deepcopy(model).load_state_dict(model.state_dict())


def test_without_repeated_blocks_it_is_refused() -> None:
    with pytest.raises(UserError, match="no repeated blocks; give false"):
        checkpoint_blocks(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))


def test_it_can_be_compiled() -> None:
    torch.manual_seed(0)
    block = [nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU()) for _ in range(2)]
    plain = nn.Sequential(*block)
    model = copy.deepcopy(plain)
    assert checkpoint_blocks(model) == 2
    images = torch.randn(2, 3, 8, 8)
    plain(images).square().mean().backward()
    torch.compile(model, backend="aot_eager")(images).square().mean().backward()
    for ours, expected in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, expected.grad)
    torch.testing.assert_close(dict(model.named_buffers()), dict(plain.named_buffers()))
