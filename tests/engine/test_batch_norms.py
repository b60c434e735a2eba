"""The statistics of the averaged weights are those that they produce on the training samples."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from segmentation.engine.batch_norms import MOST, batch_norms_to_refresh, refresh_batch_norms
from segmentation.engine.ema import running_average
from tests.engine.test_state import restless
from tests.engine.toy import CPU, FP32, Run, TinyNet, build_run, options, samples_in_order, unequal, weights


def averaged_run(path: Path, dropout: float = 0.0) -> Run:
    chosen = options(epochs=4, average_start=0.3, max_checkpoints=4)
    return build_run(path, chosen, net=partial(TinyNet, normalise=True, dropout=dropout), lr=0.3)


def test_the_average_ends_with_statistics_of_its_own(tmp_path: Path) -> None:
    run = averaged_run(tmp_path)
    run.fit()
    saved = run.saved("average")["model"]
    kept = run.saved("last")["average"]["model"]
    moved = {name for name in kept if not torch.equal(saved[name], kept[name])}
    assert moved == {"norm.running_mean", "norm.running_var", "norm.num_batches_tracked"}
    reference = TinyNet(normalise=True)
    reference.load_state_dict(kept)
    update_bn([batch.inputs for batch in samples_in_order(run, 4)], reference)
    torch.testing.assert_close(saved, reference.state_dict())


def test_dropout_neither_changes_the_statistics_nor_draws(tmp_path: Path) -> None:
    run = averaged_run(tmp_path, dropout=0.9)
    average = running_average(run.state.model).module
    batch_norms = batch_norms_to_refresh(average, run.state.model)
    inputs = [batch.inputs for batch in samples_in_order(run, 0)]
    reference = TinyNet(normalise=True)
    reference.load_state_dict(average.state_dict())
    update_bn(inputs, reference)
    before = torch.get_rng_state()
    refresh_batch_norms(average, batch_norms, samples_in_order(run, 0), CPU, FP32)
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(average.state_dict(), reference.state_dict())
    assert not any(module.training for module in average.modules())
    assert batch_norms[0].momentum == 0.1


def test_a_run_that_is_over_writes_the_same_average_again(tmp_path: Path) -> None:
    run = averaged_run(tmp_path / "run", dropout=0.3)
    run.fit()
    for name in ("epoch_004", "epoch_002"):
        resumed = averaged_run(tmp_path / name, dropout=0.3)
        resumed.resume(run.folder.checkpoint(name))
        resumed.fit()
        assert not unequal(run.saved("average"), resumed.saved("average"))


def test_batch_norms_that_training_leaves_alone_are_left_alone() -> None:
    norms = [nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False), nn.GroupNorm(2, 4)]
    model = nn.Sequential(*norms, nn.BatchNorm2d(4, track_running_stats=False))
    model[1].requires_grad_(False)
    average = running_average(model).module
    found = batch_norms_to_refresh(average, model)
    assert [place for place, module in enumerate(average.children()) if module in found] == [0, 2]


def test_without_batch_norms_or_updates_the_file_stays_as_it_was(tmp_path: Path) -> None:
    plain = build_run(tmp_path / "plain", options(epochs=2, average_start=0.0))
    plain.fit()
    assert not unequal(plain.saved("average")["model"], plain.saved("last")["average"]["model"])
    late = build_run(tmp_path / "late", options(epochs=2, average_start=1.0), net=partial(TinyNet, normalise=True))
    late.fit()
    assert not late.folder.checkpoint("average").exists()


def test_the_weights_that_are_trained_do_not_notice(tmp_path: Path) -> None:
    ends = []
    for start in (0.0, 1.0):
        run = restless(tmp_path / str(start), trained=options(epochs=1, average_start=start))
        run.fit()
        ends.append(weights(run.state.model))
        assert run.state.model.training
    assert not unequal(ends[0], ends[1])


@pytest.mark.parametrize(("steps", "expected"), [(2, 2), (MOST + 2, MOST)])
def test_as_many_batches_as_the_run_had_steps_are_enough_and_never_more_than_most(
    tmp_path: Path, steps: int, expected: int
) -> None:
    chosen = options(epochs=1, max_steps=steps, batch_size=1, average_start=0.0)
    run = build_run(tmp_path, chosen, net=partial(TinyNet, normalise=True), train_samples=MOST + 5, val_samples=0)
    run.fit()
    assert int(run.saved("average")["model"]["norm.num_batches_tracked"]) == expected
