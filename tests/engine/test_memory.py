"""PyTorch says that memory is used up by raising `torch.OutOfMemoryError`; so do the callables here."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from segmentation.engine.memory import explains_out_of_memory, largest_batch
from segmentation.errors import UserError
from tests.engine.toy import TinyNet, build_run, options


class Capacity:
    """Fits up to `limit` samples."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.tried: list[int] = []

    def __call__(self, number: int) -> None:
        self.tried.append(number)
        if number > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB.\nGPU 0 has ...")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 9, 31, 32, 100, 127])
@pytest.mark.parametrize("most", [1, 2, 5, 33, 100, 1000])
def test_the_search_finds_the_largest_that_fits(limit: int, most: int) -> None:
    capacity = Capacity(limit)
    assert largest_batch(capacity, 1, most) == min(limit, most)
    assert len(set(capacity.tried)) == len(capacity.tried), "no size is tried twice"
    assert len(capacity.tried) <= 16
    assert max(capacity.tried) <= most


def test_it_begins_with_the_least(tmp_path: Path) -> None:
    capacity = Capacity(100)
    assert largest_batch(capacity, 2, 2) == 2
    assert capacity.tried == [2]


def test_when_not_even_the_least_fits_it_is_an_error() -> None:
    with pytest.raises(UserError, match=r"not even 2 images fit; .*image_size"):
        largest_batch(Capacity(1), 2, 10)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def broken(number: int) -> None:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        largest_batch(broken, 1, 10)
    with pytest.raises(RuntimeError, match="shapes"), explains_out_of_memory(8, 1):
        broken(1)


class Hungry(TinyNet):
    """Runs out of memory in its third step."""

    steps = 0

    def forward(self, images: Tensor) -> Tensor:
        self.steps += 1
        if self.steps == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 1.00 GiB.")
        return super().forward(images)


def test_out_of_memory_in_the_middle_says_what_to_set(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(batch_size=6, accumulate_grad_batches=2), net=Hungry, train_samples=18)
    with pytest.raises(UserError) as error:
        run.fit()
    told = str(error.value)
    assert "\n" not in told
    assert "out of memory with trainer.batch_size=6" in told
    assert "trainer.batch_size=3 trainer.accumulate_grad_batches=4" in told
    for option in ("trainer.precision", "dataset.image_size", "model.gradient_checkpointing", "trainer.val_batch_size"):
        assert option in told


def test_a_batch_of_one_cannot_be_halved() -> None:
    with pytest.raises(UserError) as error, explains_out_of_memory(1, 4):
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert "accumulate_grad_batches" not in str(error.value)


def test_the_memory_of_a_cpu_is_known_too() -> None:
    with pytest.raises(UserError, match="out of memory"), explains_out_of_memory(8, 1):
        torch.empty(2**60, dtype=torch.uint8)
