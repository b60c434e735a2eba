from typing import Any

import pytest
import torch
from torch import nn

from segmentation.errors import UserError
from segmentation.models.image.smp import smp_faults, smp_model

PIXELS: dict[str, Any] = {"num_classes": 3, "mean": [0.5] * 3, "std": [0.25] * 3}


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "efficientnet-b0", "mit_b0", "tu-convnext_atto"])
@pytest.mark.parametrize("architecture", ["Unet", "FPN", "UnetPlusPlus", "DeepLabV3Plus"])
def test_other_encoders_take_odd_sizes_where_the_architecture_takes_them(architecture: str, encoder: str) -> None:
    if (architecture, encoder) == ("UnetPlusPlus", "mit_b0"):  # smp has no such pair
        with pytest.raises(UserError, match="mit_b0") as error:
            smp_model(architecture, encoder, **PIXELS)
        assert "\n" not in str(error.value)
        return
    model = smp_model(architecture, encoder, **PIXELS).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 45, 33, dtype=torch.uint8)).shape == (1, 3, 45, 33)


def test_options_reach_the_architecture() -> None:
    narrow = smp_model("FPN", "resnet18", decoder_pyramid_channels=48, decoder_segmentation_channels=32, **PIXELS)
    assert narrow.network.get_parameter("decoder.p5.weight").shape[0] == 48
    fine = smp_model("DeepLabV3Plus", "resnet18", encoder_output_stride=8, **PIXELS)
    assert fine.divisor == 8


@pytest.mark.parametrize(
    ("architecture", "encoder", "options", "says"),
    [
        ("NoSuchNet", "resnet18", {}, "architecture=NoSuchNet"),
        ("encoders", "resnet18", {}, "architecture=encoders"),
        ("Unet", "resnet_18", {}, "resnet18"),
        ("Unet", "no such encoder", {}, "encoder_name=no such encoder"),
        ("Unet", "tu-nosuch", {}, "nosuch"),
        ("Unet", "resnet18", {"decoder_channel": [1]}, "decoder_channel"),
        ("Unet", "resnet18", {"decoder_channels": [16, 8]}, "resnet18"),
    ],
)
def test_what_there_is_none_of_is_one_line(architecture: str, encoder: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        smp_model(architecture, encoder, **PIXELS, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("architecture", ["Linear", "ViTUPerNet", "DPT"])
def test_an_encoder_that_is_not_of_timm_is_the_only_fault(architecture: str) -> None:
    (fault,) = smp_faults({"architecture": architecture, "encoder_name": "resnet18", "patch_size": None})
    assert fault.startswith(f"encoder_name=resnet18: {architecture} takes encoders of timm only")


@pytest.mark.parametrize(
    ("weights", "known"), [("imagenet", True), ("a.pth", True), (None, True), ("ssl", False), (True, False)]
)
def test_weights_that_timm_would_not_look_at_are_refused(weights: str | bool | None, known: bool) -> None:
    node = {"architecture": "Unet", "encoder_name": "tu-test_resnet", "encoder_weights": weights}
    assert [fault.split(":")[0] for fault in smp_faults(node)] == ([] if known else [f"encoder_weights={weights}"])


@pytest.mark.parametrize("norm", ["batchnorm", True, False, "identity", {"type": "batchnorm", "momentum": 0.01}])
@pytest.mark.parametrize("architecture", ["Unet", "PSPNet", "Linknet"])
def test_the_norms_of_a_decoder_that_are_documented(architecture: str, norm: Any) -> None:
    model = smp_model(architecture, "tu-test_resnet", decoder_use_norm=norm, **PIXELS)
    norms = [module for module in model.network.get_submodule("decoder").modules() if type(module) is nn.BatchNorm2d]
    assert bool(norms) == (norm not in (False, "identity"))
    if isinstance(norm, dict):
        assert {batch_norm.momentum for batch_norm in norms} == {0.01}


@pytest.mark.parametrize("norm", ["instancenorm", "layernorm", {"type": "LayerNorm", "eps": 1e-3}])
@pytest.mark.parametrize("encoder", ["resnet18", "tu-test_resnet"])
def test_norms_that_cannot_be_built_are_refused(encoder: str, norm: Any) -> None:
    (fault,) = smp_faults({"architecture": "Unet", "encoder_name": encoder, "decoder_use_norm": norm})
    assert fault.startswith("decoder_use_norm=")
    assert "give batchnorm, or false" in fault


@pytest.mark.parametrize("encoder", ["resnet18", "tu-test_resnet"])
def test_a_head_that_nothing_trains_is_refused(encoder: str) -> None:
    with pytest.raises(UserError, match=r"model\.aux_params: .*leave it out"):
        smp_model("Unet", encoder, aux_params={"classes": 2}, **PIXELS)


def test_an_encoder_that_takes_one_size_only_is_one_line() -> None:
    with pytest.raises(
        UserError, match=r"tu-coat_tiny: Unet cannot .*doesn't match model \(224\).*another encoder"
    ) as error:
        smp_model("Unet", "tu-coat_tiny", **PIXELS)
    assert "\n" not in str(error.value)
