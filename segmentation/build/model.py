"""Model and loss."""

import torch
from omegaconf import DictConfig
from torch import nn

from segmentation.build.kinds import kind_for
from segmentation.build.make import make, plain
from segmentation.classes import Classes
from segmentation.engine.options import TrainerOptions
from segmentation.losses.base import Loss
from segmentation.models.options import MODEL_SHARED, ModelOptions


def build_model(
    cfg: DictConfig, classes: Classes, options: TrainerOptions, device: torch.device, pretrained: bool
) -> nn.Module:
    """How many classes there are is the data's, and so are the `model_options` of its kind. Not `pretrained`: the
    weights come from a checkpoint, not from a hub.
    """
    given = plain(cfg.model)
    if not pretrained and "encoder_weights" in given:
        given["encoder_weights"] = None
    of_data = kind_for(given).model_options(cfg.dataset)
    shared = ModelOptions(**{key: given.pop(key) for key in MODEL_SHARED & given.keys()})
    built: nn.Module = make(given, num_classes=shared.logits_for(len(classes)), **of_data)
    shared.apply_to(built, pretrained)
    memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
    return built.to(device, memory_format=memory_format)  # type: ignore[call-overload]


def build_loss(loss: DictConfig, device: torch.device) -> Loss:
    built: Loss = make(loss)
    return built.to(device)
