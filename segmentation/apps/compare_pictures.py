"""Pictures of what several runs make of the same images, where the data is still there."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from segmentation.apps.compared import ComparedRun
from segmentation.apps.trained import as_asked, classes_of, load_trained, open_run
from segmentation.build.data import build_source
from segmentation.build.predictor import predictor
from segmentation.data.image.draw import ImageDrawing
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.errors import UserError
from segmentation.runtime.console import progress_bar
from segmentation.runtime.device import choose_device, choose_precision

log = logging.getLogger("segmentation")
# What an evaluation writes of its choices, and what they are where it does not.
CHOICES: dict[str, Any] = {
    "weights": "ema",
    "precision": None,
    "tile": None,
    "overlap": 0.5,
    "tta": {"flips": [], "rotations": [], "scales": []},
}


def pictures_of(
    runs: Sequence[ComparedRun], keys: Sequence[str], device: str | None, root: str | None
) -> list[tuple[str, np.ndarray]]:
    """(key, RGB picture) of each image: image, truth, prediction and errors of every run, one below the other.

    The models are run again, as they were evaluated. Where that cannot be (the data or a checkpoint is gone) there are
    no pictures, and a word on why.
    """
    try:
        with progress_bar("drawing", len(runs) * len(keys)) as bar:
            drawn = [_drawn(run, keys, _options(run, device, root), bar.advance) for run in runs]
    except UserError as error:
        log.warning("no pictures of the images that changed most: %s", error)
        return []
    return [(key, np.concatenate([of_run[key] for of_run in drawn])) for key in keys]


def _drawn(
    run: ComparedRun, keys: Sequence[str], options: DictConfig, advance: Callable[[int], None]
) -> dict[str, np.ndarray]:
    folder, config = open_run(options)
    if options.dataset.root is not None:
        config.dataset.root = options.dataset.root
    if not Path(str(config.dataset.get("root"))).exists():  # the drawn data set would be drawn there
        raise UserError(f"{config.dataset.get('root')} is not there: give dataset.root=PATH")
    source = build_source(config.dataset)
    torch_device = choose_device(config.trainer.device)
    precision = choose_precision(config.trainer.precision, torch_device)
    trained = load_trained(options, folder, config, classes_of(folder), torch_device)
    model = as_asked(trained.model, options, config.trainer.val_batch_size)
    drawing = ImageDrawing(source.classes)
    pictures: dict[str, np.ndarray] = {}
    for batch, logits in predictor(model, config, source, torch_device, precision)(_samples(source, keys)):
        pictures |= dict(drawing(batch, logits))
        advance(batch.size)
    return pictures


def _options(run: ComparedRun, device: str | None, root: str | None) -> DictConfig:
    """Those of evaluate.py that the run was evaluated with."""
    written = Path(run.result["checkpoint"])
    checkpoint = str(written) if written.is_file() else written.stem
    choices = {key: run.result.get(key) or usual for key, usual in CHOICES.items()}
    own = {"run": str(run.folder.path), "checkpoint": checkpoint, "device": device, "dataset": {"root": root}}
    return OmegaConf.create({**choices, **own, "batch_size": 1, "num_workers": 0})


def _samples(source: ImageSource, keys: Sequence[str]) -> list[ImageSample]:
    by_key = {sample.key: sample for sample in source.samples}
    missing = [key for key in keys if key not in by_key]
    if missing:
        raise UserError(f"{source.title} has no {missing[0]}: give dataset.root=PATH of the data that was evaluated")
    return [by_key[key] for key in keys]
