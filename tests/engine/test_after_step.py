"""Where GradScaler scales, training is compared with one that asks it after every step whether it skipped."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.amp import GradScaler

from segmentation.engine.after_step import AfterStep
from segmentation.engine.options import TrainerOptions
from segmentation.engine.schedule import cosine
from tests.engine.toy import (
    SCALED_FP32,
    MakeOptimizer,
    Run,
    TinyNet,
    adamw,
    breaks_gradient,
    build_run,
    options,
    samples_in_order,
    sgd,
    unequal,
)

EPOCHS = 3  # of 4 steps
STATE = ("model", "ema", "optimizer", "schedule", "scaler")


class Counting(GradScaler):
    """Counts how often its scale is read."""

    asked = 0

    def get_scale(self) -> float:
        self.asked += 1
        return super().get_scale()


def scaled_run(path: Path, make_optimizer: MakeOptimizer, chosen: TrainerOptions) -> Run:
    """With batch norm, whose statistics move in every forward pass, and a scale that grows after every 3 good steps."""
    return build_run(
        path,
        chosen,
        net=partial(TinyNet, normalise=True),
        make_optimizer=make_optimizer,
        make_schedule=cosine,
        precision=SCALED_FP32,
        scaler=Counting("cpu", init_scale=2.0**8, growth_interval=3),
        val_samples=0,
    )


def train_asking_at_once(run: Run, clip: float | None) -> list[float]:
    """The rates of all steps, skipped ones included."""
    state, rates = run.state, []
    assert state.ema is not None
    state.model.train()
    for epoch in range(EPOCHS):
        for batch in samples_in_order(run, epoch):
            loss = run.task.loss(state.model(batch.inputs), batch.target).total
            state.scaler.scale(loss).backward()
            state.scaler.unscale_(state.optimizer)
            if clip is not None:
                nn.utils.clip_grad_norm_(state.model.parameters(), clip)
            rates.append(state.optimizer.param_groups[-1]["lr"])
            scale = state.scaler.get_scale()
            state.scaler.step(state.optimizer)
            state.scaler.update()
            state.optimizer.zero_grad()
            if state.scaler.get_scale() >= scale:
                state.schedule.step()
                state.ema.update_parameters(state.model)
    return rates


def rates_told(run: Run) -> list[float]:
    lines = [json.loads(line) for line in run.folder.events.read_text().splitlines()]
    return [line["lr"] for line in lines if line["event"] == "step"]


@pytest.mark.parametrize("make_optimizer", [sgd, adamw], ids=["plain", "fused"])
@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("skipped", [(), (0,), (2,), (3,), (4,), (1, 2, 7), (11,)], ids=str)
def test_training_is_as_if_every_step_was_asked_about_at_once(
    tmp_path: Path, make_optimizer: MakeOptimizer, clip: float | None, skipped: tuple[int, ...]
) -> None:
    chosen = options(epochs=EPOCHS, ema_decay=0.6, gradient_clip_val=clip, log_every_n_steps=1, monitor="train/loss")
    run, reference = (scaled_run(tmp_path / name, make_optimizer, chosen) for name in ("run", "reference"))
    for each in (run, reference):
        breaks_gradient(each, *skipped)
    run.fit()
    expected = train_asking_at_once(reference, clip)
    assert rates_told(run) == expected
    ends: list[dict[str, Any]] = [run.saved("last"), reference.state.state_dict()]
    one, other = ({name: end[name] for name in STATE} for end in ends)
    assert not unequal(one, other)
    assert ends[0]["ema"]["updates"] == ends[0]["schedule"]["last_epoch"] == 4 * EPOCHS - len(skipped)


def test_no_step_asks_for_the_scale(tmp_path: Path) -> None:
    run = scaled_run(tmp_path, adamw, options(epochs=1, ema_decay=0.6, gradient_clip_val=1.0))
    run.fit()
    assert isinstance(run.state.scaler, Counting)
    assert run.state.scaler.asked == 1, "for the checkpoint"


def moved(run: Run) -> tuple[int, int]:
    """How often the schedule and the EMA have moved on."""
    assert run.state.ema is not None
    return run.state.schedule.state_dict()["last_epoch"], int(run.state.ema.n_averaged)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # there is no optimizer step here
def test_a_scaled_step_is_followed_when_it_is_settled_and_once(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(ema_decay=0.9))
    after_step = AfterStep(run.state)
    after_step.settle()
    assert moved(run) == (0, 0), "there was no step"
    counts = []
    for norm in (1.5, float("inf"), 0.0, float("nan")):
        after_step.follow(torch.tensor(norm))
        counts.append(moved(run))
        after_step.settle()
        after_step.settle()
        counts.append(moved(run))
    assert counts == [(0, 0), (1, 1), (1, 1), (1, 1), (1, 1), (2, 2), (2, 2), (2, 2)]


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_a_step_without_scaling_is_followed_at_once(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(ema_decay=0.9))
    after_step = AfterStep(run.state)
    after_step.follow(None)
    assert moved(run) == (1, 1)
    after_step.settle()
    assert moved(run) == (1, 1)
