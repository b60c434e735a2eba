"""Pre-trained encoder weights: from a hub, from its cache on this machine, or from a file."""

import inspect
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlparse

import huggingface_hub.constants as hub
import torch
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors.torch import load_file
from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder
from timm.models import adapt_input_conv
from torch import Tensor, nn

from segmentation.errors import UserError

SUFFIXES = (".pt", ".pth", ".bin", ".safetensors")
WRAPPERS = ("ema", "state_dict", "model", "teacher", "model_state_dict")  # the first that is there, and what is in it
GO_ON = (
    "model.encoder_weights=null starts from random weights, model.encoder_weights=FILE.pth or .safetensors reads one"
)


def is_file_name(weights: str | None) -> bool:
    return weights is not None and weights.endswith(SUFFIXES)


def timm_weights_faults(weights: Any, tagged: str) -> Iterator[str]:
    """timm takes no name of weights beside that of the encoder, in which they are a tag."""
    if weights not in (None, "imagenet") and not is_file_name(str(weights)):
        yield (
            f"encoder_weights={weights}: of timm's encoders expected imagenet, null or a file; which of several "
            f"is said by model.encoder_name={tagged}"
        )


@contextmanager
def told_when_unavailable(encoder: str, weights: str | None) -> Iterator[None]:
    """Download errors as one line; without a way to the hub its retries (half a minute) are skipped."""
    was_offline = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = was_offline or (weights is not None and not _hub_answers())
    try:
        yield
    except (LocalEntryNotFoundError, HfHubHTTPError, URLError, ConnectionError, TimeoutError) as error:
        raise UserError(
            f"model.encoder_weights={weights}: the weights of {encoder} are not on this machine and could not be "
            f"downloaded; {GO_ON}"
        ) from error
    except KeyError as error:
        raise UserError(f"model.encoder_weights={weights} for {encoder}: {error.args[0]}; {GO_ON}") from error
    finally:
        hub.HF_HUB_OFFLINE = was_offline


def _hub_answers(seconds: float = 3.0) -> bool:
    if any(name.lower() in ("https_proxy", "all_proxy") for name in os.environ):
        return True  # only the proxy knows
    address = urlparse(hub.ENDPOINT)
    try:
        with socket.create_connection((address.hostname or "", address.port or 443), timeout=seconds):
            return True
    except OSError:
        return False


def load_encoder_weights(encoder: nn.Module, path: Path) -> None:
    """Load a file of weights, in torch's or safetensors' form, that were saved of the encoder, of a classifier of the
    same architecture, or of a network that holds it; of a checkpoint the EMA's where it has them. Filters of a first
    layer that were learned on RGB are made to take as many bands as the encoder does, patches and positions of a
    transformer its sizes.

    Raises `UserError` when a weight of the encoder is not in the file or has another shape, and when the file is of a
    deeper encoder.
    """
    wanted = encoder.state_dict()
    given = _with_bands(wanted, _with_sizes(encoder, _named_as(wanted, _read(path))))
    missing = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    differing = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    if missing or differing:
        first = (missing + differing)[0]
        raise UserError(
            f"model.encoder_weights={path} does not fit the encoder: {len(missing)} of its {len(wanted)} weights are "
            f"missing and {len(differing)} have another shape, the first {first}; name a file of this architecture"
        )
    left_over = [name for name in given if name not in wanted]
    if len(left_over) > len(wanted) // 3:  # a classifier's head is less; a ResNet-34 holds all weights of a ResNet-18
        raise UserError(
            f"model.encoder_weights={path} is of a larger network ({len(left_over)} weights without a place, the first "
            f"{left_over[0]}); name a file of this architecture"
        )
    nn.Module.load_state_dict(encoder, {name: given[name] for name in wanted if name in given}, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"model.encoder_weights={path}: there is no such file; {GO_ON}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the unpickler raise anything
        raise UserError(
            f"model.encoder_weights={path} cannot be read as weights: it is damaged or no such file"
        ) from error
    for wrapper in WRAPPERS:
        content = content[wrapper] if isinstance(content, dict) and isinstance(content.get(wrapper), dict) else content
    named = isinstance(content, dict) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    )
    if not named:
        raise UserError(f"model.encoder_weights={path} holds no weights by name: save a module's state_dict()")
    return content


def _with_sizes(encoder: nn.Module, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """A transformer's patches and position embeddings in the encoder's sizes, resampled as timm does it."""
    transformer, prefix = (encoder.model, "model.") if isinstance(encoder, TimmViTEncoder) else (encoder, "")
    resampled = getattr(inspect.getmodule(type(transformer)), "checkpoint_filter_fn", None)
    if resampled is None or not hasattr(transformer, "patch_embed"):
        return given
    inner = {name.removeprefix(prefix): weight for name, weight in given.items()}
    return {prefix + name: weight for name, weight in resampled(inner, transformer).items()}


def _with_bands(wanted: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The first filters, if they are for RGB, for as many bands as are wanted."""
    first = next((name for name, weight in wanted.items() if weight.ndim == 4), None)
    if first not in given or given[first].ndim != 4 or given[first].shape[1] != 3:
        return given
    return {**given, first: filters_for_bands(given[first], wanted[first].shape[1])}


def filters_for_bands(filters: Tensor, bands: int) -> Tensor:
    """Filters `[C, 3, h, w]` for red, green and blue as `[C, bands, h, w]`: for one band their sum, else red, green and
    blue in turn, times 3 / bands, so that answers stay about as large.
    """
    adapted: Tensor = adapt_input_conv(bands, filters)
    return adapted


def _named_as(wanted: Iterable[str], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The given weights by the names that the encoder has for them.

    Of the prefixes that wrappers put before names (`module.`, `backbone.`) it is the one under which most of the
    encoder's names are found; what lies outside of it, as a decoder does, is left out.
    """
    own = {_plain(name): name for name in wanted}
    found = {_plain(name): weight for name, weight in given.items()}
    first = next(iter(own))
    prefixes = sorted(name.removesuffix(first) for name in found if name.endswith(first))
    prefix = max(prefixes, key=lambda prefix: sum(prefix + name in found for name in own), default="")
    inside = {name.removeprefix(prefix): weight for name, weight in found.items() if name.startswith(prefix)}
    return {own.get(name, name): weight for name, weight in inside.items()}


def _plain(name: str) -> str:
    """As timm's classifiers spell it: as encoders they are within a `model`, and their `stages.0` is a `stages_0`."""
    return name.removeprefix("model.").replace("_", ".")
