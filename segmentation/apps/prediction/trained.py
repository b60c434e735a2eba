"""The runs that predict.py asks, one or several."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from segmentation.apps.config.check import refuse_meshes
from segmentation.apps.prediction.models import Opened, asked_size, asked_tiles
from segmentation.apps.runs.data import difference
from segmentation.apps.runs.opened import classes_of, load_trained, open_folder
from segmentation.build.images import image_size
from segmentation.build.make import plain
from segmentation.classes import Classes
from segmentation.data.fingerprint import fingerprint
from segmentation.data.image.files import PixelFormat
from segmentation.engine.scorer import Member, TrainedScorer
from segmentation.errors import UserError
from segmentation.inference.augmented import views
from segmentation.runtime.device import choose_device, choose_precision, describe_device
from segmentation.runtime.run_folder import RunFolder

log = logging.getLogger("segmentation")
ON_GPU, ON_CPU = 8, 1  # tiles at once: on a CPU more are no faster
Run = tuple[RunFolder, DictConfig]


def open_runs(cfg: DictConfig) -> Opened:
    """Those that `cfg.run` names. Raises `UserError` for what is no run, and for runs that cannot be averaged."""
    paths = [cfg.run] if isinstance(cfg.run, str | int) else list(cfg.run)
    runs = [open_folder(str(path)) for path in paths]
    for _, run in runs:
        refuse_meshes(run)
    classes, pixels = _in_common(runs)
    checkpoints = [folder.find_checkpoint(cfg.checkpoint) for folder, _ in runs]
    return Opened(
        classes,
        pixels,
        {
            "run": ", ".join(str(folder.path) for folder, _ in runs),
            "checkpoint": ", ".join(map(str, checkpoints)),
            "file": fingerprint(checkpoints),
        },
        lambda: _scorer(cfg, runs, classes),
    )


def _in_common(runs: list[Run]) -> tuple[Classes, PixelFormat]:
    of_runs = [(classes_of(folder), _pixels(run)) for folder, run in runs]
    classes, pixels = of_runs[0]
    for (folder, _), (other, format_) in zip(runs[1:], of_runs[1:], strict=True):
        if other.names != classes.names:
            told = f"{folder.path} has other classes than {runs[0][0].path}: {difference(other, classes)}"
            raise UserError(f"{told}; only runs with the same classes can be averaged")
        if format_ != pixels:
            raise UserError(f"{folder.path} is shown {format_} and {runs[0][0].path} {pixels}: they cannot be averaged")
    return classes, pixels


def _pixels(run: DictConfig) -> PixelFormat:
    return PixelFormat(int(run.dataset.in_channels), run.dataset.max_value)


def _scorer(cfg: DictConfig, runs: list[Run], classes: Classes) -> TrainedScorer:
    trainer = runs[0][1].trainer
    device = choose_device(cfg.device or trainer.device)
    precision = choose_precision(cfg.precision or trainer.precision, device)
    log.info("device: %s", describe_device(device, precision))
    members = []
    for folder, run in runs:
        trained = load_trained(cfg, folder, run, classes, device)
        log.info("model: %s, epoch %d, %s weights", trained.path, trained.epoch, trained.weights)
        if run.augmentation.get("val"):
            log.warning("%s: what its augmentation.val does to images is not done here", Path(folder.path))
        members.append(Member(trained.model.eval(), asked_size(cfg, image_size(run.dataset))))
    tiles = asked_tiles(cfg, ON_GPU if device.type == "cuda" else ON_CPU)
    return TrainedScorer(members, classes, device, precision, tiles, cfg.tile is None, views(**plain(cfg.tta)))
