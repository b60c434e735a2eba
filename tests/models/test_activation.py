import pytest
import torch
from torch import nn

from segmentation.errors import UserError
from segmentation.models.activation import ACTIVATIONS, replace_activations
from segmentation.models.options import ModelOptions
from tests.models.image.small import build, pixels


def kinds(model: nn.Module) -> set[type[nn.Module]]:
    return {type(module) for module in model.modules() if not list(module.children())}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_decoders_activations_are_replaced_and_the_encoders_stay(name: str) -> None:
    plain, model = build("unet"), build("unet", f"model.activation={name}")
    expected = type(ACTIVATIONS[name](False))
    decoder, encoder = model.network.get_submodule("decoder"), model.encoder
    assert encoder is not None
    assert expected in kinds(decoder)
    assert nn.ReLU in kinds(encoder)
    assert name == "relu" or nn.ReLU not in kinds(decoder)
    images = pixels(1, 3, 32, 32)
    with torch.inference_mode():
        same = torch.equal(plain.eval()(images), model.eval()(images))  # the weights are the same
    assert same is (name == "relu")


def test_by_option_the_encoders_are_replaced_too() -> None:
    model = build("unet", "model.activation=gelu", "model.activation_in_encoder=true")
    assert nn.ReLU not in kinds(model)
    assert nn.GELU in kinds(model.network.get_submodule("encoder"))


def test_one_activation_in_two_places_is_replaced_in_both_and_gates_stay() -> None:
    shared = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 2), shared, nn.Sigmoid(), shared)
    assert replace_activations(model, "silu") == 2
    assert [type(module) for module in model] == [nn.Linear, nn.SiLU, nn.Sigmoid, nn.SiLU]


@pytest.mark.parametrize(
    ("name", "says"), [("rellu", "did you mean relu?"), ("gelu", "model.activation_in_encoder=true")]
)
def test_what_has_no_effect_is_refused(name: str, says: str) -> None:
    model = build("vit_linear")  # a linear head has no activation
    with pytest.raises(UserError, match=says.replace("?", r"\?")) as error:
        ModelOptions(activation=name).apply_to(model, pretrained=True)
    assert "\n" not in str(error.value)
