"""What encoders there are, and what can be said of one without loading its weights."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from huggingface_hub import try_to_load_from_cache
from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder
from torch import nn

FILE = "model.safetensors"  # as both hubs name it


@dataclass(frozen=True)
class EncoderFacts:
    """`strides` are those of its feature maps; `weights` says of each name, as model.encoder_weights takes it, whether
    it lies on this machine already.
    """

    name: str
    parameters: int
    strides: tuple[int, ...]
    weights: Mapping[str, bool]


def encoders_like(pattern: str) -> list[str]:
    """The names that match (`*` and `?` as in file names): of segmentation-models-pytorch, or from `tu-` on of timm."""
    names: Iterable[str] = smp.encoders.get_encoder_names()
    if pattern.startswith("tu-"):
        names = (f"tu-{name}" for name in timm.list_models(include_tags=False))
    return [name for name in names if fnmatchcase(name, pattern)]


def family_of(name: str) -> str:
    """The pattern of all names from where `name` comes: timm's for a name from `tu-` on, else smp's."""
    return "tu-*" if name.startswith("tu-") else "*"


def facts_of(name: str) -> EncoderFacts:
    """Built without memory for its weights, where it can be."""
    try:
        with torch.device("meta"):
            encoder = _built(name)
    except RuntimeError:  # some compute a number from a tensor on the way
        encoder = _built(name)
    strides = getattr(encoder, "output_strides", None)
    if strides is None:
        scales = range(1, len(encoder.out_channels))
        strides = [2**scale for scale in scales if encoder.out_channels[scale]]
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    return EncoderFacts(name, parameters, tuple(strides), _weights(name))


def _built(name: str) -> Any:
    """As the decoders that go down in scale take it, else, a plain transformer, as DPT does."""
    if not name.startswith("tu-"):
        return smp.encoders.get_encoder(name, weights=None)
    try:
        return smp.encoders.get_encoder(name, weights=None, output_stride=32)
    except (ValueError, AttributeError, RuntimeError):
        encoder: nn.Module = TimmViTEncoder(name.removeprefix("tu-"), pretrained=False)
        return encoder


def _weights(name: str) -> dict[str, bool]:
    if name.startswith("tu-"):
        hub = timm.get_pretrained_cfg(name.removeprefix("tu-"), allow_unregistered=True)
        return {"imagenet": _at_hand(hub.hf_hub_id)} if hub is not None and hub.hf_hub_id else {}
    settings = smp.encoders.encoders[name]["pretrained_settings"]
    return {weights: _at_hand(hub["repo_id"], hub["revision"]) for weights, hub in settings.items()}


def _at_hand(repository: str, revision: str | None = None) -> bool:
    return isinstance(try_to_load_from_cache(repository, FILE, revision=revision), str)
