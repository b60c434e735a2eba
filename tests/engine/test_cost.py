import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from segmentation.classes import Classes
from segmentation.data.batch import Batch
from segmentation.engine.cost import WARM_UP, cost_of
from segmentation.runtime.device import CLEAR_REFS, choose_precision

CPU = torch.device("cpu")
CLASSES = Classes.from_entries(["ground", "house"])


class Bright(nn.Module):
    """Bright pixels are houses."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen.append(int(pixels[0, 0, 0, 0]))
        house = (pixels[:, :1] > 100).float()
        return torch.cat([1 - house, house], dim=1)


def image(level: int, truth: int) -> Batch:
    """One of 4 x 6 pixels, whose mask is twice as large."""
    return Batch(
        torch.full((1, 1, 4, 6), level, dtype=torch.uint8), torch.full((1, 8, 12), truth), (f"{level}-{truth}",)
    )


class Hungry(nn.Module):
    """Needs 200 MB for a moment; a write to each page, for what is only asked for is not held."""

    def forward(self, pixels: Tensor) -> Tensor:
        torch.ones(200_000_000, dtype=torch.uint8)
        return torch.zeros(1, 2, *pixels.shape[-2:])


@pytest.mark.skipif(not CLEAR_REFS.exists(), reason="only Linux lets a process ask for the peak of a moment")
def test_memory_is_that_of_the_runs() -> None:
    """In a process of its own, where nothing else comes and goes."""
    done = subprocess.run(
        [sys.executable, "-c", "from tests.engine.test_cost import memory_of_runs; print(memory_of_runs())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 190 < float(done.stdout) < 300


def memory_of_runs() -> float:
    kept = torch.ones(100_000_000, dtype=torch.uint8)

    def images() -> Iterator[Batch]:
        yield image(10, 0)
        torch.ones(400_000_000, dtype=torch.uint8)  # between the runs: not theirs
        yield image(200, 0)

    found = cost_of(Hungry(), images(), CLASSES, CPU, choose_precision("fp32", CPU))
    assert kept[0], "held before, and still"
    return found.memory_mb


def test_a_cost_by_hand() -> None:
    """Of three images one ground is taken for a house: ground 1 of 2, house 1 of 2."""
    model, advanced = Bright(), list[int]()
    images = [image(10, 0), image(200, 0), image(201, 1)]
    found = cost_of(model, images, CLASSES, CPU, choose_precision("fp32", CPU), advanced.append)
    assert found.miou == pytest.approx(0.5)
    assert found.latency_ms > 0
    assert found.memory_mb >= 0
    assert advanced == [1, 1, 1]
    assert model.seen == [*[10] * WARM_UP, 10, 200, 201]
