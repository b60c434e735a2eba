"""Rates are computed by hand: step k (from 0) of n is taken at what the schedule gives for k/n of the way."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from torch import nn
from torch.optim import SGD, Optimizer

from segmentation.engine import schedule as schedules
from segmentation.engine.schedule import Interval, Schedule
from tests.engine.configured import choices, configured

LR, SLOW_LR = 0.1, 0.02
Make = Callable[..., Schedule]
BY_EPOCH = ("cosine", "poly", "step", "exponential", "flat_cosine", "warm_restarts")


def optimizer() -> Optimizer:
    groups = [{"params": [nn.Parameter(torch.zeros(2))], "lr": lr} for lr in (SLOW_LR, LR)]
    return SGD(groups)


def factors(make: Make, steps: int, steps_per_epoch: int = 1, **arguments: Any) -> list[float]:
    """What the rates are multiplied by at each step, which has to be the same for all groups."""
    sgd = optimizer()
    schedule = make(sgd, total_steps=steps, steps_per_epoch=steps_per_epoch, **arguments)
    seen = []
    for step in range(1, steps + 1):
        slow, fast = (group["lr"] for group in sgd.param_groups)
        assert slow / fast == pytest.approx(SLOW_LR / LR)
        seen.append(fast / LR)
        sgd.step()
        schedule.step()
        if step % steps_per_epoch == 0:
            schedule.epoch_end(None)
    return seen


def test_constant_stays() -> None:
    assert factors(schedules.constant, 4) == [1, 1, 1, 1]


def test_the_warm_up_rises_linearly_to_the_full_rate_and_the_rest_follows_it() -> None:
    assert factors(schedules.constant, 8, warmup=0.5) == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 1, 1, 1, 1])
    warmed = factors(schedules.poly, 8, warmup=0.5, power=1.0)
    assert warmed == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 1, 3 / 4, 2 / 4, 1 / 4])


def test_a_warm_up_of_less_than_half_a_step_is_none() -> None:
    assert factors(schedules.constant, 10, warmup=0.03) == [1] * 10


def test_cosine_halves_in_the_middle() -> None:
    values = factors(schedules.cosine, 4)
    assert values == pytest.approx([1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2])
    assert factors(schedules.cosine, 4, min_factor=0.2)[2] == pytest.approx(0.2 + 0.8 * 0.5)


def test_poly_is_a_power_of_what_is_left() -> None:
    assert factors(schedules.poly, 4, power=2.0) == pytest.approx([1, 9 / 16, 4 / 16, 1 / 16])
    assert factors(schedules.poly, 4)[3] == pytest.approx(0.25**0.9)
    assert factors(schedules.poly, 4, power=1.0, min_factor=0.1)[2] == pytest.approx(0.1 + 0.9 * 0.5)


def test_step_drops_at_each_milestone() -> None:
    values = factors(schedules.step, 10, gamma=0.1, milestones=(0.5, 0.8))
    assert values == pytest.approx([1] * 5 + [0.1] * 3 + [0.01] * 2)


def test_exponential_falls_by_one_ratio() -> None:
    values = factors(schedules.exponential, 4, final_factor=0.0001)
    assert values == pytest.approx([1, 0.1, 0.01, 0.001])


def test_flat_cosine_stays_until_it_falls() -> None:
    values = factors(schedules.flat_cosine, 8, flat=0.5, min_factor=0.2)
    half = 0.2 + 0.8 * 0.5
    assert values[:5] == [1] * 5
    assert values[6] == pytest.approx(half)
    assert values[5] - half == pytest.approx(half - values[7])


def test_warm_restarts_fill_the_run_with_cycles_each_longer() -> None:
    values = factors(schedules.warm_restarts, 14, cycles=3, multiplier=2.0, min_factor=0.1)
    cycles = [[0.1 + 0.9 * (1 + math.cos(math.pi * k / n)) / 2 for k in range(n)] for n in (2, 4, 8)]
    assert values == pytest.approx([*cycles[0], *cycles[1], *cycles[2]])


@pytest.mark.parametrize("steps", [9, 30, 300, 3333])
def test_warm_restarts_of_equal_length_begin_at_the_full_rate(steps: int) -> None:
    """Whatever the rounding of thirds does."""
    values = factors(schedules.warm_restarts, steps, cycles=3, multiplier=1.0)
    assert [step for step, value in enumerate(values) if value == pytest.approx(1, abs=1e-12)] == [
        0,
        steps // 3,
        2 * steps // 3,
    ]


def test_one_warm_cycle_is_a_cosine() -> None:
    assert factors(schedules.warm_restarts, 7, cycles=1, warmup=0.3) == factors(schedules.cosine, 7, warmup=0.3)


def test_warm_restarts_agree_with_torch() -> None:
    sgd = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    torchs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd, T_0=3, T_mult=3, eta_min=0.05)
    reference = []
    for _ in range(39):
        reference.append(sgd.param_groups[0]["lr"])
        sgd.step()
        torchs.step()
    assert factors(schedules.warm_restarts, 39, cycles=3, multiplier=3.0, min_factor=0.05) == pytest.approx(reference)


@pytest.mark.parametrize(
    ("make", "epochs", "shares"),
    [  # of 10 epochs of 3 steps; after a warm-up of 2 epochs, 24 steps are left
        (schedules.constant, {"warmup": 2}, {"warmup": 0.2}),
        (schedules.plateau, {"warmup": 2}, {"warmup": 0.2}),
        (schedules.step, {"warmup": 2, "milestones": [4, 8]}, {"warmup": 0.2, "milestones": [6 / 24, 18 / 24]}),
        (schedules.flat_cosine, {"warmup": 2, "flat": 6}, {"warmup": 0.2, "flat": 12 / 24}),
        (schedules.one_cycle, {"rise": 3}, {"rise": 0.3}),
        (schedules.cosine, {"warmup": 0}, {"warmup": 0.0}),
        (schedules.cosine, {"warmup": 11}, {"warmup": 1.0}),
    ],
)
def test_durations_are_shares_or_epochs(make: Make, epochs: dict[str, Any], shares: dict[str, Any]) -> None:
    assert factors(make, 30, 3, **epochs) == pytest.approx(factors(make, 30, 3, **shares))


def test_one_cycle_rises_to_the_full_rate_and_falls_to_almost_nothing() -> None:
    values = factors(schedules.one_cycle, 10, rise=0.4, start_factor=0.2, final_factor=0.01)
    rising = [0.2 + 0.8 * (1 - math.cos(math.pi * k / 4)) / 2 for k in range(4)]
    falling = [0.01 + 0.99 * (1 + math.cos(math.pi * k / 6)) / 2 for k in range(6)]
    assert values == pytest.approx(rising + falling)
    assert values[0] == pytest.approx(0.2)
    assert values[4] == max(values) == 1


def test_one_cycle_agrees_with_torch_where_both_are_defined() -> None:
    """torch's ends its phases at the last step, one step before the end: its 10 steps are the points 0 to 9 of ours."""
    sgd = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        sgd, max_lr=1.0, total_steps=11, pct_start=0.4, div_factor=5, final_div_factor=20, cycle_momentum=False
    )
    reference = []
    for _ in range(10):
        reference.append(sgd.param_groups[0]["lr"])
        sgd.step()
        torchs.step()
    # torch peaks at pct_start * total - 1 = 3.4 of 10
    ours = factors(schedules.one_cycle, 10, rise=0.34, start_factor=0.2, final_factor=0.01)
    assert ours == pytest.approx(reference)


@pytest.mark.parametrize("make", [getattr(schedules, name) for name in BY_EPOCH])
def test_by_epoch_the_rate_is_that_of_the_epochs_first_step(make: Make) -> None:
    by_step = factors(make, 12, steps_per_epoch=3, interval="step")
    by_epoch = factors(make, 12, steps_per_epoch=3, interval="epoch")
    assert by_epoch == pytest.approx([by_step[step // 3 * 3] for step in range(12)])
    assert len(set(by_epoch)) > 1


def test_by_epoch_the_warm_up_still_goes_by_step() -> None:
    values = factors(schedules.poly, 12, steps_per_epoch=4, interval="epoch", warmup=0.25, power=1.0)
    # 3 steps of warm-up; the 9 after it count: the epoch that begins at step 4 has 1 of them done, that at step 8 has 5
    assert values == pytest.approx([1 / 3, 2 / 3, 1, 1, *[8 / 9] * 4, *[4 / 9] * 4])


@pytest.mark.parametrize(
    ("mode", "monitored", "rates"),
    [
        # the best is the second; two measurements without improvement are borne, the third lowers the rate
        ("max", [0.5, 0.6, 0.6, 0.5, 0.59, 0.61, 0.6, 0.6, 0.6], [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]),
        ("min", [0.5, 0.4, 0.4, 0.5, 0.41, 0.39, 0.4, 0.4, 0.4], [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]),
    ],
)
def test_plateau_lowers_all_rates_when_patience_is_over(mode: str, monitored: list[float], rates: list[float]) -> None:
    sgd = optimizer()
    schedule = schedules.plateau(sgd, 9, 1, mode=mode, factor=0.5, patience=2)  # type: ignore[arg-type]
    seen = []
    for value in monitored:
        sgd.step()
        schedule.step()
        schedule.epoch_end(value)
        seen.append([group["lr"] for group in sgd.param_groups])
    assert seen == [[pytest.approx(SLOW_LR * rate), pytest.approx(LR * rate)] for rate in rates]


def test_plateau_does_not_count_epochs_without_a_measurement() -> None:
    sgd = optimizer()
    schedule = schedules.plateau(sgd, 20, 1, mode="max", factor=0.5, patience=1)
    for value in (0.5, None, math.nan, None, 0.5, math.nan, None):
        sgd.step()
        schedule.step()
        schedule.epoch_end(value)
    assert sgd.param_groups[1]["lr"] == LR
    schedule.epoch_end(0.5)
    assert sgd.param_groups[1]["lr"] == LR / 2


def test_plateau_warms_up_first_and_measures_after_it() -> None:
    sgd = optimizer()
    schedule = schedules.plateau(sgd, 8, 1, mode="max", warmup=0.5, factor=0.5, patience=0)
    seen = []
    for value in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4):
        seen.append(sgd.param_groups[1]["lr"] / LR)
        sgd.step()
        schedule.step()
        schedule.epoch_end(value)
    # what was measured during the warm-up is no best: the first that counts is 0.6
    assert seen == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 1, 1 / 2])


@pytest.mark.parametrize("name", choices("scheduler"))
@pytest.mark.parametrize("stop", [0, 1, 5, 11])
def test_a_restored_schedule_goes_on_as_the_one_that_was_saved(name: str, stop: int) -> None:
    config = configured(f"scheduler={name}", "++scheduler.patience=0" if name == "plateau" else "seed=0")
    make: Make = instantiate(config.scheduler, _convert_="all")
    values = [0.5, 0.4, 0.6, 0.1, 0.2, 0.3, 0.7, 0.6]

    def advance(sgd: Optimizer, schedule: Schedule, start: int, end: int) -> list[float]:
        seen = []
        for step in range(start, end):
            sgd.step()
            schedule.step()
            if step % 2:
                schedule.epoch_end(values[step // 2])
            seen += [group["lr"] for group in sgd.param_groups]
        return seen

    sizes: dict[str, int] = {"total_steps": 16, "steps_per_epoch": 2}
    sgd = optimizer()
    schedule = make(sgd, **sizes)
    advance(sgd, schedule, 0, stop)
    saved, saved_rates = schedule.state_dict(), sgd.state_dict()
    expected = advance(sgd, schedule, stop, 16)

    fresh = optimizer()
    restored = make(fresh, **sizes)
    fresh.load_state_dict(saved_rates)
    restored.load_state_dict(saved)
    assert advance(fresh, restored, stop, 16) == expected


@pytest.mark.parametrize("name", choices("scheduler"))
def test_every_shipped_schedule_stays_within_the_rates_and_ends_finite(name: str) -> None:
    make: Make = instantiate(configured(f"scheduler={name}").scheduler, _convert_="all")
    values = factors(make, 100, steps_per_epoch=10)
    assert max(values) == pytest.approx(1)
    assert min(values) >= 0


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_steps_beyond_the_last_keep_its_rate(interval: Interval) -> None:
    """A run that is given more epochs than the schedule was made for does not start anew."""
    sgd = optimizer()
    schedule = schedules.cosine(sgd, 4, 2, min_factor=0.1, interval=interval)
    for _ in range(10):
        sgd.step()
        schedule.step()
    assert sgd.param_groups[1]["lr"] == pytest.approx(0.1 * LR)


def test_what_is_longer_than_the_run_takes_all_of_it() -> None:
    rising = factors(schedules.one_cycle, 10, rise=50, start_factor=0.2)
    assert rising == factors(schedules.one_cycle, 10, rise=1.0, start_factor=0.2)
    assert rising == sorted(rising)
    assert rising[-1] > 0.9
    assert factors(schedules.flat_cosine, 8, flat=50) == [1] * 8
    assert factors(schedules.flat_cosine, 4, warmup=4, flat=3) == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1])


def test_after_a_warm_up_that_is_longer_than_the_flat_part_the_rate_does_not_jump() -> None:
    values = factors(schedules.flat_cosine, 8, warmup=4, flat=2)
    assert values == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, *factors(schedules.cosine, 4)])
