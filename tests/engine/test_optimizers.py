"""Every optimizer that is shipped learns, goes on from a checkpoint with the same bits, and keeps the groups' rates."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate

from segmentation.build.training import GROUP_OPTIONS, build_optimizer
from segmentation.engine.schedule import cosine
from segmentation.errors import UserError
from tests.engine.configured import choices, configured
from tests.engine.test_freeze import WithEncoder
from tests.engine.test_state import assert_same_end, restless
from tests.engine.toy import MakeOptimizer, RestlessNet, build_run, options

OVER_OPTIMIZERS = pytest.mark.parametrize("name", choices("optimizer"))
OWN = "optimizer.groups=[{pattern:'*.bias',lr_multiplier:3}]"


def shipped(name: str) -> MakeOptimizer:
    """That optimizer as configured, for groups that are there already."""
    given = {key: value for key, value in configured(f"optimizer={name}").optimizer.items() if key not in GROUP_OPTIONS}
    make: MakeOptimizer = instantiate(given, _convert_="all")
    return make


@OVER_OPTIMIZERS
def test_it_learns(name: str, tmp_path: Path) -> None:
    run = build_run(tmp_path, options(epochs=15), make_optimizer=shipped(name), lr=0.02, val_samples=0)
    run.fit()
    losses = [row["train/loss"] for row in run.history]
    assert losses[-1] < 0.9 * losses[0]


@OVER_OPTIMIZERS
def test_a_resumed_run_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    whole = restless(tmp_path / "whole", cosine, make_optimizer=shipped(name))
    whole.fit()
    resumed = restless(tmp_path / "resumed", cosine, seed=77, make_optimizer=shipped(name))
    resumed.resume(whole.folder.checkpoint("epoch_002"))
    resumed.fit()
    assert_same_end(whole, resumed)


@OVER_OPTIMIZERS
def test_an_encoder_that_rests_at_first_is_taken_up(name: str, tmp_path: Path) -> None:
    chosen = options(epochs=2, freeze_encoder_epochs=1)
    run = build_run(tmp_path, chosen, net=WithEncoder, make_optimizer=shipped(name), lr=0.01, val_samples=0)
    before = run.state.model.get_parameter("encoder.1.weight").clone()
    run.fit()
    after = run.state.model.get_parameter("encoder.1.weight")
    assert torch.isfinite(after).all()
    assert not torch.equal(before, after)


@OVER_OPTIMIZERS
def test_it_takes_the_groups_with_their_rates(name: str) -> None:
    optimizer = build_optimizer(configured(f"optimizer={name}", "optimizer.lr=0.01", OWN), RestlessNet())
    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["names"]}
    usual = {"first": 0.01 * 0.9**2, "norm": 0.01 * 0.9, "head": 0.01}
    assert rates == {
        f"{place}.{kind}": pytest.approx(rate * (3 if kind == "bias" else 1))
        for place, rate in usual.items()
        for kind in ("weight", "bias")
    }


@OVER_OPTIMIZERS
def test_a_step_is_of_the_size_of_its_rate(name: str) -> None:
    """With gradients that are equal, between a hundredth and ten times the rate of its own file."""
    config = configured(f"optimizer={name}", "optimizer.weight_decay=0")
    torch.manual_seed(0)
    model = RestlessNet()
    optimizer = build_optimizer(config, model)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["names"]}
    for parameter_name, parameter in model.named_parameters():
        moved = (parameter.detach() - before[parameter_name]).square().mean().sqrt().item()
        if name == "adopt":  # its first step only takes the gradient's square
            assert moved == 0
        else:
            assert 0.01 < moved / rates[parameter_name] < 10, parameter_name


def test_muon_takes_matrices_and_leaves_the_rest_to_adamw_at_the_same_rate() -> None:
    model = RestlessNet()
    optimizer = build_optimizer(configured("optimizer=muon"), model)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    by_muon = {name for name, p in model.named_parameters() if optimizer.state[p]["use_muon"]}
    assert by_muon == {"first.weight"}, "a head of three classes is too narrow"
    assert all(group["fallback_lr_scale"] == 1 for group in optimizer.param_groups)


def test_an_option_that_the_optimizer_does_not_have_is_one_error() -> None:
    config = configured("optimizer=sgd", "+optimizer.betas=[0.9,0.99]")
    with pytest.raises(UserError, match="betas"):
        build_optimizer(config, RestlessNet())
