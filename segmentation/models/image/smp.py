"""Architectures of segmentation-models-pytorch, and ours that are built as they are."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import timm
from segmentation_models_pytorch.base import SegmentationModel
from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder
from torch import Tensor

from segmentation.errors import UserError, near, unknown_key
from segmentation.models.image.encoders import encoders_like, family_of
from segmentation.models.image.pixels import ImageModel, freeze_unused
from segmentation.models.image.timm import any_size, block_features
from segmentation.models.image.vit import Linear, ViTUPerNet
from segmentation.models.image.weights import (
    is_file_name,
    load_encoder_weights,
    timm_weights_faults,
    told_when_unavailable,
)
from segmentation.models.options import MODEL_SHARED

OURS: dict[str, type[SegmentationModel]] = {"Linear": Linear, "ViTUPerNet": ViTUPerNet}
TIMM = ("tu-", "timm-")  # what smp takes from timm, by timm's own names
SET_HERE = {"options", "num_classes", "in_channels", "classes", "kwargs"}  # parameters that are no key of the YAML
NORMS_NOT_BUILT = ("instancenorm", "layernorm")  # smp has the names, and no decoder that can be built with them


def smp_model(
    architecture: str,
    encoder_name: str,
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    encoder_weights: str | None = None,
    **options: Any,
) -> ImageModel:
    """`architecture` by smp's class name (`Unet`, `DeepLabV3Plus`, ...) or a key of `OURS`, `encoder_name` any of smp's
    encoders, with `tu-` before it any of timm's; `options` go to the architecture.

    As many bands go in as `mean` has. `encoder_weights` is a name that smp knows for the encoder (`imagenet`), None, or
    a file. Raises `UserError` for unknown names and options and for weights that cannot be had.
    """
    names = {"architecture": architecture, "encoder_name": encoder_name, "encoder_weights": encoder_weights}
    for fault in smp_faults({**names, **options}):
        raise UserError(f"model.{fault}")
    build = architecture_named(architecture)
    hub_weights = None if is_file_name(encoder_weights) else encoder_weights
    from_timm = encoder_name.startswith("tu-")
    try:
        with told_when_unavailable(encoder_name, hub_weights):
            network = build(
                encoder_name=encoder_name,
                encoder_weights=True if from_timm and hub_weights else hub_weights,  # smp warns of a name
                in_channels=len(mean),
                classes=num_classes,
                **(any_size(encoder_name.removeprefix("tu-")) if from_timm else {}),
                **options,
            )
    except (RuntimeError, ValueError, TypeError) as error:  # what smp and timm raise for names and options
        raise UserError(f"model {architecture} with encoder {encoder_name}: {' '.join(str(error).split())}") from error
    if encoder_weights is not None and is_file_name(encoder_weights):
        load_encoder_weights(network.encoder, Path(encoder_weights))
    divisor = network.encoder.output_stride
    if architecture == "DPT":
        if divisor & (divisor - 1):
            raise UserError(
                f"model.encoder_name={encoder_name}: DPT needs patches of 8, 16 or 32 pixels, not of {divisor}; "
                "model.patch_size=16 resamples those of the encoder, pre-trained ones too"
            )
        divisor = max(divisor, 2 ** (1 + len(network.encoder.output_strides)))  # features at 1/4, 1/8, ...
    smallest = 8 * divisor if architecture == "PAN" else divisor  # PAN halves the last features three times
    try:
        return freeze_unused(ImageModel(network, "encoder", _encoder_features, mean, std, divisor, smallest))
    except (AssertionError, RuntimeError, TypeError) as error:  # what timm raises for sizes other than its own
        raise UserError(
            f"model.encoder_name={encoder_name}: {architecture} cannot run it on images of any size "
            f"({' '.join(str(error).split())}); choose another encoder"
        ) from error


def _encoder_features(network: SegmentationModel, pixels: Tensor) -> Sequence[Tensor]:
    encoder = network.encoder
    return block_features(encoder, pixels) if isinstance(encoder, TimmViTEncoder) else encoder(pixels)


def architecture_named(name: Any) -> Any:
    """The class, None where there is none of that name."""
    found = OURS.get(str(name)) or getattr(smp, str(name), None)
    return found if isinstance(found, type) and issubclass(found, SegmentationModel) else None


def smp_faults(node: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the names and the options of a configuration of `smp_model`, each told from its key on."""
    architecture, encoder = node.get("architecture"), node.get("encoder_name")
    build = architecture_named(architecture)
    if build is None:
        yield f"architecture={architecture}: segmentation_models_pytorch has no model of that name"
    elif (architecture in OURS or architecture == "DPT") and not str(encoder).startswith("tu-"):
        yield f"encoder_name={encoder}: {architecture} takes encoders of timm only, by names that start with tu-"
        return
    else:
        known = {name for takes in (smp_model, build) for name in inspect.signature(takes).parameters}
        known = known - SET_HERE | MODEL_SHARED
        for option in sorted(node.keys() - known):
            if _is_misspelt(option, str(encoder)):
                yield unknown_key(option, known)
    norm = node.get("decoder_use_norm")
    kind = norm.get("type") if isinstance(norm, Mapping) else norm
    if str(kind).lower() in NORMS_NOT_BUILT:
        yield f"decoder_use_norm={kind}: no decoder of smp can be built with it; give batchnorm, or false for none"
    if node.get("aux_params") is not None:
        yield "aux_params: it is for a head that classifies whole images, which nothing here trains; leave it out"
    if not _is_encoder(str(encoder)):
        hint = near(encoder, encoders_like(family_of(str(encoder))), "known are those of segmentation_models_pytorch")
        yield f"encoder_name={encoder}: there is no encoder of that name; {hint}; tu-NAME takes any of timm"
    elif str(encoder).startswith("tu-"):
        yield from timm_weights_faults(node.get("encoder_weights"), "tu-NAME.TAG")


smp_model.faults = smp_faults  # type: ignore[attr-defined]  # where the check of the configuration looks


def _is_misspelt(option: str, encoder: str) -> bool:
    """smp takes options of any name and passes them on to the encoder, where only timm's encoders read them."""
    return not option.startswith("_") and (not encoder.startswith(TIMM) or option.startswith("decoder_"))


def _is_encoder(name: str) -> bool:
    if name.startswith("tu-"):
        return ":" in name or timm.is_model(name.removeprefix("tu-"))  # with a colon it is a model on a hub
    return name in smp.encoders.get_encoder_names() or smp.encoders.is_equivalent_to_timm_universal(name)
