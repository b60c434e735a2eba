import copy
from pathlib import Path

import pytest

from segmentation.engine.trial import taken_back, try_step
from tests.engine.test_state import EVERYTHING_ON, FP16, restless
from tests.engine.toy import Run, adamw, build_run, options, samples_in_order, unequal, weights


def disturb(run: Run) -> None:
    """Everything that steps change, in the middle of which it is interrupted."""
    with taken_back(run.state):
        before = copy.deepcopy(run.state.state_dict())
        run.state.model.train()
        for batch in samples_in_order(run, 0):
            try_step(run.state, [batch], run.task, run.options)
            run.state.schedule.step()
        assert run.state.ema is not None
        run.state.ema.update_parameters(run.state.model)
        changed = {place.split("/")[1] for place in unequal(before, run.state.state_dict())}
        assert changed == {"model", "ema", "optimizer", "schedule", "scaler", "rng"}
        raise KeyboardInterrupt


def test_whatever_happened_is_taken_back(tmp_path: Path) -> None:
    run = restless(tmp_path, precision=FP16)
    before = copy.deepcopy(run.state.state_dict())
    with pytest.raises(KeyboardInterrupt):
        disturb(run)
    assert not unequal(before, run.state.state_dict())
    assert all(parameter.grad is None for parameter in run.state.model.parameters())


def test_a_run_after_a_trial_is_as_one_without(tmp_path: Path) -> None:
    ends = []
    for tried in (True, False):
        run = restless(tmp_path / str(tried), trained=EVERYTHING_ON)
        if tried:
            with taken_back(run.state):
                run.state.model.train()
                try_step(run.state, list(samples_in_order(run, 0)), run.task, run.options)
        run.fit()
        ends.append(run.saved("last")["model"])
    assert not unequal(*ends)


def test_a_tried_step_is_one_of_the_loops(tmp_path: Path) -> None:
    """Two batches to a step, clipped."""
    chosen = options(epochs=1, max_steps=1, accumulate_grad_batches=2, gradient_clip_val=0.05)
    looped, tried = (build_run(tmp_path / name, chosen, make_optimizer=adamw) for name in ("loop", "tried"))
    looped.fit()
    batches = samples_in_order(tried, 0)
    tried.state.model.train()
    loss = try_step(tried.state, [next(batches), next(batches)], tried.task, chosen)
    assert not unequal(weights(looped.state.model), weights(tried.state.model))
    assert loss.item() == pytest.approx(looped.history[0]["train/loss"])
