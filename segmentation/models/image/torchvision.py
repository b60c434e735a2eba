"""Architectures of torchvision."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights
from torchvision.models.segmentation import deeplabv3_resnet50 as torchvision_deeplabv3_resnet50

from segmentation.models.image.pixels import ImageModel
from segmentation.models.image.weights import is_file_name, load_encoder_weights, told_when_unavailable


def deeplabv3_resnet50(
    num_classes: int, mean: Sequence[float], std: Sequence[float], encoder_weights: str | None = None
) -> ImageModel:
    """DeepLabV3 with a dilated ResNet-50 (output stride 8; Chen et al. 2017, arXiv 1706.05587), without an auxiliary
    head. As many bands go in as `mean` has. `encoder_weights` is `imagenet`, None, or a file.
    """
    hub_weights = None if is_file_name(encoder_weights) else encoder_weights
    names = {None: None, "imagenet": ResNet50_Weights.IMAGENET1K_V2}
    with told_when_unavailable("deeplabv3_resnet50", hub_weights):
        if hub_weights not in names:
            raise KeyError(f"Available options are: {[name for name in names if name]}")
        network = torchvision_deeplabv3_resnet50(
            weights=None, weights_backbone=names[hub_weights], num_classes=num_classes, aux_loss=False
        )
    if encoder_weights is not None and is_file_name(encoder_weights):
        load_encoder_weights(network.backbone, Path(encoder_weights))
    if len(mean) != 3:
        network.backbone.conv1 = _with_bands(network.backbone.conv1, len(mean))
    return ImageModel(network, "backbone", _backbone_features, mean, std, divisor=1)


def _with_bands(first: nn.Conv2d, bands: int) -> nn.Conv2d:
    """The filters for red, green and blue in turn, scaled so that their sum keeps its size, as smp does it."""
    convolution = nn.Conv2d(bands, first.out_channels, (7, 7), stride=2, padding=3, bias=False)
    with torch.no_grad():
        for band in range(bands):
            convolution.weight[:, band] = first.weight[:, band % 3] * 3 / bands
    return convolution


def _backbone_features(network: nn.Module, pixels: Tensor) -> list[Tensor]:
    """The outputs of the stem and of the four residual stages."""
    features = []
    for name, stage in network.get_submodule("backbone").named_children():
        pixels = stage(pixels)
        if name == "maxpool" or name.startswith("layer"):
            features.append(pixels)
    return features
