import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.amp import GradScaler

from segmentation.data.batch import Batch
from segmentation.engine.evaluate import evaluate
from segmentation.engine.loop import steps_in
from segmentation.engine.options import EarlyStopping
from segmentation.engine.schedule import cosine, plateau
from segmentation.engine.task import Feed
from segmentation.errors import UserError
from segmentation.losses import Combined, CrossEntropy, Dice, Loss, LossValue
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.outputs import Outputs
from segmentation.runtime.device import Precision
from segmentation.runtime.files import read_json
from tests.engine.toy import (
    CLASSES,
    CPU,
    FP32,
    SCALED_FP32,
    Run,
    TinyNet,
    adamw,
    breaks_gradient,
    build_run,
    options,
    samples_in_order,
    sgd,
    unequal,
    weights,
)

FP16 = Precision("fp16", torch.float16, True)
PIXELS = 6 * 5


def same_weights(one: nn.Module, other: nn.Module) -> None:
    torch.testing.assert_close(one.state_dict(), other.state_dict())


def sgd_by_hand(run: Run, windows: list[int], clip: float | None = None, skip: tuple[int, ...] = ()) -> nn.Module:
    """The network of `run` after one epoch of plain SGD, each step on a number of batches put together to one."""
    model = run.state.model
    batches = samples_in_order(run, 0)
    for step, window in enumerate(windows):
        together = [next(batches) for _ in range(window)]
        if step in skip:
            continue
        images, target = (torch.cat([batch[part] for batch in together]) for part in (0, 1))  # type: ignore[misc]
        model.zero_grad()
        F.cross_entropy(model(images), target).backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        norm = torch.sqrt(sum((gradient.square().sum() for gradient in gradients), start=torch.zeros(())))
        with torch.no_grad():
            for group in run.state.optimizer.param_groups:
                for parameter in group["params"]:
                    factor = 1.0 if clip is None else min(1.0, clip / float(norm))
                    gradient = factor * parameter.grad + group["weight_decay"] * parameter
                    parameter -= group["lr"] * gradient
    assert next(batches, None) is None
    return model


def test_durations_are_steps() -> None:
    assert steps_in(options(epochs=3), batches=4) == (12, 4)
    assert steps_in(options(epochs=3, accumulate_grad_batches=3), batches=4) == (6, 2)
    assert steps_in(options(epochs=3, max_steps=5), batches=4) == (5, 4)
    assert steps_in(options(epochs=3, max_steps=500), batches=4) == (12, 4)


@pytest.mark.parametrize(
    ("accumulate", "windows"),
    [(1, [1, 1, 1, 1, 1]), (2, [2, 2, 1]), (3, [3, 2]), (5, [5]), (8, [5])],
    ids=lambda value: str(value),
)
def test_accumulated_batches_equal_one_large_batch_in_the_partial_last_window_too(
    tmp_path: Path, accumulate: int, windows: list[int]
) -> None:
    chosen = options(epochs=1, accumulate_grad_batches=accumulate)
    run = build_run(tmp_path, chosen, train_samples=15)
    run.fit()
    expected = sgd_by_hand(build_run(tmp_path, chosen, train_samples=15), windows)
    same_weights(run.state.model, expected)
    assert run.state.progress.step == len(windows)


@pytest.mark.parametrize("scale", [1.0, 2.0**10])
def test_clipping_sees_the_true_size_of_the_gradients(tmp_path: Path, scale: float) -> None:
    """Between 0.1 and the norm of the scaled gradients lies a factor of a thousand."""
    chosen = options(epochs=1, gradient_clip_val=0.1)
    scaler = GradScaler("cpu", init_scale=scale, growth_interval=1000)
    run = build_run(tmp_path, chosen, precision=SCALED_FP32, scaler=scaler)
    run.fit()
    same_weights(run.state.model, sgd_by_hand(build_run(tmp_path, chosen), [1] * 4, clip=0.1))


def test_gradients_below_the_limit_are_left_alone(tmp_path: Path) -> None:
    clipped = build_run(tmp_path / "a", options(epochs=1, gradient_clip_val=1e6))
    free = build_run(tmp_path / "b", options(epochs=1, gradient_clip_val=None))
    clipped.fit()
    free.fit()
    assert not unequal(weights(clipped.state.model), weights(free.state.model))


def test_fp16_trains_with_the_scaler(tmp_path: Path) -> None:
    scaler = GradScaler("cpu", init_scale=2.0**8, growth_interval=5)
    run = build_run(
        tmp_path, options(epochs=6), lr=0.02, make_optimizer=adamw, precision=FP16, scaler=scaler, val_samples=0
    )
    run.fit()
    losses = [row["train/loss"] for row in run.history]
    assert losses[-1] < 0.8 * losses[0]
    assert scaler.get_scale() > 2.0**8, "24 steps, none of them skipped, grow the scale"
    assert {value.dtype for value in run.state.model.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("make_optimizer", [sgd, adamw], ids=["plain", "fused"])
def test_what_the_scaler_skips_is_skipped_by_schedule_and_ema_too(tmp_path: Path, make_optimizer: Any) -> None:
    scaler = GradScaler("cpu", init_scale=4.0, growth_interval=1000)
    chosen = options(epochs=1, ema_decay=0.5, gradient_clip_val=1.0)
    run = build_run(
        tmp_path,
        chosen,
        make_optimizer=make_optimizer,
        make_schedule=cosine,
        precision=SCALED_FP32,
        scaler=scaler,
    )
    breaks_gradient(run, 2)
    run.fit()
    state = run.state
    assert state.progress.step == 4, "a step that is skipped is over all the same"
    assert scaler.get_scale() == 2.0
    assert state.ema is not None
    assert int(state.ema.n_averaged) == 3
    # of 4 steps, 3 were taken: cosine stands at (1 + cos(3 pi / 4)) / 2 of the rate
    assert state.optimizer.param_groups[-1]["lr"] == pytest.approx(0.1 * (1 + math.cos(0.75 * math.pi)) / 2)
    steps = [entry["step"] for entry in state.optimizer.state.values() if "step" in entry]
    assert all(int(step) == 3 for step in steps)
    assert all(torch.isfinite(value).all() for value in weights(state.model).values())


def test_a_skipped_step_leaves_the_weights_as_if_its_batch_had_not_been(tmp_path: Path) -> None:
    scaler = GradScaler("cpu", init_scale=4.0)
    run = build_run(tmp_path, options(epochs=1), precision=SCALED_FP32, scaler=scaler)
    breaks_gradient(run, 1)
    run.fit()
    same_weights(run.state.model, sgd_by_hand(build_run(tmp_path, options(epochs=1)), [1] * 4, skip=(1,)))


@pytest.mark.parametrize("mode", ["max", "min"])
def test_early_stopping_ends_a_run_that_no_longer_improves(tmp_path: Path, mode: Any) -> None:
    chosen = options(EarlyStopping("val/loss", mode, patience=2), epochs=10)
    run = build_run(tmp_path, chosen, lr=0.0)  # nothing changes after the first epoch
    spent = run.fit()
    assert run.state.progress.epoch == 3
    assert spent.ended == "early stopping"
    assert run.fit().ended == "early stopping", "a run that has stopped early is over"
    assert run.state.progress.epoch == 3


def test_early_stopping_lets_a_run_go_on_that_improves(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(EarlyStopping("train/loss", "min", patience=1), epochs=4), lr=0.2)
    assert run.fit().ended == "all steps done"
    assert run.state.progress.epoch == 4


def test_max_steps_ends_a_run_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=5, max_steps=6), make_schedule=cosine)
    run.fit()
    assert [(row["epoch"], row["step"]) for row in run.history] == [(1, 4), (2, 6)]
    assert "val/mIoU" in run.history[-1], "the end is validated"
    assert run.saved("last")["progress"]["step"] == 6
    assert run.state.optimizer.param_groups[-1]["lr"] == pytest.approx(0), "the schedule is at its end too"


def test_an_epoch_cut_short_counts_its_own_samples_only(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=5, max_steps=6), val_samples=0)
    run.fit()
    assert int(run.task.metric.confusion.sum()) == 2 * 3 * PIXELS


def test_validation_comes_every_so_many_epochs_and_at_the_end(tmp_path: Path) -> None:
    chosen = options(epochs=5, val_interval=2, monitor="val/loss", monitor_mode="min")
    run = build_run(tmp_path, chosen)
    run.fit()
    measured = {row["epoch"]: row["val/loss"] for row in run.history if "val/loss" in row}
    assert measured.keys() == {2, 4, 5}
    best = min(measured, key=lambda epoch: measured[epoch])
    assert (run.state.progress.best_epoch, run.state.progress.best_value) == (best, measured[best])
    assert run.saved_epoch("best") == best


def test_without_validation_the_best_follows_the_training_loss(tmp_path: Path) -> None:
    chosen = options(epochs=4, monitor="train/loss", monitor_mode="min")
    run = build_run(tmp_path, chosen, lr=0.5, val_samples=0)
    run.fit()
    losses = [row["train/loss"] for row in run.history]
    assert run.state.progress.best_value == min(losses)
    assert run.saved_epoch("best") == losses.index(min(losses)) + 1
    assert not any(name.startswith("val/") for row in run.history for name in row)


def test_the_plateau_schedule_hears_of_what_is_monitored(tmp_path: Path) -> None:
    def make(optimizer: Any, **sizes: int) -> Any:
        return plateau(optimizer, mode="min", factor=0.5, patience=0, **sizes)

    chosen = options(epochs=5, val_interval=2, monitor="val/loss", monitor_mode="min")
    run = build_run(tmp_path, chosen, lr=1e-12, make_schedule=make)
    run.fit()  # measured after 2, 4 and 5
    assert run.state.optimizer.param_groups[-1]["lr"] == pytest.approx(1e-12 / 4, abs=0)


class Remembers(TinyNet):
    """Keeps what it answered in training."""

    def __init__(self) -> None:
        super().__init__(normalise=True, dropout=0.3)
        self.answers: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        if self.training:
            self.answers.append(logits.detach().clone())
        return logits


def test_training_scores_are_those_of_the_epochs_own_outputs(tmp_path: Path) -> None:
    targets: list[Tensor] = []

    def watched(batch: Batch, number: int) -> Batch:
        targets.append(batch.target)
        return batch

    run = build_run(tmp_path, options(epochs=2, log_every_n_steps=3), net=Remembers, transform_batch=watched)
    run.fit()
    assert isinstance(run.state.model, Remembers)
    answers = run.state.model.answers
    assert len(answers) == len(targets) == 8
    for row, epoch in zip(run.history, (slice(0, 4), slice(4, 8)), strict=True):
        metric = SegmentationMetric(CLASSES)
        for logits, target in zip(answers[epoch], targets[epoch], strict=True):
            metric.update(logits, target, ())
        for name, value in metric.compute().items():
            assert row[f"train/{name}"] == pytest.approx(value, nan_ok=True)
        loss = F.cross_entropy(torch.cat(answers[epoch]), torch.cat(targets[epoch]))
        assert row["train/loss"] == pytest.approx(loss.item(), rel=1e-5)


def events(run: Run, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in run.folder.events.read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def test_every_part_of_the_loss_is_logged(tmp_path: Path) -> None:
    loss = Combined({"ce": CrossEntropy(), "dice": Dice()}, {"ce": 1.0, "dice": 0.5})
    run = build_run(tmp_path, options(epochs=2, log_every_n_steps=2), loss=loss)
    run.fit()
    for row in run.history:
        for split in ("train", "val"):
            whole = row[f"{split}/loss/ce"] + 0.5 * row[f"{split}/loss/dice"]
            assert row[f"{split}/loss"] == pytest.approx(whole, rel=1e-5)
    logged = events(run, "step")
    assert [line["step"] for line in logged] == [2, 4, 6, 8]
    for line in logged:
        assert line["loss"] == pytest.approx(line["loss/ce"] + 0.5 * line["loss/dice"], rel=1e-5)
    first = [line["loss"] for line in logged[:2]]
    assert run.history[0]["train/loss"] == pytest.approx(sum(first) / 2, rel=1e-5)


def test_intervals_are_logged_at_their_steps_and_at_the_end_of_each_epoch(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=2, log_every_n_steps=3))
    run.fit()
    assert [line["step"] for line in events(run, "step")] == [3, 4, 6, 8]
    assert [line["epoch"] for line in events(run, "epoch")] == [1, 2]


def test_every_epoch_has_an_order_of_its_own_which_the_sampler_gives(tmp_path: Path) -> None:
    met: list[tuple[str, ...]] = []

    def noted(batch: Batch, number: int) -> Batch:
        met.append(batch.keys)
        return batch

    run = build_run(tmp_path, options(epochs=3), transform_batch=noted)
    run.fit()
    for epoch in range(3):
        expected = [batch.keys for batch in samples_in_order(run, epoch)]
        assert met[4 * epoch : 4 * epoch + 4] == expected
    assert met[:4] != met[4:8] != met[8:]


def test_a_model_that_comes_in_evaluation_mode_is_trained_in_training_mode(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=1), net=Remembers)
    run.state.model.eval()
    run.fit()
    assert isinstance(run.state.model, Remembers)
    assert len(run.state.model.answers) == 4
    assert run.state.model.training


class Watchful(Loss):
    """Writes down how far training was each time."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.seen = CrossEntropy(), list[float]()

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        self.seen.append(self.progress)
        value: LossValue = self.inner(outputs, target)
        return value


def test_the_loss_knows_how_far_training_is(tmp_path: Path) -> None:
    loss = Watchful()

    chosen = options(epochs=2, accumulate_grad_batches=2)
    run = build_run(tmp_path, chosen, loss=loss, val_samples=0)
    run.fit()
    assert loss.seen == [step / 4 for step in (0, 0, 1, 1, 2, 2, 3, 3)]


class Follower(TinyNet):
    """Writes down how far training was each time it trained."""

    def __init__(self) -> None:
        super().__init__()
        self.progress, self.seen = 0.0, list[float]()

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.seen.append(self.progress)
        return super().forward(images)


def test_a_model_that_follows_progress_knows_it_too(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=2, accumulate_grad_batches=2), Follower, val_samples=0)
    run.fit()
    assert run.state.model.seen == [step / 4 for step in (0, 0, 1, 1, 2, 2, 3, 3)]


def test_every_batch_of_a_run_has_a_number_that_a_resumed_run_gives_it_too(tmp_path: Path) -> None:
    """15 samples in batches of 3: 5 batches an epoch in windows of 2, 2 and 1."""
    numbers: list[int] = []

    def counted(batch: Batch, number: int) -> Batch:
        numbers.append(number)
        return batch

    chosen = options(epochs=3, accumulate_grad_batches=2, max_checkpoints=3)
    for path, start in (("whole", 0), ("resumed", 5)):
        run = build_run(tmp_path / path, chosen, train_samples=15, transform_batch=counted)
        if start:
            run.resume(tmp_path / "whole" / "checkpoints" / "epoch_001.pt")
        run.fit()
        assert numbers == list(range(start, 15))
        numbers.clear()


def test_what_a_batch_is_made_into_is_what_is_learnt(tmp_path: Path) -> None:
    def all_road(batch: Batch, number: int) -> Batch:
        return Batch(batch.inputs, torch.ones_like(batch.target), batch.keys)

    run = build_run(tmp_path, options(epochs=6), lr=1.0, transform_batch=all_road)
    run.fit()
    assert run.history[-1]["train/IoU/road"] == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_one_error_and_the_checkpoints_stay(tmp_path: Path, bad: float) -> None:
    def spoiled(batch: Batch, number: int) -> Batch:
        return batch if number != 9 else Batch(batch.inputs * bad, batch.target, batch.keys)

    chosen = options(epochs=5, monitor="val/loss", monitor_mode="min", ema_decay=0.9, average_start=0.0)
    run = build_run(tmp_path, chosen, transform_batch=spoiled)
    with pytest.raises(UserError, match="epoch 2 are untouched"):
        run.fit()
    assert [run.saved_epoch(name) for name in ("last", "best")] == [2, run.state.progress.best_epoch]
    for name in ("last", "best", "average"):
        assert all(torch.isfinite(value).all() for value in run.saved(name)["model"].values())
    assert len(read_json(run.folder.history)) == 2


def test_evaluation_is_of_the_ema_and_training_goes_on_with_the_raw_weights(tmp_path: Path) -> None:
    plain = build_run(tmp_path / "plain", options(epochs=3))
    with_ema = build_run(tmp_path / "ema", options(epochs=3, ema_decay=0.9))
    plain.fit()
    with_ema.fit()
    assert not unequal(weights(plain.state.model), weights(with_ema.state.model))

    state, task = with_ema.state, with_ema.task
    assert state.ema is not None
    assert with_ema.feed.val is not None
    for model, history in ((state.ema.module, with_ema.history), (plain.state.model, plain.history)):
        scores = evaluate(model, with_ema.feed.val, task.loss, task.metric, CPU, FP32)
        for name, value in scores.items():
            assert history[-1][f"val/{name}"] == pytest.approx(value, abs=0, nan_ok=True)
    assert with_ema.history[-1]["val/loss"] != plain.history[-1]["val/loss"]
    assert int(state.ema.n_averaged) == 12, "once a step"


def test_the_average_is_the_mean_of_the_epochs_after_its_start(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=5, average_start=0.5, max_checkpoints=5, monitor="train/loss"))
    run.fit()
    ends = [run.saved(f"epoch_{epoch:03d}")["model"] for epoch in (3, 4, 5)]  # steps 12, 16 and 20 of 20
    for name, value in run.saved("average")["model"].items():
        torch.testing.assert_close(value, torch.stack([end[name] for end in ends]).mean(dim=0))


def test_frozen_weights_stay(tmp_path: Path) -> None:
    class HalfFrozen(TinyNet):
        def __init__(self) -> None:
            super().__init__()
            self.first.requires_grad_(False)

    run = build_run(tmp_path, options(epochs=1, gradient_clip_val=1.0), net=HalfFrozen)
    before = weights(run.state.model)
    run.fit()
    changed = {name for name, value in weights(run.state.model).items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_a_run_that_is_over_does_nothing(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=1))
    run.fit()
    before, rows = weights(run.state.model), len(run.history)
    assert run.fit().seconds == {}
    assert not unequal(before, weights(run.state.model))
    assert len(run.history) == rows


def test_rows_hold_the_rate_of_the_epochs_last_step_and_where_the_time_went(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=2), make_schedule=cosine)
    spent = run.fit()
    # the last steps of the epochs are number 3 and 7 of 8
    expected = [0.1 * (1 + math.cos(math.pi * step / 8)) / 2 for step in (3, 7)]
    assert [row["lr"] for row in run.history] == pytest.approx(expected)
    for row in run.history:
        assert row["images_per_second"] > 0
        assert 0 <= row["data_wait_fraction"] <= 1
        assert row["peak_memory_mb"] > 0
    assert {"epoch", "training", "validation", "checkpoint"} <= spent.seconds.keys()
    assert spent.seconds["training"] <= spent.seconds["epoch"]


def test_pictures_are_drawn_of_the_evaluated_model_every_so_many_epochs_and_at_the_end(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=3, visualization_interval=2, ema_decay=0.9), net=Remembers)
    assert run.feed.val is not None
    shown = next(iter(run.feed.val))
    seen: list[Outputs] = []
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[..., 0] = 200

    def draw(batch: Batch, outputs: Outputs | None) -> list[tuple[str, np.ndarray]]:
        assert batch is shown
        assert outputs is not None
        seen.append(outputs)
        return [("street/one", picture)]

    run.feed = Feed(run.feed.train, run.feed.val, (shown,), draw)
    run.fit()
    files = sorted(file.relative_to(run.folder.visualizations) for file in run.folder.visualizations.rglob("*.png"))
    assert [str(file) for file in files] == ["epoch_002/street_one.png", "epoch_003/street_one.png"]
    read = cv2.imread(str(run.folder.visualizations / files[0]))
    assert read is not None
    assert np.array_equal(read, picture[..., ::-1]), "red stays red"
    assert run.state.ema is not None
    with torch.no_grad():
        assert not unequal(run.state.ema.module(shown.inputs), seen[-1])
    assert run.state.model.training


def test_how_often_is_logged_changes_nothing(tmp_path: Path) -> None:
    """Logging reads numbers and changes none."""
    ends = []
    for every in (1, 100):
        run = build_run(tmp_path / str(every), options(log_every_n_steps=every), net=Remembers)
        run.fit()
        ends.append(weights(run.state.model))
    assert not unequal(ends[0], ends[1])
