"""Learning-rate schedules: pure functions of how far training is, giving a factor on the rate of every group.

A factor leaves the ratios between the groups as layer-wise decay set them, which schedules with absolute rates do not.
Durations are shares (0.1) or, as whole numbers, epochs (5): they become steps, or shares of steps, here.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Literal, Protocol

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

Interval = Literal["step", "epoch"]
Duration = float  # a share; an int counts epochs
Factor = Callable[[float], float]


class Schedule(Protocol):
    """`step` follows every optimizer step, `epoch_end` every epoch with the monitored value (None: not measured)."""

    def step(self) -> None: ...

    def epoch_end(self, monitored: float | None) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


def steps_of(duration: Duration, total_steps: int, steps_per_epoch: int) -> int:
    """Of a share of all steps, or of a whole number of epochs."""
    steps = duration * steps_per_epoch if isinstance(duration, int) else round(duration * total_steps)
    return min(steps, total_steps)


def share_of(end: Duration, total_steps: int, steps_per_epoch: int, warmup: Duration = 0) -> float:
    """Where `end` lies in the steps after the warm-up: a share of them, or whole epochs from the start of the run.

    From 0, for what ends within the warm-up, to 1, for what ends after the run.
    """
    if not isinstance(end, int):
        return end
    before = steps_of(warmup, total_steps, steps_per_epoch)
    return min(max(end * steps_per_epoch - before, 0) / max(total_steps - before, 1), 1.0)


class FactorSchedule(LambdaLR):
    """Step k (from 0) is taken at `rate * warm-up(k) * factor(progress)`.

    `progress` in [0, 1) is the share of all steps done before step k, or, with `interval="epoch"`, before its epoch.
    The warm-up rises linearly over the first steps, `warmup` of all, from 1/n to 1 in n steps; `progress` counts
    from its end. It reaches 1 after the last step: that one is a step short of it or, by epoch, an epoch. Steps that
    GradScaler skips (fp16) do not count, so that by epoch the rate then changes as many steps late.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: Factor,
        total_steps: int,
        steps_per_epoch: int,
        warmup: Duration = 0.0,
        interval: Interval = "step",
    ) -> None:
        warmup_steps = steps_of(warmup, total_steps, steps_per_epoch)

        def factor_at(step: int) -> float:
            if step < warmup_steps:
                return (step + 1) / warmup_steps
            start = step if interval == "step" else step // steps_per_epoch * steps_per_epoch
            done = max(start - warmup_steps, 0) / max(total_steps - warmup_steps, 1)
            return factor(min(done, 1.0))

        super().__init__(optimizer, factor_at)

    def epoch_end(self, monitored: float | None) -> None:
        """Nothing: the factor follows from the step."""


class PlateauSchedule:
    """After a linear warm-up over the first `warmup_steps`, every rate is multiplied by `factor` when the
    monitored value has not improved for more than `patience` measurements in a row.
    """

    def __init__(
        self, optimizer: Optimizer, mode: Literal["min", "max"], factor: float, patience: int, warmup_steps: int
    ) -> None:
        self._plateau = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience, threshold=1e-4, eps=0)
        self._optimizer, self._warmup_steps, self._step = optimizer, warmup_steps, 0
        self._rates = [group.setdefault("initial_lr", group["lr"]) for group in optimizer.param_groups]
        self._warm_up()

    def step(self) -> None:
        self._step += 1
        self._warm_up()

    def epoch_end(self, monitored: float | None) -> None:
        if monitored is not None and not math.isnan(monitored) and self._step >= self._warmup_steps:
            self._plateau.step(monitored)

    def _warm_up(self) -> None:
        if self._step < self._warmup_steps:
            for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * (self._step + 1) / self._warmup_steps

    def state_dict(self) -> dict[str, Any]:
        return {"step": self._step, "plateau": self._plateau.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._step = state_dict["step"]
        self._plateau.load_state_dict(state_dict["plateau"])


def constant(optimizer: Optimizer, total_steps: int, steps_per_epoch: int, warmup: Duration = 0.0) -> FactorSchedule:
    return FactorSchedule(optimizer, lambda _: 1.0, total_steps, steps_per_epoch, warmup)


def cosine(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: Duration = 0.0,
    min_factor: float = 0.0,
    interval: Interval = "step",
) -> FactorSchedule:
    """Half a cosine from 1 down to `min_factor` (Loshchilov and Hutter 2017, arXiv 1608.03983)."""

    def factor(progress: float) -> float:
        return _half_cosine(progress, min_factor)

    return FactorSchedule(optimizer, factor, total_steps, steps_per_epoch, warmup, interval)


def flat_cosine(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: Duration = 0.0,
    flat: Duration = 0.7,
    min_factor: float = 0.0,
    interval: Interval = "step",
) -> FactorSchedule:
    """The full rate until `flat` (a share of the training after the warm-up, or whole epochs), then half a cosine down
    to `min_factor`.
    """
    falls_at = share_of(flat, total_steps, steps_per_epoch, warmup)

    def factor(progress: float) -> float:
        return _half_cosine(_after(falls_at, progress), min_factor)

    return FactorSchedule(optimizer, factor, total_steps, steps_per_epoch, warmup, interval)


def warm_restarts(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: Duration = 0.0,
    cycles: int = 3,
    multiplier: float = 2.0,
    min_factor: float = 0.0,
    interval: Interval = "step",
) -> FactorSchedule:
    """`cycles` half cosines from 1 down to `min_factor`, each `multiplier` times as long as the one before (SGDR,
    Loshchilov and Hutter 2017, arXiv 1608.03983). They fill the training after the warm-up, so that it ends low.
    """
    ends = list(accumulate(multiplier**cycle for cycle in range(cycles)))
    starts = [0.0, *(end / ends[-1] for end in ends)]

    def factor(progress: float) -> float:
        cycle = min(bisect_right(starts, progress), cycles) - 1
        start, end = starts[cycle], starts[cycle + 1]
        return _half_cosine((progress - start) / (end - start), min_factor)

    return FactorSchedule(optimizer, factor, total_steps, steps_per_epoch, warmup, interval)


def _half_cosine(done: float, low: float) -> float:
    """From 1 at 0 to `low` at 1."""
    return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * done))


def _after(start: float, progress: float) -> float:
    """The share done of what comes after `start`."""
    return max(progress - start, 0) / max(1 - start, 1e-12)


def poly(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: Duration = 0.0,
    power: float = 0.9,
    min_factor: float = 0.0,
    interval: Interval = "step",
) -> FactorSchedule:
    """(1 - progress)^power from 1 down to `min_factor` (Chen et al. 2017, DeepLab, arXiv 1606.00915)."""

    def factor(progress: float) -> float:
        return min_factor + (1 - min_factor) * (1 - progress) ** power

    return FactorSchedule(optimizer, factor, total_steps, steps_per_epoch, warmup, interval)


def step(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: Duration = 0.0,
    gamma: float = 0.1,
    milestones: Sequence[Duration] = (0.6, 0.85),
    interval: Interval = "epoch",
) -> FactorSchedule:
    """Times `gamma` at each of the `milestones`, shares of the training after the warm-up or whole epochs."""
    places = [share_of(milestone, total_steps, steps_per_epoch, warmup) for milestone in milestones]

    def factor(progress: float) -> float:
        return gamma ** sum(progress >= place for place in places)

    return FactorSchedule(optimizer, factor, total_steps, steps_per_epoch, warmup, interval)


def exponential(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: Duration = 0.0,
    final_factor: float = 0.01,
    interval: Interval = "epoch",
) -> FactorSchedule:
    """The same ratio from each step (or epoch) to the next: `final_factor` is where one more would come to, so that by
    epoch the last of n is at `final_factor ** (1 - 1 / n)`, the warm-up aside.
    """
    return FactorSchedule(
        optimizer, lambda progress: final_factor**progress, total_steps, steps_per_epoch, warmup, interval
    )


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    rise: Duration = 0.3,
    start_factor: float = 0.04,
    final_factor: float = 4e-6,
) -> FactorSchedule:
    """Up along half a cosine from `start_factor` to 1 over `rise` (a share of all steps, or whole epochs), then down to
    `final_factor` (Smith and Topin 2018, arXiv 1708.07120). The groups' rates are the peak.
    """
    peak = share_of(rise, total_steps, steps_per_epoch)

    def factor(progress: float) -> float:
        if progress < peak:
            return _half_cosine(1 - progress / peak, start_factor)
        return _half_cosine(_after(peak, progress), final_factor)

    return FactorSchedule(optimizer, factor, total_steps, steps_per_epoch)


def plateau(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: Duration = 0.0,
    factor: float = 0.3,
    patience: int = 3,
    mode: Literal["min", "max"] = "max",
) -> PlateauSchedule:
    """Follows `trainer.monitor`: `mode` says whether more of it is better."""
    return PlateauSchedule(optimizer, mode, factor, patience, steps_of(warmup, total_steps, steps_per_epoch))
