import pytest
import torch
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
