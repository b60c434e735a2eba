"""The learning-rate range test: which rates a model can be trained with (Smith 2017, arXiv 1506.01186)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count, islice

from segmentation.data.batch import Batch
from segmentation.engine.freeze import to_training
from segmentation.engine.memory import advice_for_training, explains_out_of_memory
from segmentation.engine.options import TrainerOptions
from segmentation.engine.state import TrainState
from segmentation.engine.task import Feed, Task, training_batches
from segmentation.engine.trial import taken_back, try_step
from segmentation.runtime.console import progress_bar

STEPS, LOWEST, HIGHEST = 100, 1e-7, 10.0
WINDOW = 5  # losses that are averaged, around each rate
DIVERGED = 4.0  # times the lowest loss


@dataclass(frozen=True)
class RangeTest:
    """`losses` as seen at each of the rates `lrs`; `smoothed` are means of WINDOW of them, for the rates in the middle.

    `suggestion` is a tenth of the rate with the lowest smoothed loss: below what begins to diverge. None: the loss
    never fell.
    """

    lrs: list[float]
    losses: list[float]
    smoothed: list[tuple[float, float]]
    suggestion: float | None


def range_test(state: TrainState, feed: Feed, task: Task, options: TrainerOptions, lr: float) -> RangeTest:
    """Train for STEPS steps, the rate rising exponentially from LOWEST to HIGHEST, until the loss diverges; then take
    all of it back.

    `lr` is what the groups' rates were set by: they keep their ratios to it, so that the rates told are rates for it.
    Raises `UserError` where memory does not suffice.
    """
    groups = state.optimizer.param_groups
    factors = [group["initial_lr"] / lr for group in groups]
    trained = [parameter for group in groups for parameter in group["params"]]
    windows = _windows(feed, task, options.accumulate_grad_batches)
    lrs: list[float] = []
    losses: list[float] = []
    too_large = advice_for_training(options.batch_size, options.accumulate_grad_batches)
    with explains_out_of_memory(too_large), taken_back(state), progress_bar("rising learning rate", STEPS) as bar:
        to_training(state.model, trained, state.progress.epoch, options.freeze_encoder_epochs)
        for step in range(STEPS):
            lrs.append(LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1)))
            for group, factor in zip(groups, factors, strict=True):
                group["lr"] = lrs[-1] * factor
            losses.append(try_step(state, next(windows), task, options).item())
            bar.advance()
            if _diverges(losses):
                break
    smoothed = _smoothed(lrs, losses)
    return RangeTest(lrs, losses, smoothed, _suggestion(smoothed))


def _windows(feed: Feed, task: Task, length: int) -> Iterator[list[Batch]]:
    """The batches of one step after another, epoch after epoch."""
    batches = chain.from_iterable(training_batches(feed, task.device, epoch) for epoch in count())
    while True:
        yield list(islice(batches, length))


def _diverges(losses: list[float]) -> bool:
    if not math.isfinite(losses[-1]):
        return True
    means = _means(losses)
    return bool(means) and means[-1] > DIVERGED * min(means)


def _means(losses: list[float]) -> list[float]:
    return [sum(losses[end - WINDOW : end]) / WINDOW for end in range(WINDOW, len(losses) + 1)]


def _smoothed(lrs: list[float], losses: list[float]) -> list[tuple[float, float]]:
    finite = [loss for loss in losses if math.isfinite(loss)]
    return list(zip(lrs[WINDOW // 2 :], _means(finite), strict=False))


def _suggestion(smoothed: list[tuple[float, float]]) -> float | None:
    """None where the lowest loss is at the lowest rate."""
    lowest = min(range(len(smoothed)), key=lambda place: smoothed[place][1], default=0)
    return smoothed[lowest][0] / 10 if lowest else None
