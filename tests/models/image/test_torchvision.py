from typing import Any

import pytest
import torch
from torch import nn

from segmentation.errors import UserError
from segmentation.models.image.torchvision import ENCODER_WEIGHTS, torchvision_model

PIXELS: dict[str, Any] = {"num_classes": 3, "mean": [0.5] * 3, "std": [0.25] * 3}


def test_every_architecture_can_be_built() -> None:
    with torch.device("meta"):
        for architecture in ENCODER_WEIGHTS:
            assert torchvision_model(architecture, **PIXELS).divisor == 1


@pytest.mark.parametrize("size", [(64, 64), (45, 33)])
def test_the_auxiliary_head_is_there_in_training_only(size: tuple[int, int]) -> None:
    model = torchvision_model("deeplabv3_mobilenet_v3_large", auxiliary_head=True, **PIXELS)
    images = torch.zeros(2, 3, *size, dtype=torch.uint8)
    heads = model.train()(images)
    assert heads.keys() == {"out", "aux"}
    assert heads["out"].shape == heads["aux"].shape == (2, 3, *size)
    heads["aux"].sum().backward()
    trained = {name.split(".")[1] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert trained == {"backbone", "aux_classifier"}
    assert model.eval()(images).shape == (2, 3, *size)


def test_an_auxiliary_head_is_not_built_unless_asked_for() -> None:
    model = torchvision_model("deeplabv3_mobilenet_v3_large", **PIXELS)
    assert isinstance(model.network, nn.Module)
    assert not any("aux" in name for name, _ in model.named_parameters())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"architecture": "fcn_resnet5"}, "did you mean fcn_resnet50?"),
        ({"architecture": "lraspp_mobilenet_v3_large", "auxiliary_head": True}, "has none, give false"),
        ({"architecture": "fcn_resnet50", "encoder_weights": "coco"}, "imagenet"),
    ],
)
def test_what_torchvision_has_not_is_one_line(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as error:
        torchvision_model(**options, **PIXELS)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
