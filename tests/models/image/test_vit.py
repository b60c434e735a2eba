"""Encoders of timm's transformers under every decoder that takes them."""

from typing import Any

import pytest
import torch

from segmentation.errors import UserError
from segmentation.models.image.pixels import ImageModel
from segmentation.models.image.smp import smp_model

PIXELS: dict[str, Any] = {"num_classes": 3, "mean": [0.5] * 3, "std": [0.25] * 3}
NARROW: dict[str, dict[str, Any]] = {
    "DPT": {"decoder_intermediate_channels": [8, 8, 8, 8], "decoder_fusion_channels": 8},
    "Linear": {},
    "ViTUPerNet": {"decoder_channels": 8},
}
# Small ones of each family: embedded patches, rotary positions, registers, shifted windows, convolutions.
SMALL: dict[str, dict[str, Any]] = {
    "vit_tiny_patch16_224": {"embed_dim": 48, "num_heads": 2},
    "vit_small_patch14_reg4_dinov2": {"embed_dim": 48, "num_heads": 2, "patch_size": 16},
    "vit_small_patch16_dinov3": {"embed_dim": 48, "num_heads": 2},
    "eva02_tiny_patch14_224": {"embed_dim": 48, "num_heads": 2, "patch_size": 16},
    "swin_tiny_patch4_window7_224": {"embed_dim": 24, "depths": [1, 1, 1, 1]},
    "test_convnext": {},
}


def build(architecture: str, encoder: str, **options: Any) -> ImageModel:
    torch.manual_seed(0)
    no_class_token = "swin" in encoder or "conv" in encoder
    readout: dict[str, Any] = {"decoder_readout": "ignore"} if architecture == "DPT" and no_class_token else {}
    return smp_model(
        architecture, f"tu-{encoder}", **PIXELS, **NARROW[architecture], **SMALL.get(encoder, {}), **readout, **options
    )


@pytest.mark.parametrize("encoder", SMALL)
@pytest.mark.parametrize("architecture", NARROW)
def test_images_of_other_sizes_than_those_of_pre_training_come_through(architecture: str, encoder: str) -> None:
    model = build(architecture, encoder).eval()
    with torch.inference_mode():
        for size in ((45, 33), (224, 130)):
            logits = model(torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8))
            assert logits.shape == (1, 3, *size)
            assert torch.isfinite(logits).all()


@pytest.mark.parametrize("encoder", [name for name in SMALL if "swin" not in name and "conv" not in name])
def test_a_plain_transformer_lies_deeper_block_by_block(encoder: str) -> None:
    depths = build("Linear", encoder).parameter_depths()
    inside = {name.removeprefix("network.encoder.model."): depth for name, depth in depths.items()}
    for name, depth in inside.items():
        if name.startswith("blocks."):
            assert depth == 1 + int(name.split(".")[1])
        elif name.startswith(("patch_embed", "pos_embed", "cls_token", "reg_token")):
            assert depth == 0
        elif name.startswith("network."):  # the head, after 12 blocks
            assert depth == 13


def test_one_in_stages_lies_deeper_stage_by_stage() -> None:
    depths = build("ViTUPerNet", "swin_tiny_patch4_window7_224").parameter_depths()
    for name, depth in depths.items():
        if ".layers." in name:
            assert depth == int(name.split(".layers.")[1][0])
    assert max(depths.values()) == 4


def test_registers_and_class_token_are_no_pixels() -> None:
    """Each patch has its own logits: what is shown at the bottom right changes most there."""
    model = build("Linear", "vit_small_patch14_reg4_dinov2", encoder_output_indices=[0], encoder_depth=1).eval()
    images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    images[1, :, 48:, 48:] = 255
    with torch.inference_mode():
        one, other = model(images)
    change = torch.nn.functional.avg_pool2d((one - other).abs().sum(0, keepdim=True), 16)[0]
    assert divmod(int(change.argmax()), 4) == (3, 3)


def test_patches_that_dpt_cannot_take_are_told() -> None:
    with pytest.raises(UserError, match=r"not of 14; model\.patch_size=16") as error:
        smp_model("DPT", "tu-eva02_tiny_patch14_224", **PIXELS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("architecture", ["Linear", "ViTUPerNet"])
def test_encoders_of_others_are_refused(architecture: str) -> None:
    with pytest.raises(UserError, match="encoders of timm only"):
        smp_model(architecture, "resnet18", **PIXELS)
