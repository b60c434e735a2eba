import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from segmentation.engine.ema import exponential_average, running_average
from tests.engine.toy import TinyNet


def drifting(steps: int) -> tuple[nn.Module, list[dict[str, Tensor]]]:
    """A network and the states that it passes through: weights that wander, batch-norm statistics and their counter."""
    generator = torch.Generator().manual_seed(0)
    model = TinyNet(normalise=True)
    states = []
    for step in range(steps):
        states.append(
            {
                name: torch.randn(value.shape, generator=generator)
                if value.is_floating_point()
                else torch.tensor(100 + step)
                for name, value in model.state_dict().items()
            }
        )
    return model, states


def averages_along(averaged: AveragedModel, model: nn.Module, states: list[dict[str, Tensor]]) -> list[Tensor]:
    """The whole average as one vector after each update; integers are checked on the way."""
    seen = []
    for state in states:
        model.load_state_dict(state)
        averaged.update_parameters(model)
        now = averaged.module.state_dict()
        counters = [name for name, value in now.items() if not value.is_floating_point()]
        assert counters
        assert all(torch.equal(now[name], state[name]) for name in counters)
        seen.append(flat(now))
    return seen


def flat(state: dict[str, Tensor]) -> Tensor:
    return torch.cat([value.flatten() for value in state.values() if value.is_floating_point()])


@pytest.mark.parametrize("decay", [0.999, 0.3])
def test_ema_follows_its_formula_with_the_warm_up(decay: float) -> None:
    model, states = drifting(30)
    seen = averages_along(exponential_average(model, decay), model, states)
    expected = flat(states[0])  # the first update takes what it is given
    torch.testing.assert_close(seen[0], expected)
    for update in range(1, 30):
        now = min(decay, (1 + update) / (10 + update))
        expected = now * expected + (1 - now) * flat(states[update])
        torch.testing.assert_close(seen[update], expected)


def test_ema_reaches_the_given_decay() -> None:
    """(1 + n) / (10 + n) passes 0.3 after n = 2: from then on each update moves by 0.7."""
    model, states = drifting(6)
    seen = averages_along(exponential_average(model, 0.3), model, states)
    for update in (3, 4, 5):
        torch.testing.assert_close(seen[update], torch.lerp(seen[update - 1], flat(states[update]), 0.7))


def test_the_running_average_is_the_plain_mean_of_weights_and_statistics() -> None:
    model, states = drifting(7)
    seen = averages_along(running_average(model), model, states)
    for update in range(7):
        mean = torch.stack([flat(state) for state in states[: update + 1]]).mean(dim=0)
        torch.testing.assert_close(seen[update], mean)


def test_buffers_that_were_set_aside_are_averaged_in_place_of_the_models() -> None:
    model, states = drifting(3)
    averaged = exponential_average(model, 0.5)
    model.load_state_dict(states[0])
    averaged.update_parameters(model)
    model.load_state_dict(states[1])
    aside = [buffer.clone() for buffer in model.buffers()]
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(states[2][name])  # a forward pass later
    averaged.update_parameters(model, aside)
    moved = 1 - 2 / 11
    torch.testing.assert_close(flat(averaged.module.state_dict()), torch.lerp(flat(states[0]), flat(states[1]), moved))
    assert int(averaged.module.get_buffer("norm.num_batches_tracked")) == 101


@pytest.mark.parametrize("averaged", [exponential_average(TinyNet(), 0.9), running_average(TinyNet())])
def test_an_average_is_not_trained(averaged: AveragedModel) -> None:
    assert not averaged.module.training
    assert not any(parameter.requires_grad for parameter in averaged.parameters())


def test_an_average_is_a_copy_and_leaves_the_model_as_it_is() -> None:
    model, states = drifting(3)
    model.train()
    averaged = exponential_average(model, 0.5)
    for state in states:
        model.load_state_dict(state)
        averaged.update_parameters(model)
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(value, states[-1][name]) for name, value in model.state_dict().items())
    assert not torch.equal(flat(averaged.module.state_dict()), flat(states[-1]))
