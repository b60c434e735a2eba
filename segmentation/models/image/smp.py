"""Architectures of segmentation-models-pytorch."""

import inspect
from collections.abc import Mapping, Sequence
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
    build = _architecture(architecture)
    if not encoder_name.startswith(TIMM):
        _check_encoder(encoder_name)
        _check_options(build, options)
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


def _architecture(name: str) -> type[SegmentationModel]:
    found = getattr(smp, name, None)
    if not (isinstance(found, type) and issubclass(found, SegmentationModel)):
        raise UserError(f"model.architecture={name}: segmentation_models_pytorch has no model of that name")
    return found


def _check_encoder(name: str) -> None:
    known = smp.encoders.get_encoder_names()
    if name not in known:
        near = get_close_matches(name, known)
        raise UserError(
            f"model.encoder_name={name}: segmentation_models_pytorch has no encoder of that name"
            f"{', near it are ' + ', '.join(near) if near else ''}; tu-NAME takes any of timm"
        )


def _check_options(architecture: type[SegmentationModel], options: Mapping[str, Any]) -> None:
    """smp takes options of any name and passes them on to the encoder, where only timm's encoders read them."""
    unknown = options.keys() - inspect.signature(architecture).parameters.keys()
    if unknown:
        raise UserError(f"model.{min(unknown)}: {architecture.__name__} has no such option")
