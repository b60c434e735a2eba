"""What timm's vision transformers need to be told to be encoders."""

from typing import Any

from timm.models import is_model_in_modules

BUILT_FOR_ONE_SIZE = ("vision_transformer", "deit", "eva", "swin_transformer", "swin_transformer_v2")


def any_size(name: str) -> dict[str, Any]:
    """Options that make the model `name` take images of other sizes than those it was pre-trained with: position
    embeddings are then interpolated and windows made to fit in every call.
    """
    return {"dynamic_img_size": True} if is_model_in_modules(name, BUILT_FOR_ONE_SIZE) else {}
