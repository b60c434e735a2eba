"""What is told of data, model and class weights before they are used."""

import logging
from typing import Any

from omegaconf import DictConfig
from torch import nn

from segmentation.classes import Classes
from segmentation.data.image.scan import MaskScan, scan_masks, tell_unknown_values
from segmentation.data.image.source import ImageSource
from segmentation.runtime.console import progress_bar

log = logging.getLogger("segmentation")


def scan_and_tell(source: ImageSource) -> MaskScan:
    """Every label picture, read once; warns of colours that no class has, and stops when they are many."""
    with progress_bar("reading the masks once", len(source.samples)) as bar:
        scan = scan_masks(source, bar.advance)
    tell_unknown_values(scan, source.classes)
    return scan


def describe_model(cfg: DictConfig, model: nn.Module) -> str:
    total = sum(parameter.numel() for parameter in model.parameters())
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    names = [str(cfg[key]) for key in ("architecture", "encoder_name") if key in cfg]
    start = f"encoder weights {cfg.encoder_weights or 'random'}" if "encoder_weights" in cfg else ""
    frozen = "" if trainable == total else f", {trainable / 1e6:.2f} M trainable"
    named = " ".join(names) or str(cfg._target_).rsplit(".", 1)[-1]
    return f"{named}, {total / 1e6:.2f} M parameters{frozen}{', ' if start else ''}{start}"


def tell_class_weights(loss: Any, classes: Classes) -> None:
    """The weights of every loss that has some."""
    if not isinstance(loss, DictConfig):
        return
    weights = loss.get("class_weights")
    if weights is not None:
        pairs = zip(classes.names, weights, strict=False)
        log.info("class weights: %s", ", ".join(f"{name} {weight:.3g}" for name, weight in pairs))
    for inner in loss.values():
        tell_class_weights(inner, classes)
