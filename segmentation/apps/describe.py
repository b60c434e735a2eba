"""What is told of data, model and class weights before they are used."""

import logging
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig
from torch import nn

from segmentation.build.images import count_pixels
from segmentation.build.sets import Source
from segmentation.classes import Classes
from segmentation.data.check.findings import Finding, Severity, faults_among, number
from segmentation.data.image.check.masks import mask_findings
from segmentation.data.image.source import ImageSource
from segmentation.errors import gathered

log = logging.getLogger("segmentation")
LEVELS = {Severity.FAULT: logging.ERROR, Severity.WARNING: logging.WARNING, Severity.NOTE: logging.INFO}


def tell_masks(source: ImageSource) -> None:
    """Warns of what looks wrong with the masks, and raises `UserError` with all that would spoil a run."""
    refuse_faults(source, mask_findings(source, count_pixels(source), {}))


def tell_findings(findings: Sequence[Finding]) -> None:
    """A line each, the worst first."""
    for severity, level in LEVELS.items():
        for finding in findings:
            if finding.severity is severity:
                log.log(level, "%s: %s", severity, finding.line())


def refuse_faults(source: Source, findings: Sequence[Finding]) -> None:
    """Tell the findings; raises one `UserError` with the faults among them."""
    faults = faults_among(findings)
    tell_findings([finding for finding in findings if finding not in faults])
    unreadable = any("unreadable" in fault.kind for fault in faults)  # training would stop at them
    if faults:
        raise gathered(
            f"{source.title} has {number(len(faults), 'fault')} that would spoil the run; check.py shows more"
            f"{'' if unreadable else ', trainer.check_data=off starts all the same'}",
            [fault.line() for fault in faults],
        )


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
