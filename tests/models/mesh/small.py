"""The shipped models for meshes, as training builds them, small."""

from typing import Any

import torch
from torch import nn

from segmentation.build.make import make, plain
from segmentation.models.options import MODEL_SHARED, ModelOptions
from tests.engine.configured import configured
from tests.models.mesh.meshes import CLASSES, FEATURES

SMALL = ("model.encoder.width=16", "model.encoder.heads=2", "model.encoder.blocks=[both,both]")


def build(name: str, *overrides: str, seed: int = 0, classes: int = CLASSES) -> Any:
    """With `overrides` as on the command line."""
    torch.manual_seed(seed)
    given = plain(configured(f"model={name}", *SMALL, *overrides).model)
    shared = ModelOptions(**{key: given.pop(key) for key in MODEL_SHARED & given.keys()})
    model: nn.Module = make(given, num_classes=shared.logits_for(classes), num_features=FEATURES)
    shared.apply_to(model, pretrained=True)
    return model
