"""A run that is stopped and goes on in a fresh process ends with the same bits as one that was never stopped."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from torch import nn
from torch.amp import GradScaler

from segmentation.data.batch import Batch
from segmentation.engine.options import EarlyStopping, TrainerOptions
from segmentation.engine.schedule import constant, plateau
from segmentation.engine.state import load_weights
from segmentation.errors import UserError
from segmentation.runtime.device import Precision
from segmentation.runtime.files import read_json
from tests.engine.configured import choices, configured
from tests.engine.toy import (
    FP32,
    MakeSchedule,
    RestlessNet,
    Run,
    TinyNet,
    adamw,
    breaks_gradient,
    build_run,
    options,
    sgd,
    unequal,
)

EPOCHS = 4
TIMES = ("epoch_seconds", "images_per_second", "data_wait_fraction", "peak_memory_mb")
EVERYTHING_ON = options(
    EarlyStopping("val/loss", "min", patience=3),
    epochs=EPOCHS,
    accumulate_grad_batches=2,
    gradient_clip_val=1.0,
    ema_decay=0.9,
    average_start=0.3,
    monitor="val/loss",
    monitor_mode="min",
    max_checkpoints=EPOCHS,  # every epoch leaves its file: where the run could have been stopped
)


def schedule_of(name: str) -> MakeSchedule:
    overrides = [f"scheduler={name}", "trainer.monitor_mode=min", "trainer.monitor=val/loss"]
    make: MakeSchedule = instantiate(configured(*overrides).scheduler, _convert_="all")
    if name == "plateau":
        return partial(plateau, mode="min", patience=0, warmup=0.3)
    return make if name == "one_cycle" else partial(make, warmup=0.3)


def scaler_for(precision: Precision) -> GradScaler:
    """Its scale changes in the run: it grows after every three steps."""
    return GradScaler("cpu", init_scale=2.0**6, growth_interval=3, enabled=precision.scale_gradients)


def restless(
    path: Path,
    make_schedule: MakeSchedule = constant,
    precision: Precision = FP32,
    seed: int = 0,
    trained: TrainerOptions = EVERYTHING_ON,
    **changed: Any,
) -> Run:
    return build_run(
        path,
        trained,
        net=RestlessNet,
        make_optimizer=changed.pop("make_optimizer", adamw),
        make_schedule=make_schedule,
        precision=precision,
        scaler=scaler_for(precision),
        train_samples=15,
        seed=seed,
        lr=0.05,
        **changed,
    )


def without_times(checkpoint: dict[str, Any]) -> dict[str, Any]:
    progress = checkpoint["progress"]
    rows = [{name: value for name, value in row.items() if name not in TIMES} for row in progress["history"]]
    return {**checkpoint, "progress": {**progress, "history": rows}}


def assert_same_end(one: Run, other: Run) -> None:
    for name in ("last", "best"):
        assert not unequal(without_times(one.saved(name)), without_times(other.saved(name))), name
    assert not unequal(one.saved("average"), other.saved("average"))
    kept = [sorted(file.name for file in run.folder.checkpoints.iterdir()) for run in (one, other)]
    assert kept[0] == kept[1]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """The run that nothing stopped, trained once for each schedule and precision."""
    runs: dict[tuple[str, str], Run] = {}

    def trained(schedule: str, precision: Precision) -> Run:
        if (schedule, precision.name) not in runs:
            path = tmp_path_factory.mktemp("uninterrupted")
            run = runs[schedule, precision.name] = restless(path, schedule_of(schedule), precision)
            run.fit()
        return runs[schedule, precision.name]

    return trained


FP16 = Precision("fp16", torch.float16, True)
BF16 = Precision("bf16", torch.bfloat16, False)
CASES = [(name, FP32) for name in choices("scheduler")] + [("cosine", FP16), ("cosine", BF16)]


@pytest.mark.parametrize(("schedule", "precision"), CASES, ids=lambda value: getattr(value, "name", value))
@pytest.mark.parametrize("stopped_after", range(1, EPOCHS))
def test_a_run_stopped_after_any_epoch_ends_with_the_same_bits(
    tmp_path: Path, uninterrupted: Callable[..., Run], schedule: str, precision: Precision, stopped_after: int
) -> None:
    whole = uninterrupted(schedule, precision)
    resumed = restless(tmp_path, schedule_of(schedule), precision, seed=77)
    resumed.resume(whole.folder.checkpoint(f"epoch_{stopped_after:03d}"))
    assert resumed.state.progress.epoch == stopped_after
    resumed.fit()
    assert resumed.state.progress.epoch == EPOCHS
    assert_same_end(whole, resumed)


def test_a_run_whose_last_step_was_skipped_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """5 batches an epoch in windows of 2, 2 and 1: pass 9 is the last step of the second epoch."""
    whole = restless(tmp_path / "whole", schedule_of("cosine"), FP16)
    breaks_gradient(whole, 9)
    whole.fit()
    assert whole.saved("epoch_002")["schedule"]["last_epoch"] == whole.saved("epoch_002")["ema"]["updates"] == 5
    resumed = restless(tmp_path / "resumed", schedule_of("cosine"), FP16, seed=77)
    resumed.resume(whole.folder.checkpoint("epoch_002"))
    resumed.fit()
    assert_same_end(whole, resumed)


def test_the_run_that_is_compared_uses_all_that_is_saved(uninterrupted: Callable[..., Run]) -> None:
    """Else equal ends would prove little."""
    state = uninterrupted("plateau", FP32).state
    assert state.ema is not None
    assert state.average is not None
    assert int(state.ema.n_averaged) == 3 * EPOCHS
    assert int(state.average.n_averaged) == 3
    assert len(state.progress.kept) == EPOCHS
    assert state.progress.stopping_value is not None
    scaled = uninterrupted("cosine", FP16)
    scales = {scaled.saved(f"epoch_{epoch:03d}")["scaler"]["scale"] for epoch in range(1, EPOCHS + 1)}
    assert len(scales) > 1
    rates = {row["lr"] for row in uninterrupted("plateau", FP32).history}
    assert len(rates) > 1


def test_another_seed_alone_gives_another_end(tmp_path: Path) -> None:
    """What the fresh objects of a resumed run would come to by themselves."""
    ends = []
    for seed in (0, 77):
        run = restless(tmp_path / str(seed), seed=seed)
        run.fit()
        ends.append(run.saved("last")["model"])
    assert unequal(*ends)


class Killed(Exception):  # noqa: N818
    pass


def test_a_run_killed_within_an_epoch_goes_on_in_its_folder_from_the_epoch_before(
    tmp_path: Path, uninterrupted: Callable[..., Run]
) -> None:
    def kill(batch: Batch, number: int) -> Batch:
        if number == 12:  # of 20, in the third epoch
            raise Killed
        return batch

    killed = restless(tmp_path, schedule_of("cosine"), transform_batch=kill)
    with pytest.raises(Killed):
        killed.fit()
    resumed = restless(tmp_path, schedule_of("cosine"), seed=77)
    resumed.resume(resumed.folder.checkpoint("last"))
    assert resumed.state.progress.epoch == 2
    resumed.fit()
    assert_same_end(uninterrupted("cosine", FP32), resumed)
    assert len(read_json(resumed.folder.history)) == EPOCHS


def test_a_run_that_crashed_while_saving_goes_on_to_the_same_bits(
    tmp_path: Path, uninterrupted: Callable[..., Run]
) -> None:
    whole = uninterrupted("cosine", FP32)
    crashed = restless(tmp_path, schedule_of("cosine"))
    blocked = crashed.folder.checkpoint("average")
    blocked.mkdir(parents=True)  # the average cannot be written, and last.pt is only after it
    with pytest.raises(UserError, match="average"):
        crashed.fit()
    assert crashed.saved_epoch("best") == 2
    assert crashed.saved_epoch("last") == 1
    blocked.rmdir()
    resumed = restless(tmp_path, schedule_of("cosine"), seed=77)
    resumed.resume(resumed.folder.checkpoint("last"))
    resumed.fit()
    assert_same_end(whole, resumed)


def test_early_stopping_remembers_how_long_it_has_waited(tmp_path: Path) -> None:
    patient = options(EarlyStopping("val/loss", "min", patience=3), epochs=9, max_checkpoints=9, monitor="train/loss")
    run = build_run(tmp_path / "run", patient, lr=0.0)
    run.fit()
    assert run.state.progress.epoch == 4
    resumed = build_run(tmp_path / "resumed", patient, lr=0.0, seed=77)
    resumed.resume(run.folder.checkpoint("epoch_003"))
    assert resumed.state.progress.stopping_wait == 2
    assert resumed.fit().ended == "early stopping"
    assert resumed.state.progress.epoch == 4


def test_a_state_survives_the_file_unchanged(tmp_path: Path) -> None:
    run = restless(tmp_path / "run")
    run.fit()
    fresh = restless(tmp_path / "fresh", seed=77)
    fresh.state.load_state_dict(run.saved("last"))
    assert not unequal({"format": 1, **fresh.state.state_dict()}, run.saved("last"))


def test_a_run_that_is_over_can_be_given_more_epochs(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=2))
    run.fit()
    longer = build_run(tmp_path, options(epochs=5))
    longer.resume(run.folder.checkpoint("last"))
    longer.fit()
    assert [row["epoch"] for row in longer.history] == [1, 2, 3, 4, 5]
    straight = build_run(tmp_path / "straight", options(epochs=5))
    straight.fit()
    assert not unequal(longer.saved("last")["model"], straight.saved("last")["model"]), "the rate is constant"


def test_averages_that_the_checkpoint_lacks_start_from_its_weights(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", options(epochs=1))
    run.fit()
    on = build_run(tmp_path / "on", options(epochs=2, ema_decay=0.9, average_start=0.0), seed=77)
    on.state.load_state_dict(run.saved("last"))
    for average in (on.state.ema, on.state.average):
        assert average is not None
        assert int(average.n_averaged) == 0
        assert not unequal(average.module.state_dict(), run.saved("last")["model"])


@pytest.mark.parametrize("before", [FP32, FP16], ids=lambda precision: precision.name)
@pytest.mark.parametrize("now", [FP32, FP16], ids=lambda precision: precision.name)
def test_a_run_can_go_on_in_another_precision(tmp_path: Path, before: Precision, now: Precision) -> None:
    run = restless(tmp_path, precision=before, trained=options(epochs=1))
    run.fit()
    resumed = restless(tmp_path, precision=now, trained=options(epochs=2))
    resumed.resume(run.folder.checkpoint("last"))
    resumed.fit()
    assert resumed.state.progress.epoch == 2


class Wider(RestlessNet):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(8, 7, 1)


def frozen() -> nn.Module:
    net = RestlessNet()
    net.first.requires_grad_(False)
    return net


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"net": TinyNet}, "do not fit the model"),
        ({"net": Wider}, "do not fit the model: 2 differ, the first head.weight"),
        ({"net": frozen}, "optimizer"),
        ({"make_optimizer": sgd}, "AdamW"),
        ({"make_schedule": partial(plateau, mode="min")}, "PlateauSchedule"),
    ],
    ids=["model", "shape", "frozen", "optimizer", "schedule"],
)
def test_a_checkpoint_of_something_else_is_one_error(tmp_path: Path, changed: dict[str, Any], says: str) -> None:
    one_epoch = options(epochs=1)
    run = build_run(tmp_path / "run", one_epoch, net=RestlessNet, make_optimizer=adamw)
    run.fit()
    given: dict[str, Any] = {"net": RestlessNet, "make_optimizer": adamw, **changed}
    other = build_run(tmp_path / "other", one_epoch, **given)
    with pytest.raises(UserError, match=re.escape(says)) as error:
        other.state.load_state_dict(run.saved("last"))
    assert "\n" not in str(error.value)


def test_weights_alone_are_no_state(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=1, average_start=0.0))
    run.fit()
    with pytest.raises(UserError, match="weights only"):
        run.state.load_state_dict(run.saved("average"))


def test_weights_of_another_network_leave_the_model_as_it_was() -> None:
    model, other = TinyNet(), TinyNet()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    given = {**other.state_dict(), "head.bias": torch.zeros(9)}
    with pytest.raises(UserError, match=r"head\.bias"):
        load_weights(model, given)
    with pytest.raises(UserError, match="extra"):
        load_weights(model, {**other.state_dict(), "extra": torch.zeros(1)})
    assert not unequal(before, model.state_dict())
    load_weights(model, other.state_dict())
    assert not unequal(model.state_dict(), other.state_dict())


def test_what_is_evaluated_is_the_ema_where_there_is_one(tmp_path: Path) -> None:
    with_ema, without = build_run(tmp_path, options(ema_decay=0.9)).state, build_run(tmp_path, options()).state
    assert with_ema.ema is not None
    assert with_ema.evaluated_model is with_ema.ema.module
    assert without.evaluated_model is without.model
