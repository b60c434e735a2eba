import pytest
import torch
from torch import Tensor, nn

from segmentation.classes import Classes
from segmentation.data.batch import Batch
from segmentation.engine.cost import WARM_UP, cost_of
from segmentation.runtime.device import choose_precision

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
