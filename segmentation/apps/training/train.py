"""Training: announce, build, pass the objects to the loop, and leave a complete run folder."""

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import nn

from segmentation.apps.config.check import check_config
from segmentation.apps.config.content import flat
from segmentation.apps.dataset.check import check_before_training
from segmentation.apps.describe import describe_model, tell_class_weights
from segmentation.apps.training.batch_size import find_batch_size
from segmentation.apps.training.find_lr import find_lr
from segmentation.apps.training.resume import batch_size_of, find_checkpoint_to_resume, resume, split_of
from segmentation.build.class_weights import asks_for_counts, fill_class_weights
from segmentation.build.data import build_source, build_split, sample_keys, write_split_file
from segmentation.build.feed import build_feed, draw_training_samples, first_training_samples
from segmentation.build.kinds import kind_for, kind_of
from segmentation.build.model import build_loss, build_model
from segmentation.build.sets import Source
from segmentation.build.training import build_options, build_state
from segmentation.data.sampler import TrainingBatches
from segmentation.data.splits import Split, write_split
from segmentation.engine.freeze import encoder_of
from segmentation.engine.layer_decay import describe_groups
from segmentation.engine.loop import Spent, fit
from segmentation.engine.options import TrainerOptions
from segmentation.engine.record import Recorder
from segmentation.engine.state import Progress
from segmentation.engine.task import Feed, Task
from segmentation.errors import UserError
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.models.batch_norm import norms_of_single_values
from segmentation.reports.curves import draw_curves
from segmentation.runtime.console import table_text
from segmentation.runtime.device import choose_device, choose_precision, describe_device
from segmentation.runtime.environment import describe_environment
from segmentation.runtime.files import write_json, write_text
from segmentation.runtime.run_folder import RunFolder, begin_log
from segmentation.runtime.seeds import seed_everything
from segmentation.runtime.tracking import Tracker

log = logging.getLogger("segmentation")


def train(cfg: DictConfig, path: Path) -> float | None:
    """Train as `cfg` says into the run folder `path`; returns the best monitored value.

    Raises `UserError` before anything is computed for whatever is wrong with the configuration, the data or the
    checkpoint to resume.
    """
    check_config(cfg)
    with ExitStack() as until_the_end:
        return _train(cfg, RunFolder(path), until_the_end)


def _train(cfg: DictConfig, folder: RunFolder, until_the_end: ExitStack) -> float | None:
    record = hydras_record(cfg)
    if cfg.dataset.get("root"):
        cfg.dataset.root = str(Path(cfg.dataset.root).absolute())  # for those who use the run from elsewhere
    resumed = find_checkpoint_to_resume(cfg.trainer.resume, folder)
    device = choose_device(cfg.trainer.device)
    precision = choose_precision(cfg.trainer.precision, device)
    log.info("device: %s", describe_device(device, precision))

    source = build_source(cfg.dataset)
    adopt_classes(cfg, source)
    parts = split_of(resumed, source) if resumed else build_split(cfg.dataset, source)
    tell_split(source, sample_keys(parts))
    check_before_training(cfg, source, parts, resumes=resumed is not None)
    counts = kind_of(source).class_counts(cfg, source, parts["train"]) if asks_for_counts(cfg) else None
    fill_class_weights(cfg.loss, counts)
    tell_class_weights(cfg.loss, source.classes)
    if cfg.trainer.batch_size == "auto":
        cfg.trainer.batch_size = (
            batch_size_of(resumed) if resumed else find_batch_size(cfg, source, parts, counts, device, precision)
        )
    options = build_options(cfg, validates=bool(parts["val"]))

    seed_everything(cfg.seed)
    feed = build_feed(cfg, source, parts, options, counts)
    model = build_model(cfg, source.classes, options, device, pretrained=resumed is None)
    refuse_single_images(model, feed, options.batch_size, device)
    if options.freeze_encoder_epochs:
        encoder_of(model)
    log.info("model: %s", describe_model(cfg.model, model))
    task = Task(build_loss(cfg.loss, device), SegmentationMetric(source.classes), device, precision)
    state = build_state(cfg, model, feed, task, options)
    log.info("%s", table_text("parameter groups", *describe_groups(state.optimizer.param_groups)))
    if options.find_lr:
        begin_log()
        find_lr(cfg, state, feed, task, options, folder)
        return None
    if resumed is not None:
        resume(state, resumed, folder, cfg)

    until_the_end.enter_context(folder.held())  # not before: a refused start leaves no trace
    begin_log()
    for name, text in record.items():
        write_text(folder.hydra / name, text)
    if resumed is None:
        write_split_file(cfg.dataset, source)
    write_description(folder, cfg, source, sample_keys(parts), describe_environment(device, precision.name, cfg.seed))
    tracker = Tracker(folder, state.progress.step)
    tracker.event("start", state.progress.step, {"resumed": None if resumed is None else str(resumed)})
    recorder = Recorder(folder, tracker, source.classes.names, device, kind_of(source).WORDS.samples)
    for name, picture in draw_training_samples(feed):
        recorder.save_picture(f"training_samples/{name.replace('/', '_')}.png", picture)
        tracker.picture(0, f"training_samples/{name}", picture)
    recorder.write_history(state.progress)
    try:
        spent = fit(state, feed, task, options, recorder)
    except KeyboardInterrupt:
        write_summary(folder, state.progress, options, Spent(ended="interrupted"), model)
        log.warning(
            "stopped after %s; to go on: the same command with %s", _done(state.progress), _how_to_go_on(folder)
        )
        raise
    except UserError as error:
        write_summary(folder, state.progress, options, Spent(ended=str(error)), model)
        raise
    finally:
        tracker.close()
    finish(cfg, folder, state.progress, options, spent, model)
    return state.progress.best_value


def adopt_classes(cfg: DictConfig, source: Source) -> None:
    """Classes that a file or the data tells become part of the configuration, which is checked again with their names.

    A list with a void that is ignored cannot be told from the classes; it stays where it is.
    """
    if "classes" not in cfg.dataset or OmegaConf.is_list(cfg.dataset.classes):
        return
    known = cfg.copy()
    known.dataset.classes = source.classes.to_entries()
    without_void = bool(cfg.dataset.get("ignore_void"))
    if without_void:
        known.dataset.ignore_void = False
    check_config(known)
    if not without_void:
        cfg.dataset.classes = known.dataset.classes


def hydras_record(cfg: DictConfig) -> dict[str, str]:
    """What Hydra itself writes to `.hydra/`, by file name: the configuration before it is resolved and filled in.

    Nothing where it was not Hydra that started the run.
    """
    if not HydraConfig.initialized():
        return {}
    parts = {"config": cfg, "hydra": HydraConfig.instance().cfg, "overrides": HydraConfig.get().overrides.task}
    return {f"{name}.yaml": OmegaConf.to_yaml(part) for name, part in parts.items()}


def refuse_single_images(model: nn.Module, feed: Feed, batch_size: int, device: torch.device) -> None:
    """A batch norm over a single value (one image, pooled to one pixel) has nothing to estimate."""
    batches, samples = feed.train.batch_sampler, len(feed.train.dataset)  # type: ignore[arg-type]
    if not isinstance(batches, TrainingBatches) or batches.smallest > 1:
        return
    (sample,) = first_training_samples(feed, 1)
    norms = norms_of_single_values(model, sample.to(device).inputs)
    if norms:
        raise UserError(
            f"trainer.batch_size={batch_size} with {samples} training images: the model's batch norms need at least "
            f"two images in a batch ({norms[0]} sees one value of a single one); raise trainer.batch_size "
            "(trainer.accumulate_grad_batches does not help)"
        )


def tell_split(source: Source, keys: Split) -> None:
    counts = ", ".join(f"{len(samples)} {part}" for part, samples in keys.items())
    used = sum(map(len, keys.values()))
    unused = f"; {len(source.samples) - used} samples are in no part" if used < len(source.samples) else ""
    log.info("data: %s, %d samples: %s%s", source.title, len(source.samples), counts, unused)
    if not keys["val"]:
        log.warning("there is no validation split: training goes without, and best.pt follows train/loss")


def write_description(
    folder: RunFolder, cfg: DictConfig, source: Source, keys: Split, environment: dict[str, Any]
) -> None:
    """What others need to use the run without asking: configuration, samples, classes, environment."""
    classes = source.classes
    write_text(folder.config, OmegaConf.to_yaml(cfg, resolve=True))
    write_split(folder.splits, keys)
    write_json(folder.classes, {"classes": classes.to_entries(), "ignore_index": classes.ignore_index})
    write_json(folder.environment, environment)


def finish(
    cfg: DictConfig, folder: RunFolder, progress: Progress, options: TrainerOptions, spent: Spent, model: nn.Module
) -> None:
    """Summary, curves, hyper-parameters, and a word on where everything is."""
    write_summary(folder, progress, options, spent, model)
    place = kind_for(cfg.dataset).WORDS.place
    draw_curves(progress.history, options.monitor, options.monitor_mode, folder.curves, place)
    tracker = Tracker(folder, progress.step)
    best = progress.best_value
    chosen = {
        name: value for name, value in flat(OmegaConf.to_container(cfg, resolve=True)).items() if _is_plain(value)
    }
    tracker.hyperparameters(chosen, {} if best is None else {options.monitor: best})
    tracker.close()
    log.info("%s", _time_shares(progress, spent) if spent.seconds else f"nothing was left to train: {_done(progress)}")
    if best is not None:
        log.info("best %s %.4f at epoch %d", options.monitor, best, progress.best_epoch)
    log.info(
        "run folder: %s (curves.png, visualizations/, train.log; tensorboard --logdir %s)", folder.path, folder.path
    )


def write_summary(
    folder: RunFolder, progress: Progress, options: TrainerOptions, spent: Spent, model: nn.Module
) -> None:
    write_json(
        folder.summary,
        {
            "ended": spent.ended,
            "epochs": progress.epoch,
            "steps": progress.step,
            "monitor": options.monitor,
            "best_epoch": progress.best_epoch,
            "best_value": progress.best_value,
            "best": progress.history[progress.best_epoch - 1] if progress.best_epoch else None,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "seconds": round(sum(row["epoch_seconds"] for row in progress.history), 3),
            "last_process_seconds": {name: round(seconds, 3) for name, seconds in spent.seconds.items()},
        },
    )


def _time_shares(progress: Progress, spent: Spent) -> str:
    total = spent.seconds["epoch"]
    inner = {name: seconds for name, seconds in spent.seconds.items() if name != "epoch"}
    inner["other"] = total - sum(seconds for name, seconds in inner.items() if name != "data")  # it is within training
    shares = ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in inner.items())
    return f"{_done(progress)} in {total:.0f} s ({shares}): {spent.ended}"


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str)


def _done(progress: Progress) -> str:
    return f"{progress.epoch} epochs, {progress.step} steps"


def _how_to_go_on(folder: RunFolder) -> str:
    return f"trainer.resume=auto hydra.run.dir={folder.path}"
