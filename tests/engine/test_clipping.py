"""Gradients before and after, by hand."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from segmentation.engine.clipping import ClipMode, clip_gradients
from tests.engine.toy import SCALED_FP32, breaks_gradient, build_run, options, weights


def with_gradients(*gradients: list[float]) -> list[nn.Parameter]:
    """Parameters of ones."""
    parameters = [nn.Parameter(torch.ones(len(gradient))) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.tensor(gradient)
    return parameters


def gradients_of(parameters: list[nn.Parameter]) -> list[list[float]]:
    return [parameter.grad.tolist() for parameter in parameters if parameter.grad is not None]


def test_by_norm_all_gradients_shrink_together() -> None:
    parameters = [*with_gradients([3.0, 0.0], [4.0]), nn.Parameter(torch.ones(2))]  # the last has none
    norm = clip_gradients(parameters, 1.0, "norm", measure=False)
    assert norm is not None
    assert norm.item() == pytest.approx(5)
    assert gradients_of(parameters) == [pytest.approx([0.6, 0], rel=1e-5), pytest.approx([0.8], rel=1e-5)]


def test_by_value_each_number_is_bounded() -> None:
    parameters = with_gradients([3.0, -0.5], [-4.0])
    norm = clip_gradients(parameters, 1.0, "value", measure=True)
    assert norm is not None
    assert norm.item() == pytest.approx(math.sqrt(9 + 0.25 + 16)), "of the gradients before"
    assert gradients_of(parameters) == [[1, -0.5], [-1]]


def test_adaptively_each_output_unit_is_bounded_by_its_weights() -> None:
    weight = nn.Parameter(torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]))
    weight.grad = torch.tensor([[0.3, 0.4], [0.3, 0.4], [0.3, 0.4]])
    clip_gradients([weight], 0.1, "adaptive", measure=False)
    # a tenth of the norms 5, 0.5 and, for weights near zero, 1e-3; the gradients' are 0.5
    torch.testing.assert_close(weight.grad, torch.tensor([[0.3, 0.4], [0.03, 0.04], [6e-5, 8e-5]]))


@pytest.mark.parametrize("mode", ["norm", "value", "adaptive"])
@pytest.mark.parametrize("measure", [True, False])
def test_without_a_limit_nothing_is_clipped(mode: ClipMode, measure: bool) -> None:
    parameters = with_gradients([3.0, 4.0])
    norm = clip_gradients(parameters, None, mode, measure)
    assert gradients_of(parameters) == [[3, 4]]
    assert (None if norm is None else norm.item()) == (5 if measure else None)


@pytest.mark.parametrize("mode", ["norm", "value", "adaptive"])
def test_a_gradient_that_is_not_finite_is_seen_in_the_norm(mode: ClipMode) -> None:
    norm = clip_gradients(with_gradients([math.inf, 1.0]), 1.0, mode, measure=True)
    assert isinstance(norm, Tensor)
    assert not torch.isfinite(norm)


@pytest.mark.parametrize("mode", ["value", "adaptive"])
def test_training_clips_and_still_skips_what_the_scaler_skips(tmp_path: Path, mode: ClipMode) -> None:
    ends = []
    for limit in (1e-4, None):
        chosen = options(epochs=1, ema_decay=0.5, gradient_clip_val=limit, gradient_clip_mode=mode)
        scaler = GradScaler("cpu", init_scale=4.0, growth_interval=1000)
        run = build_run(tmp_path / str(limit), chosen, precision=SCALED_FP32, scaler=scaler, val_samples=0)
        start = weights(run.state.model)
        breaks_gradient(run, 2)
        run.fit()
        assert run.state.ema is not None
        assert int(run.state.ema.n_averaged) == 3, "of 4 steps"
        moved = [(start[name] - value).norm().item() for name, value in run.state.model.state_dict().items()]
        ends.append(moved)
    assert all(0 < clipped < 0.2 * free for clipped, free in zip(*ends, strict=True))
