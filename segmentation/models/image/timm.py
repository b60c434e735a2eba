"""What timm's vision transformers need to be told, and can be asked, as encoders."""

from collections.abc import Sequence
from typing import Any

from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder
from timm.models import is_model_in_modules
from torch import Tensor, nn

BUILT_FOR_ONE_SIZE = ("vision_transformer", "deit", "eva", "swin_transformer", "swin_transformer_v2")


def any_size(name: str) -> dict[str, Any]:
    """Options that make the model `name` take images of other sizes than those it was pre-trained with: position
    embeddings are then interpolated and windows made to fit in every call.
    """
    return {"dynamic_img_size": True} if is_model_in_modules(name, BUILT_FOR_ONE_SIZE) else {}


def block_features(encoder: TimmViTEncoder, pixels: Tensor) -> Sequence[Tensor]:
    """The embedded patches, what comes out of each block of a plain transformer, and what the encoder gives last; of
    one in stages (Swin, ConvNeXt) the features that the encoder gives.
    """
    blocks = getattr(encoder.model, "blocks", ())
    inputs: list[Tensor] = []

    def note(block: nn.Module, given: tuple[Tensor, ...]) -> None:
        inputs.append(given[0])

    hooks = [block.register_forward_pre_hook(note) for block in blocks]
    try:
        features, _ = encoder(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    return [*inputs, features[-1]] if inputs else features
