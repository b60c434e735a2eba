import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segmentation.engine.find_lr import HIGHEST, LOWEST, STEPS, WINDOW, RangeTest, range_test
from segmentation.engine.schedule import cosine, plateau
from segmentation.losses import Loss, LossValue
from tests.engine.test_state import restless
from tests.engine.toy import CLASSES, MakeOptimizer, MakeSchedule, Run, adamw, build_run, options, sgd, unequal

LR = 0.1


def found_in(run: Run) -> RangeTest:
    return range_test(run.state, run.feed, run.task, run.options, LR)


class Valley(nn.Module):
    """One number that starts at 1; the loss is its square."""

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return self.number.expand(len(images), len(CLASSES), *images.shape[-2:])


class Square(Loss):
    def forward(self, outputs: Any, target: Tensor) -> LossValue:
        total = outputs.square().mean()
        return LossValue(total, {"square": total.detach()})


def valley(path: Path, make_optimizer: MakeOptimizer = sgd, make_schedule: MakeSchedule = cosine) -> Run:
    return build_run(path, options(), Valley, LR, make_optimizer, make_schedule, Square())


@pytest.mark.parametrize("make_schedule", [cosine, plateau])
def test_on_a_parabola_the_losses_are_those_computed_by_hand(tmp_path: Path, make_schedule: MakeSchedule) -> None:
    """x goes to (1 - 2 lr) x: beyond a rate of 1 it grows."""
    found = found_in(valley(tmp_path, make_schedule=make_schedule))
    number = 1.0
    for lr, loss in zip(found.lrs, found.losses, strict=True):
        assert loss == pytest.approx(number**2, rel=1e-3, abs=1e-30)
        number *= 1 - 2 * lr
    ratio = (HIGHEST / LOWEST) ** (1 / (STEPS - 1))
    assert found.lrs[0] == LOWEST
    assert [late / early for early, late in zip(found.lrs, found.lrs[1:], strict=False)] == pytest.approx(
        [ratio] * (len(found.lrs) - 1)
    )
    middle, mean = found.smoothed[7]
    assert middle == found.lrs[7 + WINDOW // 2]
    assert mean == pytest.approx(sum(found.losses[7 : 7 + WINDOW]) / WINDOW)
    assert found.suggestion is not None
    assert 0.01 < found.suggestion < 0.2, "a tenth of what is best, just below 1"


def test_what_it_suggests_trains_and_the_highest_rate_does_not(tmp_path: Path) -> None:
    chosen = options(epochs=3)
    found = found_in(build_run(tmp_path / "test", chosen, lr=LR, make_optimizer=adamw))
    assert found.suggestion is not None
    falls = []
    for name, lr in (("suggested", found.suggestion), ("highest", HIGHEST)):
        run = build_run(tmp_path / name, chosen, lr=lr, make_optimizer=adamw, val_samples=0)
        run.fit()
        falls.append(run.history[-1]["train/loss"] / found.losses[0])
    assert falls[0] < 0.9
    assert falls[1] > 1


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    run = restless(tmp_path)
    before = copy.deepcopy(run.state.state_dict())
    found_in(run)
    assert not unequal(before, run.state.state_dict())


class Explodes(Valley):
    steps = 0

    def forward(self, images: Tensor) -> Tensor:
        self.steps += 1
        return super().forward(images) * (math.nan if self.steps > 30 else 1)


def test_it_stops_when_the_loss_is_no_number(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(), Explodes, LR, sgd, loss=Square())
    found = found_in(run)
    assert len(found.losses) == 31
    assert len(found.smoothed) == 30 - WINDOW + 1
    assert found.suggestion is not None


def test_it_stops_when_the_loss_has_grown_fourfold(tmp_path: Path) -> None:
    """Adam leaves the valley by ever larger steps."""
    found = found_in(valley(tmp_path, adamw))
    assert len(found.losses) < STEPS
    assert found.smoothed[-1][1] > 4 * min(loss for _, loss in found.smoothed)


class Uphill(Square):
    def forward(self, outputs: Any, target: Tensor) -> LossValue:
        value = super().forward(outputs, target)
        return LossValue(2 * value.total.detach() - value.total, value.parts)


def test_a_loss_that_never_falls_suggests_nothing(tmp_path: Path) -> None:
    found = found_in(build_run(tmp_path, options(), Valley, LR, sgd, loss=Uphill()))
    assert found.suggestion is None
    assert found.losses[-1] > found.losses[0]


def test_groups_keep_their_ratios(tmp_path: Path) -> None:
    """The rate of each step is written down by the model, which sees it as the optimizer does."""
    run = build_run(tmp_path, options(), lr=LR)
    seen: list[list[float]] = []
    groups = run.state.optimizer.param_groups
    planned = [group["initial_lr"] / LR for group in groups]
    run.state.model.register_forward_pre_hook(lambda *_: seen.append([group["lr"] for group in groups]))
    found = found_in(run)
    assert len({round(ratio, 6) for ratio in planned}) == 2, "stage and head"
    for lr, rates in zip(found.lrs, seen, strict=True):
        assert rates == pytest.approx([lr * ratio for ratio in planned])
