from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from segmentation.data.batch import Batch


def test_on_a_device_targets_are_int64_and_inputs_stay_bytes() -> None:
    inputs = torch.arange(24, dtype=torch.uint8).view(2, 3, 2, 2)
    target = torch.tensor([[[0, 255], [1, 2]]] * 2, dtype=torch.uint8)
    moved = Batch(inputs, target, ("a", "b")).to(torch.device("cpu"))
    assert moved.inputs.dtype == torch.uint8
    assert moved.target.dtype == torch.int64
    assert torch.equal(moved.inputs, inputs)
    assert moved.target.tolist() == target.tolist()
    assert moved.keys == ("a", "b")
    assert moved.size == 2


def test_memory_format_survives_the_move() -> None:
    inputs = torch.zeros(2, 4, 5, 3, dtype=torch.uint8).permute(0, 3, 1, 2)
    moved = Batch(inputs, torch.zeros(2, 4, 5, dtype=torch.uint8), ("a", "b")).to(torch.device("cpu"))
    assert moved.inputs.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pinned memory needs a GPU")
def test_pinned_by_a_loader_it_is_still_a_batch() -> None:
    made = Batch(torch.ones(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.uint8), ("a",))
    loader: DataLoader[Batch] = DataLoader([0], collate_fn=lambda _: made, pin_memory=True)  # type: ignore[arg-type]
    batch = next(iter(loader))
    assert isinstance(batch, Batch)
    assert batch.inputs.is_pinned()
    assert batch.target.is_pinned()
    moved = batch.to(torch.device("cuda"))
    assert moved.target.dtype == torch.int64
    assert list(moved.keys) == ["a"]


def test_the_singles_of_a_batch_are_its_samples() -> None:
    inputs, target = torch.arange(24).view(2, 3, 2, 2), torch.arange(8).view(2, 2, 2)
    singles = list(Batch(inputs, target, ("a", "b")).singles())
    assert [single.keys for single in singles] == [("a",), ("b",)]
    assert torch.equal(torch.cat([single.inputs for single in singles]), inputs)
    assert torch.equal(torch.cat([single.target for single in singles]), target)


class Parts(NamedTuple):
    points: Tensor
    mask: Tensor
    colors: Tensor | None = None


def several() -> Batch:
    inputs = Parts(torch.arange(12.0).view(2, 3, 2), torch.ones(2, 3, dtype=torch.bool))
    target = torch.arange(6, dtype=torch.uint8).view(2, 3)
    return Batch(inputs, target, ("a", "b"), weights=torch.arange(6).view(2, 3) * 10)


def test_inputs_of_several_tensors_move_and_come_apart_together() -> None:
    batch = several()
    moved = batch.to(torch.device("cpu"))
    assert isinstance(moved.inputs, Parts)
    assert torch.equal(moved.inputs.points, batch.inputs.points)
    assert moved.inputs.colors is None
    singles = list(batch.singles())
    assert [single.inputs.points.tolist() for single in singles] == batch.inputs.points[:, None].tolist()
    assert [single.inputs.mask.shape for single in singles] == [(1, 3)] * 2
    assert [single.inputs.colors for single in singles] == [None] * 2
    assert [None if single.weights is None else single.weights.tolist() for single in singles] == [
        [[0, 10, 20]],
        [[30, 40, 50]],
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pinned memory needs a GPU")
def test_all_of_several_tensors_are_pinned() -> None:
    loader: DataLoader[Batch] = DataLoader([0], collate_fn=lambda _: several(), pin_memory=True)  # type: ignore[arg-type]
    batch = next(iter(loader))
    assert isinstance(batch.inputs, Parts)
    assert batch.weights is not None
    assert batch.inputs.points.is_pinned()
    assert batch.inputs.mask.is_pinned()
    assert batch.weights.is_pinned()
