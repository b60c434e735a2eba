"""Pictures of what several runs make of the same images, where the data is still there."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from segmentation.apps.comparison.compared import ComparedRun
from segmentation.apps.runs.data import locate_data, open_data
from segmentation.apps.runs.opened import as_asked, classes_of, load_trained, open_run
from segmentation.build.kinds import kind_of
from segmentation.build.predictor import predictor
from segmentation.build.sets import Source
from segmentation.engine.memory import advice_for_evaluation, explains_out_of_memory
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
Pair = tuple[ComparedRun, ComparedRun, Sequence[str]]  # and the keys of the images


def pictures_of(pairs: Sequence[Pair], device: str | None, root: str | None) -> list[list[tuple[str, np.ndarray]]]:
    """For each pair of runs, (key, RGB picture) of each of its images: image, truth, prediction and errors of the first
    run, and below them those of the second.

    The models are run again, as they were evaluated. Where that cannot be (the data or a checkpoint is gone, the memory
    is too small) there are no pictures, and a word on why.
    """
    runs: dict[str, ComparedRun] = {}
    wanted: dict[str, list[str]] = {}  # by the name of the run, which is drawn once for all its pairs
    for first, second, keys in pairs:
        for run in (first, second):
            runs[run.name] = run
            wanted[run.name] = list(dict.fromkeys([*wanted.get(run.name, []), *keys]))
    drawn: dict[str, dict[str, np.ndarray]] = {}
    with progress_bar("drawing", sum(map(len, wanted.values()))) as bar:
        for name, keys in wanted.items():
            if not keys:
                continue
            try:
                with explains_out_of_memory(advice_for_evaluation(1, runs[name].kind.ARE_GRIDS)):
                    drawn[name] = _drawn(runs[name], keys, options_of(runs[name], device, root), bar.advance)
            except UserError as error:
                samples = runs[name].words.samples
                log.warning("no pictures of what %s makes of the %s that changed most: %s", name, samples, error)
    return [
        [(key, np.concatenate([drawn[first.name][key], drawn[second.name][key]])) for key in keys]
        if {first.name, second.name} <= drawn.keys()
        else []
        for first, second, keys in pairs
    ]


def _drawn(
    run: ComparedRun, keys: Sequence[str], options: DictConfig, advance: Callable[[int], None]
) -> dict[str, np.ndarray]:
    folder, config = open_run(options)
    if not locate_data(config, options.dataset.root):
        raise UserError(f"{config.dataset.root} is not there: give dataset.root=PATH")
    source = open_data(config, classes := classes_of(folder))
    torch_device = choose_device(config.trainer.device)
    precision = choose_precision(config.trainer.precision, torch_device)
    trained = load_trained(options, folder, config, classes, torch_device)
    model = as_asked(trained.model, options, config.trainer.val_batch_size)
    drawing = kind_of(source).drawing(config.dataset, source)
    pictures: dict[str, np.ndarray] = {}
    for batch, logits in predictor(model, config, source, torch_device, precision)(_samples(source, keys)):
        pictures |= dict(drawing(batch, logits))
        advance(batch.size)
    return pictures


def options_of(run: ComparedRun, device: str | None, root: str | None) -> DictConfig:
    """Those of evaluate.py that the run was evaluated with; the data may lie elsewhere now, at `root`."""
    choices = {key: usual if (value := run.result.get(key)) is None else value for key, usual in CHOICES.items()}
    data = {"root": root or run.result.get("root")}
    own = {"run": str(run.folder.path), "checkpoint": run.checkpoint, "device": device, "dataset": data}
    return OmegaConf.create({**choices, **own, "batch_size": 1, "num_workers": 0})


def _samples(source: Source, keys: Sequence[str]) -> list[Any]:
    by_key = {sample.key: sample for sample in source.samples}
    missing = [key for key in keys if key not in by_key]
    if missing:
        raise UserError(f"{source.title} has no {missing[0]}: give dataset.root=PATH of the data that was evaluated")
    return [by_key[key] for key in keys]
