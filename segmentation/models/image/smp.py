"""Architectures of segmentation-models-pytorch."""

import inspect
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
from segmentation_models_pytorch.base import SegmentationModel
from torch import Tensor

from segmentation.errors import UserError
from segmentation.models.image.pixels import ImageModel
from segmentation.models.image.weights import is_file_name, load_encoder_weights, told_when_unavailable

TIMM = ("tu-", "timm-")  # what smp takes from timm, by timm's own names


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
    if not encoder_name.startswith(TIMM) and encoder_name not in smp.encoders.get_encoder_names():
        near = get_close_matches(encoder_name, smp.encoders.get_encoder_names())
        raise UserError(
            f"model.encoder_name={encoder_name}: segmentation_models_pytorch has no encoder of that name"
            f"{', near it are ' + ', '.join(near) if near else ''}; tu-NAME takes any of timm"
        )
    unknown = set() if encoder_name.startswith("tu-") else options.keys() - inspect.signature(build).parameters.keys()
    if unknown:  # smp takes any and passes them on to encoders, of which only timm's read them
        raise UserError(f"model.{min(unknown)}: {architecture} has no such option")
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
