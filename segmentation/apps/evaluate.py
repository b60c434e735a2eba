"""Score a checkpoint of a run on one of its splits, or on other data with the same classes."""

import logging
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.apps.config.check import faults_in_dataset, faults_in_evaluation, raise_faults
from segmentation.apps.describe import scan_and_tell
from segmentation.build.data import build_source, build_split
from segmentation.build.feed import evaluation_images, evaluation_loader
from segmentation.build.model import build_loss, build_model
from segmentation.build.training import build_options
from segmentation.classes import Classes
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.data.splits import assign, read_split
from segmentation.engine.evaluate import evaluate
from segmentation.engine.memory import advice_for_evaluation, explains_out_of_memory
from segmentation.engine.record import class_table, headline
from segmentation.engine.state import load_weights
from segmentation.errors import UserError
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.runtime.checkpoint import load_checkpoint
from segmentation.runtime.console import progress_bar
from segmentation.runtime.device import choose_device, choose_precision, describe_device
from segmentation.runtime.files import read_json, write_json
from segmentation.runtime.run_folder import RunFolder, read_written

log = logging.getLogger("segmentation")


def evaluate_run(cfg: DictConfig) -> float:
    """Print the scores, write them to the run's evaluation folder, and return the mIoU.

    With the choices of training (precision, batch size) the numbers are those that training had at the checkpoint.
    """
    _check(cfg)
    folder = RunFolder.existing(str(cfg.run))
    run = _as_evaluated(read_written(folder.config, _read_config), cfg)
    raise_faults(faults_in_dataset(run))
    device = choose_device(run.trainer.device)
    precision = choose_precision(run.trainer.precision, device)
    log.info("device: %s", describe_device(device, precision))

    classes = read_written(folder.classes, read_classes)
    source = build_source(run.dataset)
    if source.classes.names != classes.names:
        raise UserError(f"{source.title} has other classes than the run: {_difference(source.classes, classes)}")
    samples = _samples(cfg, run, source, folder)
    path = folder.find_checkpoint(cfg.checkpoint)
    content = load_checkpoint(path)
    weights = "ema" if cfg.weights == "ema" and content.get("ema") else "raw"
    model = build_model(run.model, classes, build_options(run, validates=True), device, pretrained=False)
    load_weights(model, content["ema"]["model"] if weights == "ema" else content["model"])

    dataset = evaluation_images(run, source, samples)
    loader = evaluation_loader(dataset, run.trainer.val_batch_size, run.trainer.num_workers)
    loss, metric = build_loss(run.loss, device), SegmentationMetric(classes)
    started = time.perf_counter()
    too_large = advice_for_evaluation(run.trainer.val_batch_size)
    with explains_out_of_memory(too_large), progress_bar(f"evaluating {cfg.split}", len(loader)) as bar:
        scores = evaluate(model, loader, loss, metric, device, precision, bar.advance)
    seconds = time.perf_counter() - started
    row = {f"{cfg.split}/{name}": value for name, value in scores.items()}

    log.info("%s", class_table(row, cfg.split, classes.names))
    log.info("%s  %s", cfg.split, headline(row, cfg.split))
    epoch = content["epoch"] if "epoch" in content else content["progress"]["epoch"]
    result = {
        "split": cfg.split,
        "data": source.title,
        "images": len(samples),
        "checkpoint": str(path),
        "epoch": epoch,
        "weights": weights,
        "precision": precision.name,
        "image_size": None if run.dataset.image_size is None else list(run.dataset.image_size),
        "seconds": round(seconds, 3),
        "images_per_second": round(len(samples) / seconds, 3),
        "metrics": row,
        "confusion": metric.confusion.tolist(),
    }
    name = _result_name(cfg, folder, path)
    write_json(folder.evaluation / f"{name}.json", result)
    log.info("%s, epoch %d, %s weights -> %s", path, epoch, weights, folder.evaluation / f"{name}.json")
    _tell_agreement(row, folder, content, cfg, weights)
    if cfg.min_mIoU is not None and not scores["mIoU"] >= cfg.min_mIoU:
        raise UserError(f"{cfg.split}/mIoU is {scores['mIoU']:.4f}, below min_mIoU={cfg.min_mIoU}")
    return scores["mIoU"]


def read_classes(path: Path) -> Classes:
    content = read_json(path)
    return Classes.from_entries(content["classes"], content["ignore_index"])


def _check(cfg: DictConfig) -> None:
    if OmegaConf.is_missing(cfg, "run"):
        raise UserError("run=FOLDER is needed: the run folder that train.py wrote, outputs/<experiment_name>/<date>")
    raise_faults(faults_in_evaluation(cfg))


def _read_config(path: Path) -> Any:
    """Raises whatever a file makes it raise that is no configuration of a run."""
    run: Any = OmegaConf.load(path)
    if not all("_target_" in run[group] for group in ("dataset", "model", "loss", "trainer")):
        raise ValueError
    return run


def _as_evaluated(run: Any, cfg: DictConfig) -> DictConfig:
    """The run's configuration with what evaluation changes."""
    trainer = {
        "trainer.device": cfg.device,
        "trainer.precision": cfg.precision,
        "trainer.val_batch_size": cfg.batch_size,
        "trainer.num_workers": cfg.num_workers,
    }
    for key, value in trainer.items():
        if value is not None:
            OmegaConf.update(run, key, value)
    if "_target_" in cfg.dataset:  # another data set, shown to the model as the run's was
        run.dataset = OmegaConf.merge(cfg.dataset, _shown_alike(run.dataset))
    elif cfg.dataset.root is not None:
        if not Path(cfg.dataset.root).is_dir():  # the drawn data set would be drawn there
            raise UserError(f"dataset.root={cfg.dataset.root} is no folder: name the data that is to be scored")
        run.dataset.root = cfg.dataset.root
    return run


def _shown_alike(dataset: DictConfig) -> dict[str, Any]:
    """What the model and the loss of the run take for granted."""
    return {key: dataset[key] for key in ("image_size", "ignore_index", "in_channels") if key in dataset}


def _samples(cfg: DictConfig, run: DictConfig, source: ImageSource, folder: RunFolder) -> list[ImageSample]:
    """Of the run's data: what splits.json recorded; of other data: its own split."""
    if "_target_" in cfg.dataset:
        parts = build_split(run.dataset, source, must_train=False)
        scan_and_tell(replace(source, samples=tuple(parts[cfg.split])))
    else:
        split = read_written(folder.splits, read_split)
        parts = assign(source.samples, {cfg.split: split[cfg.split]})
    samples = parts[cfg.split]
    if not samples:
        raise UserError(f"split={cfg.split} has no samples in this run: choose one of those in {folder.splits}")
    return samples


def _difference(given: Classes, expected: Classes) -> str:
    missing = sorted(set(expected.names) - set(given.names))
    extra = sorted(set(given.names) - set(expected.names))
    return f"missing {missing}, extra {extra}" if missing or extra else "the same names in another order"


def _result_name(cfg: DictConfig, folder: RunFolder, path: Path) -> str:
    """`val` for the best checkpoint's EMA weights; every other choice is in the name."""
    own = path.resolve().parent == folder.checkpoints.resolve()
    checkpoint = path.stem if own else f"{path.resolve().parent.parent.name}-{path.stem}"
    other_data = [] if cfg.dataset.root is None else [Path(cfg.dataset.root).name]
    raw = ["raw"] if cfg.weights == "raw" else []
    precision = [] if cfg.precision is None else [cfg.precision]
    choices = [checkpoint, *raw, *precision, *other_data]
    return cfg.split if choices == ["best"] and own else "-".join([cfg.split, *choices])


def _tell_agreement(
    row: dict[str, float], folder: RunFolder, content: dict[str, Any], cfg: DictConfig, weights: str
) -> None:
    """Compare with what training had, where it scored the same weights on the same samples."""
    same = (
        weights == ("ema" if content.get("ema") else "raw") and "_target_" not in cfg.dataset and "progress" in content
    )
    history = content["progress"]["history"] if same else []
    trained = history[-1].get(f"{cfg.split}/mIoU") if history and cfg.split == "val" else None
    if trained is None or math.isnan(trained):
        return
    verdict = "equal" if trained == row["val/mIoU"] else f"differs by {row['val/mIoU'] - trained:+.2e}"
    log.info("training had val/mIoU %.4f at this checkpoint: %s", trained, verdict)
