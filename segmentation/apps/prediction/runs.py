"""The runs that predict.py asks, one or several, whatever they were trained on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import nn

from segmentation.apps.runs.data import difference
from segmentation.apps.runs.opened import classes_of, load_trained, open_folder
from segmentation.classes import Classes
from segmentation.data.fingerprint import fingerprint
from segmentation.errors import UserError
from segmentation.runtime.device import Precision, choose_device, choose_precision, describe_device
from segmentation.runtime.run_folder import RunFolder

log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class Runs:
    """The `folders`, their configurations and their `checkpoints`, not read yet. They have the same classes."""

    cfg: DictConfig
    folders: Sequence[RunFolder]
    configs: Sequence[DictConfig]
    checkpoints: Sequence[Path]
    classes: Classes

    @classmethod
    def of(cls, cfg: DictConfig) -> "Runs":
        """Those that `cfg.run` names. Raises `UserError` for what is no run, and for runs that cannot be averaged."""
        paths = [cfg.run] if isinstance(cfg.run, str | int) else list(cfg.run)
        folders, configs = zip(*(open_folder(str(path)) for path in paths), strict=True)
        classes = [classes_of(folder) for folder in folders]
        for folder, other in zip(folders[1:], classes[1:], strict=True):
            if other.names != classes[0].names:
                told = f"{folder.path} has other classes than {folders[0].path}: {difference(other, classes[0])}"
                raise UserError(f"{told}; only runs with the same classes can be averaged")
        return cls(cfg, folders, configs, [folder.find_checkpoint(cfg.checkpoint) for folder in folders], classes[0])

    @property
    def identity(self) -> Mapping[str, str]:
        return {
            "run": ", ".join(str(folder.path) for folder in self.folders),
            "checkpoint": ", ".join(map(str, self.checkpoints)),
            "file": fingerprint(self.checkpoints),
        }

    def device(self) -> tuple[torch.device, Precision]:
        """As asked for, or as the first run had it."""
        trainer = self.configs[0].trainer
        device = choose_device(self.cfg.device or trainer.device)
        precision = choose_precision(self.cfg.precision or trainer.precision, device)
        log.info("device: %s", describe_device(device, precision))
        return device, precision

    def models(self, device: torch.device) -> list[nn.Module]:
        """In evaluation mode."""
        models = []
        for folder, run in zip(self.folders, self.configs, strict=True):
            trained = load_trained(self.cfg, folder, run, self.classes, device)
            log.info("model: %s, epoch %d, %s weights", trained.path, trained.epoch, trained.weights)
            models.append(trained.model.eval())
        return models
