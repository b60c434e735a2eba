"""Score a checkpoint of a run on one of its splits, or on other data with the same classes."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from segmentation.apps.config.check import faults_in_dataset
from segmentation.apps.config.faults import raise_faults
from segmentation.apps.describe import tell_masks
from segmentation.apps.evaluation.label_errors import write_label_errors
from segmentation.apps.evaluation.page import pictures_for, write_page
from segmentation.apps.evaluation.result import counts_of_val, read_result, read_summary, refuse_below, write_result
from segmentation.apps.runs.data import locate_data, open_data
from segmentation.apps.runs.opened import Trained, as_asked, classes_of, load_trained, names_of_choices, open_run
from segmentation.build.data import build_split
from segmentation.build.feed import evaluation_loader
from segmentation.build.kinds import kind_for, kind_of
from segmentation.build.make import plain
from segmentation.build.model import build_loss
from segmentation.build.predictor import predictor
from segmentation.build.sets import Source
from segmentation.data.image.source import ImageSource
from segmentation.data.splits import assign, read_split
from segmentation.engine.evaluate import evaluate
from segmentation.engine.memory import advice_for_evaluation, explains_out_of_memory
from segmentation.errors import UserError
from segmentation.metrics.by_sample import SampleMetric
from segmentation.metrics.kept import KeptCounts
from segmentation.metrics.summary import Summary, counters
from segmentation.runtime.console import progress_bar
from segmentation.runtime.device import choose_device, choose_precision, describe_device
from segmentation.runtime.distributed import World, first_goes_ahead, process_group, world_of_torchrun
from segmentation.runtime.environment import describe_environment
from segmentation.runtime.run_folder import RunFolder, read_written

log = logging.getLogger("segmentation")


def evaluate_run(cfg: DictConfig) -> float:
    """Print the scores, write them to the run's evaluation folder, and return the mIoU.

    With the choices of training (precision, batch size, whole images as they are) the numbers are those that training
    had at the checkpoint. `from_counts` takes what an evaluation kept and runs no model. Of several ranks each scores
    its part; rank 0 alone tells and writes, the others return NaN.
    """
    folder, run = open_run(cfg)
    if cfg.from_counts:
        return _from_counts(cfg, folder, run)
    _choose_data(run, cfg)
    _refuse_what_is_of_images(run, cfg)
    raise_faults(faults_in_dataset(run))
    world = world_of_torchrun()
    device = world.device(choose_device(run.trainer.device))
    with process_group(world, device):
        return _evaluate(cfg, folder, run, device, world)


def _from_counts(cfg: DictConfig, folder: RunFolder, run: DictConfig) -> float:
    if world_of_torchrun().size > 1:
        raise UserError("from_counts=true takes a moment in a single process: start it without torchrun")
    name = _result_name(cfg, folder)
    about, scores = read_result(folder, name)
    for option in ("boundary_width", "boundary_tolerance"):
        if about.get(option) != cfg[option]:
            raise UserError(
                f"{option}={cfg[option]}: what evaluation/{name}.npz counted has {about.get(option)}; give that, or "
                "evaluate without from_counts"
            )
    summary = read_summary(folder, name, _result_name(cfg, folder, "val"), cfg.resamples, cfg.seed)
    words = kind_for(run.dataset).WORDS
    write_result(folder.evaluation / name, summary, about, scores, words.samples)
    if cfg.report:
        write_page(folder.evaluation / f"{name}.html", classes_of(folder), summary, about, {}, words)
        log.info("the page has no pictures now: they need the model")
    refuse_below(cfg.min_mIoU, cfg.split, summary.values["mIoU"])
    return summary.values["mIoU"]


def _evaluate(cfg: DictConfig, folder: RunFolder, run: DictConfig, device: torch.device, world: World) -> float:
    precision = choose_precision(run.trainer.precision, device)
    log.info("device: %s%s", describe_device(device, precision), f", {world.size} ranks" if world.size > 1 else "")
    classes = classes_of(folder)
    with first_goes_ahead(world):
        source = open_data(run, classes)
        samples = _samples(cfg, run, source, folder)
    trained = load_trained(cfg, folder, run, classes, device)

    kind, batch_size = kind_of(source), run.trainer.val_batch_size
    loader = evaluation_loader(run, source, samples, world)
    model, loss = as_asked(trained.model, cfg, batch_size), build_loss(run.loss, device)
    counted = counters(classes, cfg.boundary_width, cfg.boundary_tolerance, len(samples))
    if not kind.ARE_GRIDS:
        counted.pop("boundary")
    metric = SampleMetric(classes, counted)
    started = time.perf_counter()
    too_large = advice_for_evaluation(batch_size, kind.ARE_GRIDS)
    with explains_out_of_memory(too_large), progress_bar(f"evaluating {cfg.split}", len(loader)) as bar:
        scores = evaluate(model, loader, loss, metric, device, precision, bar.advance)
    seconds = time.perf_counter() - started
    if not world.is_first:
        return math.nan
    about = {
        "split": cfg.split,
        "data": source.title,
        "images": len(samples),
        "root": run.dataset.get("root"),
        "checkpoint": str(trained.path),
        "epoch": trained.epoch,
        "weights": trained.weights,
        "precision": precision.name,
        "image_size": plain(run.dataset).get("image_size"),
        "tile": None if cfg.tile is None else list(cfg.tile),
        "overlap": None if cfg.tile is None else cfg.overlap,
        "tta": plain(cfg.tta),
        "boundary_width": cfg.boundary_width,
        "boundary_tolerance": cfg.boundary_tolerance,
        "ranks": world.size,
        "seconds": round(seconds, 3),
        "images_per_second": round(len(samples) / seconds, 3),
        "environment": describe_environment(device, precision.name, cfg.seed),
    }
    stem = folder.evaluation / _result_name(cfg, folder)
    kept = _kept(metric, samples)
    kept.save(stem.with_name(f"{stem.name}.npz"))
    val = kept if cfg.split == "val" else counts_of_val(folder, _result_name(cfg, folder, "val"))
    summary = Summary(kept, val, cfg.resamples, cfg.seed)
    write_result(stem, summary, about, scores, kind.WORDS.samples)
    log.info("%s, epoch %d, %s weights -> %s.json, .npz", trained.path, trained.epoch, trained.weights, stem)
    _tell_agreement(summary.values["mIoU"], trained, cfg)
    predict = predictor(model, run, source, device, precision)
    with explains_out_of_memory(too_large):
        if cfg.report:
            page = stem.with_name(f"{stem.name}.html")
            drawn = pictures_for(summary, kind.drawing(run.dataset, source), samples, predict)
            write_page(page, classes, summary, about, drawn, kind.WORDS)
            log.info("the page: %s", page)
        if cfg.label_errors:
            write_label_errors(predict, source, samples, stem)
    refuse_below(cfg.min_mIoU, cfg.split, summary.values["mIoU"])
    return summary.values["mIoU"]


def _kept(metric: SampleMetric, samples: Sequence[Any]) -> KeptCounts:
    """In the order of the samples, whatever the batches and the ranks were."""
    groups = {sample.key: sample.group for sample in samples}
    kept = KeptCounts(
        tuple(metric.keys), tuple(groups[key] for key in metric.keys), metric.classes.names, metric.counts()
    )
    return kept.in_order([sample.key for sample in samples])


def _choose_data(run: DictConfig, cfg: DictConfig) -> None:
    """The run's own data, wherever it lies now, or another data set, shown to the model as the run's was."""
    if "_target_" in cfg.dataset:
        given, own = kind_for(cfg.dataset), kind_for(run.dataset)
        if given is not own:
            told = f"is for {given.WORDS.samples}, this is a run on {own.WORDS.samples}"
            raise UserError(f"dataset._target_={cfg.dataset._target_} {told}")
        alike = {key: run.dataset[key] for key in ("ignore_index", *own.TAKEN_FOR_GRANTED) if key in run.dataset}
        run.dataset = OmegaConf.merge(cfg.dataset, alike)
    else:
        locate_data(run, cfg.dataset.root)


def _refuse_what_is_of_images(run: DictConfig, cfg: DictConfig) -> None:
    asked = [*names_of_choices(cfg), *(["label_errors=true"] if cfg.label_errors else [])]
    kind = kind_for(run.model)
    if asked and not kind.ARE_GRIDS:
        told = f"tiles, views and label errors are of images, this is a run on {kind.WORDS.samples}"
        raise UserError(f"{', '.join(asked)}: {told}")


def _samples(cfg: DictConfig, run: DictConfig, source: Source, folder: RunFolder) -> list[Any]:
    """Of the run's data: what splits.json recorded; of other data: its own split."""
    if "_target_" in cfg.dataset:
        parts = build_split(run.dataset, source, must_train=False)
        if not parts[cfg.split]:
            counts = ", ".join(f"{len(samples)} {part}" for part, samples in parts.items())
            raise UserError(f"split={cfg.split} has no samples in {source.title} ({counts}): choose another split")
        if isinstance(source, ImageSource):
            tell_masks(replace(source, samples=tuple(parts[cfg.split])))
    else:
        split = read_written(folder.splits, read_split)
        parts = assign(source.samples, {cfg.split: split[cfg.split]})
    samples = parts[cfg.split]
    if not samples:
        raise UserError(f"split={cfg.split} has no samples in this run: choose one of those in {folder.splits}")
    return samples


def _result_name(cfg: DictConfig, folder: RunFolder, split: str | None = None) -> str:
    """`val` for the best checkpoint's EMA weights; every other choice is in the name. Of `cfg.split` or another."""
    path = Path(cfg.checkpoint)
    foreign = not folder.checkpoint(cfg.checkpoint).is_file() and path.is_file()
    foreign = foreign and path.resolve().parent != folder.checkpoints.resolve()
    checkpoint = f"{path.resolve().parent.parent.name}-{path.stem}" if foreign else path.stem
    other_data = [] if cfg.dataset.root is None else [Path(cfg.dataset.root).resolve().name]
    raw = ["raw"] if cfg.weights == "raw" else []
    precision = [] if cfg.precision is None else [cfg.precision]
    choices = [checkpoint, *raw, *precision, *names_of_choices(cfg), *other_data]
    return "-".join([split or cfg.split, *([] if choices == ["best"] else choices)])


def _tell_agreement(miou: float, trained: Trained, cfg: DictConfig) -> None:
    """Compare with what training had, where it scored the same weights on the same samples."""
    content = trained.content
    shown = "ema" if content.get("ema") else "raw"
    same = trained.weights == shown and "_target_" not in cfg.dataset and "progress" in content
    same = same and cfg.precision is None and not names_of_choices(cfg)
    history = content["progress"]["history"] if same else []
    had = history[-1].get(f"{cfg.split}/mIoU") if history and cfg.split == "val" else None
    if had is None or math.isnan(had):
        return
    verdict = "equal" if had == miou else f"differs by {miou - had:+.2e}"
    log.info("training had val/mIoU %.4f at this checkpoint: %s", had, verdict)
