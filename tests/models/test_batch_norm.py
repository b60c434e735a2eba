import pytest
import torch
from torch import nn

from segmentation.models.batch_norm import norms_of_single_values
from tests.models.image.small import build, pixels

REFUSED = {
    "deeplabv3": "aspp",
    "deeplabv3plus": "aspp",
    "pan": "decoder",
    "upernet": "psp",
    "deeplabv3_resnet50": "classifier",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_global_pooling_leaves_one_value_of_one_image(name: str) -> None:
    model = build(name).train()
    found = norms_of_single_values(model, pixels(1, 3, 64, 64))
    assert any(REFUSED[name] in norm for norm in found)
    with pytest.raises(ValueError, match="more than 1 value per channel"):  # torch says so too, but late
        model(pixels(1, 3, 64, 64))
    assert norms_of_single_values(model, pixels(2, 3, 64, 64)) == []


@pytest.mark.parametrize("name", ["unet", "fpn", "linknet", "pspnet", "vit_linear", "lraspp"])
def test_others_are_trained_on_one_image(name: str) -> None:
    model = build(name).train()
    assert norms_of_single_values(model, pixels(1, 3, 64, 64)) == []
    model(pixels(1, 3, 64, 64))


def test_the_last_features_of_a_small_image_are_one_pixel() -> None:
    assert norms_of_single_values(build("unet").train(), pixels(1, 3, 32, 32))


def test_nothing_is_changed_and_frozen_norms_do_not_count() -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)).train()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert norms_of_single_values(model, torch.rand(1, 3, 4, 4)) == ["2"]
    assert [module.training for module in model] == [True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
