import random
from pathlib import Path

import numpy as np
import pytest
import torch

from segmentation.runtime.checkpoint import load_checkpoint, save_checkpoint
from segmentation.runtime.seeds import rng_state, seed_everything, set_rng_state


def draws() -> list[float]:
    """Of each generator; a single normal number leaves a second one waiting in Python's and in NumPy's."""
    return [random.random(), random.gauss(), np.random.rand(), np.random.normal(), *torch.randn(3).tolist()]


@pytest.fixture(autouse=True)
def _as_it_was() -> object:
    state = rng_state()
    yield
    set_rng_state(state)


@pytest.mark.parametrize("seed", [0, 1, 2**32 + 5])
def test_a_seed_decides_every_generator(seed: int) -> None:
    seed_everything(seed)
    first = draws()
    assert draws() != first
    seed_everything(seed)
    assert draws() == first
    seed_everything(seed + 1)
    assert not set(draws()) & set(first)


def test_a_state_that_went_through_a_file_gives_the_same_draws(tmp_path: Path) -> None:
    seed_everything(3)
    draws()
    save_checkpoint(tmp_path / "rng.pt", {"rng": rng_state()})
    expected = [draws() for _ in range(3)]
    seed_everything(99)
    set_rng_state(load_checkpoint(tmp_path / "rng.pt")["rng"])
    assert [draws() for _ in range(3)] == expected


def test_taking_the_state_changes_nothing() -> None:
    seed_everything(3)
    expected = draws()
    seed_everything(3)
    rng_state()
    assert draws() == expected


def test_a_state_does_not_follow_what_is_drawn_after_it() -> None:
    seed_everything(3)
    state = rng_state()
    expected = draws()
    for _ in range(700):  # NumPy's generator makes new numbers in place after every 624
        draws()
    set_rng_state(state)
    assert draws() == expected
