"""Learning-rate schedules: pure functions of how far training is, giving a factor on the rate of every group.

A factor leaves the ratios between the groups as layer-wise decay set them, which schedules with absolute rates do not.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, Protocol

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

Interval = Literal["step", "epoch"]
Factor = Callable[[float], float]


class Schedule(Protocol):
    """`step` follows every optimizer step, `epoch_end` every epoch with the monitored value (None: not measured)."""

    def step(self) -> None: ...

    def epoch_end(self, monitored: float | None) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


class FactorSchedule(LambdaLR):
    """Step k (from 0) is taken at `rate * warm-up(k) * factor(progress)`.

    `progress` in [0, 1) is the share of all steps done before step k, or, with `interval="epoch"`, before its epoch.
    The warm-up rises linearly over the first `warmup` share of all steps, from 1/n to 1 in n steps; `progress` counts
    from its end. It reaches 1 after the last step: that one is a step short of it or, by epoch, an epoch. Steps that
    GradScaler skips (fp16) do not count, so that by epoch the rate then changes as many steps late.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: Factor,
        total_steps: int,
        steps_per_epoch: int,
        warmup: float = 0.0,
        interval: Interval = "step",
    ) -> None:
        warmup_steps = round(warmup * total_steps)

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
    """After a linear warm-up over the first `warmup` share of all steps, every rate is multiplied by `factor` when the
    monitored value has not improved for more than `patience` measurements in a row.
    """

    def __init__(
        self, optimizer: Optimizer, mode: Literal["min", "max"], factor: float, patience: int, warmup_steps: int
    ) -> None:
        self._plateau = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience, threshold=1e-4, eps=0)
        self._optimizer, self._warmup_steps, self._step = optimizer, warmup_steps, 0
        self._rates = [group["lr"] for group in optimizer.param_groups]
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


def constant(optimizer: Optimizer, total_steps: int, steps_per_epoch: int, warmup: float = 0.0) -> FactorSchedule:
    return FactorSchedule(optimizer, lambda _: 1.0, total_steps, steps_per_epoch, warmup)


def cosine(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: float = 0.0,
    min_factor: float = 0.0,
    interval: Interval = "step",
) -> FactorSchedule:
    """Half a cosine from 1 down to `min_factor` (Loshchilov and Hutter 2017, arXiv 1608.03983)."""

    def factor(progress: float) -> float:
        return min_factor + (1 - min_factor) * 0.5 * (1 + math.cos(math.pi * progress))

    return FactorSchedule(optimizer, factor, total_steps, steps_per_epoch, warmup, interval)


def poly(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: float = 0.0,
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
    warmup: float = 0.0,
    gamma: float = 0.1,
    milestones: tuple[float, ...] = (0.6, 0.85),
    interval: Interval = "epoch",
) -> FactorSchedule:
    """Times `gamma` at each of the `milestones`, shares of the training after the warm-up."""

    def factor(progress: float) -> float:
        return gamma ** sum(progress >= milestone for milestone in milestones)

    return FactorSchedule(optimizer, factor, total_steps, steps_per_epoch, warmup, interval)


def exponential(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: float = 0.0,
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
    rise: float = 0.3,
    start_factor: float = 0.04,
    final_factor: float = 4e-6,
) -> FactorSchedule:
    """Up along half a cosine from `start_factor` to 1 over the share `rise`, then down to `final_factor` (Smith and
    Topin 2018, arXiv 1708.07120). The groups' rates are the peak.
    """

    def factor(progress: float) -> float:
        low, done = (start_factor, 1 - progress / rise) if progress < rise else (final_factor, _share(progress, rise))
        return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * done))

    return FactorSchedule(optimizer, factor, total_steps, steps_per_epoch)


def _share(progress: float, rise: float) -> float:
    return (progress - rise) / max(1 - rise, 1e-12)


def plateau(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup: float = 0.0,
    factor: float = 0.3,
    patience: int = 3,
    mode: Literal["min", "max"] = "max",
) -> PlateauSchedule:
    """Follows `trainer.monitor`: `mode` says whether more of it is better."""
    return PlateauSchedule(optimizer, mode, factor, patience, round(warmup * total_steps))
