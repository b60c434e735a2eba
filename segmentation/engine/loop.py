"""The training loop, top to bottom."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from segmentation.data.sampler import TrainingBatches
from segmentation.engine.after_step import AfterStep
from segmentation.engine.batch_norms import refresh_average
from segmentation.engine.checkpoints import note_best, note_stopping, save_checkpoints, stopped_early
from segmentation.engine.clipping import clip_gradients
from segmentation.engine.evaluate import LossMean, evaluate
from segmentation.engine.freeze import to_training
from segmentation.engine.memory import advice_for_training, explains_out_of_memory
from segmentation.engine.options import TrainerOptions
from segmentation.engine.record import Recorder
from segmentation.engine.state import Progress, Row, TrainState
from segmentation.engine.task import Feed, FollowsProgress, Task
from segmentation.errors import UserError
from segmentation.outputs import Outputs
from segmentation.runtime.console import progress_bar
from segmentation.runtime.device import peak_memory_mb, reset_peak_memory
from segmentation.runtime.timing import Stopwatch

log = logging.getLogger("segmentation")
Forward = Callable[[Any], Outputs]


@dataclass
class Spent:
    """What the time of all epochs of this process went into, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)
    ended: str = ""


def steps_in(options: TrainerOptions, batches: int) -> tuple[int, int]:
    """(optimizer steps in the whole run, steps in an epoch): durations become steps here and nowhere else."""
    steps_per_epoch = math.ceil(batches / options.accumulate_grad_batches)
    total = options.epochs * steps_per_epoch
    return min(total, options.max_steps or total), steps_per_epoch


def fit(state: TrainState, feed: Feed, task: Task, options: TrainerOptions, recorder: Recorder) -> Spent:
    """Train until the steps are done or early stopping ends it; goes on from wherever `state` stands."""
    progress = state.progress
    total_steps, steps_per_epoch = steps_in(options, len(feed.train))
    epochs = math.ceil(total_steps / steps_per_epoch)
    forward: Forward = torch.compile(state.model) if options.compile else state.model
    too_large = advice_for_training(options.batch_size, options.accumulate_grad_batches)
    spent = Spent()

    while progress.step < total_steps and not stopped_early(progress, options):
        watch = Stopwatch()
        with explains_out_of_memory(too_large), watch.measure("epoch"):
            row: Row = {
                "epoch": progress.epoch + 1,
                **train_epoch(state, forward, feed, task, options, recorder, watch),
            }
            progress.epoch += 1
            row["step"] = progress.step
            stopping = options.early_stopping.monitor
            if stopping in row:  # a training score: known before validation, which follows the last epoch
                note_stopping(progress, row[stopping], options)
            last = progress.step >= total_steps or stopped_early(progress, options)

            if state.average is not None and progress.step > options.average_start * total_steps:
                state.average.update_parameters(state.model)
            validated = feed.val is not None and (progress.epoch % options.val_interval == 0 or last)
            if validated:
                with watch.measure("validation"):
                    row.update(validate(state, feed, task))
                _check_finite({"val/loss": row["val/loss"]}, progress)
            if options.visualization_interval and (progress.epoch % options.visualization_interval == 0 or last):
                with watch.measure("pictures"):
                    draw_pictures(state, feed, task, recorder)

            monitored = row.get(options.monitor)
            state.schedule.epoch_end(monitored)
            if monitored is not None:
                note_best(progress, monitored, options)
            if validated and stopping.startswith("val/"):
                note_stopping(progress, row[stopping], options)
            progress.history.append(row)
            with watch.measure("checkpoint"):
                row["epoch_seconds"] = round(watch.so_far("epoch"), 3)
                save_checkpoints(recorder.folder, state)
        recorder.epoch(progress, epochs, row, watch.seconds)
        for name, seconds in watch.seconds.items():
            spent.seconds[name] = spent.seconds.get(name, 0.0) + seconds

    if not recorder.folder.checkpoint("last").is_file():  # a run that was over already, resumed into a new folder
        save_checkpoints(recorder.folder, state)
    if state.average is not None:
        with explains_out_of_memory(too_large):
            refresh_average(state, feed, task, recorder.folder)
    spent.ended = "early stopping" if stopped_early(progress, options) else "all steps done"
    return spent


def train_epoch(
    state: TrainState,
    forward: Forward,
    feed: Feed,
    task: Task,
    options: TrainerOptions,
    recorder: Recorder,
    watch: Stopwatch,
) -> Row:
    """One pass over the training samples, or what is left of the steps; returns the epoch's row less validation.

    Nothing in a step waits for the device: whether GradScaler skipped one (fp16) is asked when the next is due.
    """
    progress, optimizer, scaler = state.progress, state.optimizer, state.scaler
    total_steps, steps_per_epoch = steps_in(options, len(feed.train))
    steps = min(steps_per_epoch, total_steps - progress.step)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    batches, window = len(feed.train), options.accumulate_grad_batches
    assert isinstance(feed.train.batch_sampler, TrainingBatches)
    feed.train.batch_sampler.epoch = progress.epoch
    after_step, epoch_losses, recent_losses = AfterStep(state), LossMean(), LossMean()
    first_step = progress.step
    to_training(state.model, parameters, progress.epoch, options.freeze_encoder_epochs)
    task.metric.reset()
    recorder.start_epoch()
    reset_peak_memory(task.device)

    with watch.measure("training"), progress_bar(f"epoch {progress.epoch + 1}", steps) as bar:
        for index, batch in enumerate(watch.waiting_for(feed.bad_samples.told_of(feed.train), "data")):
            batch = feed.transform_batch(batch.to(task.device), progress.epoch * batches + index)
            task.loss.progress = progress.step / total_steps
            if isinstance(state.model, FollowsProgress):
                state.model.progress = task.loss.progress
            with task.precision.autocast(task.device):
                outputs = forward(batch.inputs)
            value = task.loss(outputs, batch.target)
            in_window = min(window, batches - index // window * window)  # the last window may be a partial one
            scaler.scale(value.total / in_window).backward()
            recent_losses.add(value.total, value.parts, batch.size)
            task.metric.update(outputs, batch.target, batch.keys, batch.weights)
            if (index + 1) % window and index + 1 < batches:
                continue

            scaler.unscale_(optimizer)
            limit, mode = options.gradient_clip_val, options.gradient_clip_mode
            norm = clip_gradients(parameters, limit, mode, measure=scaler.is_enabled())
            after_step.settle()  # of the step before: it decides the rate of this one
            lr = optimizer.param_groups[-1]["lr"]
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
            after_step.follow(norm if scaler.is_enabled() else None)
            progress.step += 1
            bar.advance()

            if progress.step % options.log_every_n_steps == 0 or progress.step == first_step + steps:
                losses = recent_losses.compute()
                _check_finite(losses, progress)
                recorder.interval(progress, bar, losses, lr, recent_losses.samples)
                epoch_losses.merge(recent_losses)
                recent_losses = LossMean()
            if progress.step == first_step + steps:
                break

        after_step.settle()
        scores = {**epoch_losses.compute(), **task.metric.compute()}
    seconds = watch.seconds["training"]
    return {
        "lr": lr,
        **{f"train/{name}": score for name, score in scores.items()},
        "images_per_second": round(epoch_losses.samples / seconds, 3),
        "data_wait_fraction": round(watch.seconds["data"] / seconds, 4),
        "peak_memory_mb": round(peak_memory_mb(task.device), 1),
    }


def validate(state: TrainState, feed: Feed, task: Task) -> Row:
    """The EMA's scores where there is one, else the raw weights'."""
    assert feed.val is not None
    with progress_bar("validation", len(feed.val)) as bar:
        model, batches = state.evaluated_model, feed.bad_samples.told_of(feed.val)
        scores = evaluate(model, batches, task.loss, task.metric, task.device, task.precision, bar.advance)
    return {f"val/{name}": score for name, score in scores.items()}


@torch.inference_mode()
def draw_pictures(state: TrainState, feed: Feed, task: Task, recorder: Recorder) -> None:
    if feed.draw is None:
        return
    model = state.evaluated_model
    was_training = model.training
    model.eval()
    for batch in feed.pictures:
        with task.precision.autocast(task.device):
            outputs = model(batch.to(task.device).inputs)
        recorder.pictures(state.progress, feed.draw(batch, outputs))
    model.train(was_training)


def _check_finite(losses: dict[str, float], progress: Progress) -> None:
    """One bad step makes the mean of its interval NaN or infinite: no step needs to look for itself."""
    if not all(math.isfinite(value) for value in losses.values()):
        told = ", ".join(f"{name} {value}" for name, value in losses.items())
        finished = len(progress.history)
        kept = f"the checkpoints of epoch {finished} are untouched" if finished else "no epoch was finished"
        raise UserError(
            f"the loss is no longer finite at step {progress.step} ({told}): lower optimizer.lr, set "
            f"trainer.gradient_clip_val, or use trainer.precision=bf16 or fp32; {kept}"
        )
