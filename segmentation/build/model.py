"""Model and loss."""

import torch
from omegaconf import DictConfig
from torch import nn

from segmentation.build.make import make, plain
from segmentation.build.meshes import face_features, is_for_meshes
from segmentation.classes import Classes
from segmentation.engine.options import TrainerOptions
from segmentation.losses.base import Loss
from segmentation.models.options import MODEL_SHARED, ModelOptions


def build_model(
    cfg: DictConfig, classes: Classes, options: TrainerOptions, device: torch.device, pretrained: bool
) -> nn.Module:
    """How many classes there are, and how many numbers describe a face of a mesh, is the data's. Not `pretrained`: the
    weights come from a checkpoint, not from a hub.
    """
    given = plain(cfg.model)
    if not pretrained and "encoder_weights" in given:
        given["encoder_weights"] = None
    of_data = {"num_features": face_features(cfg.dataset).width} if is_for_meshes(given) else {}
    shared = ModelOptions(**{key: given.pop(key) for key in MODEL_SHARED & given.keys()})
    built: nn.Module = make(given, num_classes=shared.logits_for(len(classes)), **of_data)
    shared.apply_to(built, pretrained)
    memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
    return built.to(device, memory_format=memory_format)  # type: ignore[call-overload]


def build_loss(loss: DictConfig, device: torch.device) -> Loss:
    built: Loss = make(loss)
    return built.to(device)
