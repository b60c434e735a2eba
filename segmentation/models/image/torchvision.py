"""Architectures of torchvision."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision import models
from torchvision.models import segmentation

from segmentation.errors import UserError, near
from segmentation.models.image.pixels import ImageModel
from segmentation.models.image.weights import (
    filters_for_bands,
    is_file_name,
    load_encoder_weights,
    told_when_unavailable,
)

ENCODER_WEIGHTS = {
    "deeplabv3_resnet50": models.ResNet50_Weights.IMAGENET1K_V2,
    "deeplabv3_resnet101": models.ResNet101_Weights.IMAGENET1K_V2,
    "deeplabv3_mobilenet_v3_large": models.MobileNet_V3_Large_Weights.IMAGENET1K_V2,
    "fcn_resnet50": models.ResNet50_Weights.IMAGENET1K_V2,
    "fcn_resnet101": models.ResNet101_Weights.IMAGENET1K_V2,
    "lraspp_mobilenet_v3_large": models.MobileNet_V3_Large_Weights.IMAGENET1K_V2,
}


def torchvision_model(
    architecture: str,
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    encoder_weights: str | None = None,
    auxiliary_head: bool = False,
) -> ImageModel:
    """`architecture` by the name of torchvision's function: a key of `ENCODER_WEIGHTS`.

    As many bands go in as `mean` has. `encoder_weights` is `imagenet`, None, or a file. With an `auxiliary_head` the
    model in training gives `{"out", "aux"}`, the latter from the features at an eighth of the size (of a MobileNet: at
    an eighth too, from an earlier stage). Raises `UserError` for what torchvision has not.
    """
    for fault in torchvision_faults({"architecture": architecture, "auxiliary_head": auxiliary_head}):
        raise UserError(f"model.{fault}")
    build = getattr(segmentation, architecture)
    hub_weights = None if is_file_name(encoder_weights) else encoder_weights
    names = {None: None, "imagenet": ENCODER_WEIGHTS[architecture]}
    heads = {"aux_loss": auxiliary_head} if _can_have_an_auxiliary_head(architecture) else {}
    with told_when_unavailable(architecture, hub_weights):
        if hub_weights not in names:
            raise KeyError(f"Available options are: {[name for name in names if name]}")
        network = build(weights=None, weights_backbone=names[hub_weights], num_classes=num_classes, **heads)
    if len(mean) != 3:
        _change_bands(network.backbone, len(mean))
    if encoder_weights is not None and is_file_name(encoder_weights):
        load_encoder_weights(network.backbone, Path(encoder_weights))
    return ImageModel(network, "backbone", _backbone_features, mean, std, divisor=1)


def torchvision_faults(node: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a configuration of `torchvision_model`, each told from its key on."""
    architecture = node.get("architecture")
    if architecture not in ENCODER_WEIGHTS:
        hint = near(architecture, ENCODER_WEIGHTS, f"known are {', '.join(ENCODER_WEIGHTS)}")
        yield f"architecture={architecture}: torchvision has no segmentation model of that name; {hint}"
    elif node.get("auxiliary_head") and not _can_have_an_auxiliary_head(str(architecture)):
        yield f"auxiliary_head=true: {architecture} has none, give false"


torchvision_model.faults = torchvision_faults  # type: ignore[attr-defined]  # where the check of the configuration looks


def _can_have_an_auxiliary_head(architecture: str) -> bool:
    return "aux_loss" in inspect.signature(getattr(segmentation, architecture)).parameters


def _change_bands(backbone: nn.Module, bands: int) -> None:
    name, first = next((name, module) for name, module in backbone.named_modules() if isinstance(module, nn.Conv2d))
    parent, _, key = name.rpartition(".")
    convolution = deepcopy(first)
    convolution.in_channels = bands
    convolution.weight = nn.Parameter(filters_for_bands(first.weight.detach(), bands))
    setattr(backbone.get_submodule(parent), key, convolution)


def _backbone_features(network: nn.Module, pixels: Tensor) -> list[Tensor]:
    """What goes into each part that lowers the resolution or is a residual stage of its own, and what comes out last:
    the outputs of a ResNet's stem and four stages, of a MobileNet's five scales.
    """
    features = []
    for name, part in network.get_submodule("backbone").named_children():
        if name.startswith("layer") or getattr(part, "_is_cn", False):
            features.append(pixels)
        pixels = part(pixels)
    return [*features, pixels]
