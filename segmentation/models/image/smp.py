"""Architectures of segmentation-models-pytorch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
from segmentation_models_pytorch.base import SegmentationModel
from torch import Tensor

from segmentation.errors import UserError
from segmentation.models.image.pixels import ImageModel
from segmentation.models.image.weights import is_file_name, load_encoder_weights, told_when_unavailable


def smp_model(
    architecture: str,
    encoder_name: str,
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    encoder_weights: str | None = None,
    **options: Any,
) -> ImageModel:
    """`architecture` by smp's class name (`Unet`, `DeepLabV3Plus`, ...), `encoder_name` any of smp's encoders, with
    `tu-` before it any of timm's; `options` go to the architecture.

    `encoder_weights` is a name that smp knows for the encoder (`imagenet`), None, or a file.
    Raises `UserError` for unknown names and options and for weights that cannot be had.
    """
    build = getattr(smp, architecture, None)
    if not (isinstance(build, type) and issubclass(build, SegmentationModel)):
        raise UserError(f"model.architecture={architecture}: segmentation_models_pytorch has no model of that name")
    hub_weights = None if is_file_name(encoder_weights) else encoder_weights
    try:
        with told_when_unavailable(encoder_name, hub_weights):
            network = build(
                encoder_name=encoder_name, encoder_weights=hub_weights, in_channels=3, classes=num_classes, **options
            )
    except (RuntimeError, ValueError, TypeError) as error:  # what smp and timm raise for names and options
        raise UserError(f"model {architecture} with encoder {encoder_name}: {' '.join(str(error).split())}") from error
    if encoder_weights is not None and is_file_name(encoder_weights):
        load_encoder_weights(network.encoder, Path(encoder_weights))
    return ImageModel(network, "encoder", _encoder_features, mean, std, network.encoder.output_stride)


def _encoder_features(network: SegmentationModel, pixels: Tensor) -> Sequence[Tensor]:
    return network.encoder(pixels)
