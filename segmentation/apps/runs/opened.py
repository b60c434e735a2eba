"""A run folder opened again: its configuration with what the command line changes, its classes, and a model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from segmentation.apps.config.check import faults_in_evaluation
from segmentation.apps.config.faults import raise_faults
from segmentation.build.make import plain
from segmentation.build.model import build_model
from segmentation.build.training import build_options
from segmentation.classes import Classes
from segmentation.engine.state import load_weights
from segmentation.errors import UserError
from segmentation.inference.augmented import views
from segmentation.inference.prediction import Prediction
from segmentation.inference.windows import Tiles
from segmentation.runtime.checkpoint import load_checkpoint
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder, read_written


@dataclass(frozen=True)
class Trained:
    """A model with the `weights` (ema or raw) of the checkpoint at `path`, which is what `content` holds."""

    model: nn.Module
    path: Path
    content: Mapping[str, Any]
    weights: str

    @property
    def epoch(self) -> int:
        return int(self.content["epoch"] if "epoch" in self.content else self.content["progress"]["epoch"])


def open_run(cfg: DictConfig) -> tuple[RunFolder, DictConfig]:
    """The folder that `cfg.run` names and its configuration, on the device, in the precision and with the batch size
    that `cfg` asks for. Raises `UserError` for options that cannot be and for what is no run folder.
    """
    folder, run = open_run_as_it_was(cfg, faults_in_evaluation)
    trainer = {
        "trainer.device": cfg.device,
        "trainer.precision": cfg.precision,
        "trainer.val_batch_size": cfg.batch_size,
        "trainer.num_workers": cfg.num_workers,
    }
    for key, value in trainer.items():
        if value is not None:
            OmegaConf.update(run, key, value)
    return folder, run


def open_run_as_it_was(cfg: DictConfig, faults_in: Callable[[DictConfig], list[str]]) -> tuple[RunFolder, DictConfig]:
    """The folder that `cfg.run` names and its configuration. Raises `UserError` for the faults that `cfg` has."""
    if OmegaConf.is_missing(cfg, "run"):
        raise UserError("run=FOLDER is needed: the run folder that train.py wrote, outputs/<experiment_name>/<date>")
    raise_faults(faults_in(cfg))
    return open_folder(str(cfg.run))


def open_folder(path: str) -> tuple[RunFolder, DictConfig]:
    """Raises `UserError` for what is no run folder."""
    folder = RunFolder.existing(path)
    return folder, read_written(folder.config, _read_config)


def classes_of(folder: RunFolder) -> Classes:
    return read_written(folder.classes, read_classes)


def read_classes(path: Path) -> Classes:
    content = read_json(path)
    return Classes.from_entries(content["classes"], content["ignore_index"])


def load_trained(
    cfg: DictConfig, folder: RunFolder, run: DictConfig, classes: Classes, device: torch.device
) -> Trained:
    """The checkpoint and the weights that `cfg` names."""
    path = folder.find_checkpoint(cfg.checkpoint)
    content = load_checkpoint(path)
    weights = "ema" if cfg.weights == "ema" and content.get("ema") else "raw"
    model = build_model(run, classes, build_options(run, validates=True), device, pretrained=False)
    load_weights(model, content["ema"]["model"] if weights == "ema" else content["model"])
    return Trained(model, path, content, weights)


def as_asked(model: nn.Module, cfg: DictConfig, batch_size: int) -> Prediction:
    """The model in the tiles and views of `cfg.tile`, `cfg.overlap` and `cfg.tta`; `batch_size` tiles at once."""
    tiles = None if cfg.tile is None else Tiles((cfg.tile[0], cfg.tile[1]), cfg.overlap, batch_size)
    return Prediction(model, tiles, views(**plain(cfg.tta)))


def names_of_choices(cfg: DictConfig) -> list[str]:
    """How results made in tiles or several views are told from those of whole images as they are, and from each other:
    `tiled512x512-0.5`, `tta-horizontal+90`.
    """
    tiled = [] if cfg.tile is None else [f"tiled{cfg.tile[0]}x{cfg.tile[1]}-{cfg.overlap:g}"]
    asked = [str(way) for ways in plain(cfg.tta).values() for way in ways]
    return [*tiled, *([f"tta-{'+'.join(asked)}"] if asked else [])]


def _read_config(path: Path) -> Any:
    """Raises whatever a file makes it raise that is no configuration of a run."""
    run: Any = OmegaConf.load(path)
    if not all("_target_" in run[group] for group in ("dataset", "model", "loss", "trainer")):
        raise ValueError
    return run
