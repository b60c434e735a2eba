"""Runs in predict.py: what they were trained on decides what they are asked about."""

import logging

from omegaconf import DictConfig

from segmentation.apps.prediction.images import ImageTask
from segmentation.apps.prediction.meshes import MeshTask
from segmentation.apps.prediction.models import Opened, asked_size, asked_tiles
from segmentation.apps.prediction.runs import Runs
from segmentation.apps.prediction.task import Task
from segmentation.build.images import image_size
from segmentation.build.kinds import kind_for
from segmentation.build.make import plain
from segmentation.build.meshes import is_for_meshes
from segmentation.data.image.files import PixelFormat
from segmentation.engine.scorer import Member, TrainedScorer
from segmentation.errors import UserError
from segmentation.inference.augmented import views

log = logging.getLogger("segmentation")
ON_GPU, ON_CPU = 8, 1  # tiles at once: on a CPU more are no faster


def task_of_runs(cfg: DictConfig) -> Task:
    """Raises `UserError` for what is no run, for runs that cannot be averaged, and for what does not go with them."""
    runs = Runs.of(cfg)
    kinds = {kind_for(run.model): folder.path for folder, run in zip(runs.folders, runs.configs, strict=True)}
    if len(kinds) > 1:
        told = ", ".join(f"{path} is a run on {kind.WORDS.samples}" for kind, path in kinds.items())
        raise UserError(f"{told}: they cannot be averaged")
    of_meshes = is_for_meshes(runs.configs[0].model)
    return MeshTask.of(cfg, runs) if of_meshes else ImageTask.of(cfg, open_images(cfg, runs))


def open_images(cfg: DictConfig, runs: Runs) -> Opened:
    """Raises `UserError` for runs on different kinds of images."""
    formats = [PixelFormat(int(run.dataset.in_channels), run.dataset.max_value) for run in runs.configs]
    for folder, other in zip(runs.folders[1:], formats[1:], strict=True):
        if other != formats[0]:
            told = f"{folder.path} is shown {other} and {runs.folders[0].path} {formats[0]}"
            raise UserError(f"{told}: they cannot be averaged")
    return Opened(runs.classes, formats[0], runs.identity, lambda: _scorer(cfg, runs))


def _scorer(cfg: DictConfig, runs: Runs) -> TrainedScorer:
    device, precision = runs.device()
    members = []
    for model, folder, run in zip(runs.models(device), runs.folders, runs.configs, strict=True):
        if run.augmentation.get("val"):
            log.warning("%s: what its augmentation.val does to images is not done here", folder.path)
        members.append(Member(model, asked_size(cfg, image_size(run.dataset))))
    tiles = asked_tiles(cfg, ON_GPU if device.type == "cuda" else ON_CPU)
    return TrainedScorer(members, runs.classes, device, precision, tiles, cfg.tile is None, views(**plain(cfg.tta)))
