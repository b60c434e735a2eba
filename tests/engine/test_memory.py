"""PyTorch says that memory is used up by raising `torch.OutOfMemoryError`; so do the callables here."""

import copy
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from segmentation.engine.find_lr import range_test
from segmentation.engine.memory import advice_for_evaluation, advice_for_training, explains_out_of_memory, largest_batch
from segmentation.errors import UserError
from tests.engine.toy import TinyNet, build_run, options, unequal


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
    with pytest.raises(RuntimeError, match="shapes"), explains_out_of_memory("too large"):
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
    assert "same step" not in told, "half of an odd size is not that"
    for option in ("trainer.precision", "dataset.image_size", "model.gradient_checkpointing", "trainer.val_batch_size"):
        assert option in told


def test_a_batch_of_one_cannot_be_halved() -> None:
    assert "accumulate_grad_batches" not in advice_for_training(1, 4)
    assert "give tile=[512,512], precision=bf16" in advice_for_evaluation(1, in_tiles=True)
    assert "give batch_size=2, tile=[512,512], precision=bf16" in advice_for_evaluation(5, in_tiles=True)
    assert advice_for_evaluation(1, in_tiles=False).endswith("batch_size=1: give precision=bf16 or device=cpu")


def test_the_memory_of_a_cpu_is_known_too() -> None:
    with pytest.raises(UserError, match="too large"), explains_out_of_memory("too large"):
        torch.empty(2**60, dtype=torch.uint8)


def test_out_of_memory_in_the_range_test_says_what_to_set_and_leaves_nothing(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(batch_size=6), net=Hungry)
    before = copy.deepcopy(run.state.state_dict())
    with pytest.raises(UserError, match=r"with trainer\.batch_size=6: set trainer\.batch_size=3"):
        range_test(run.state, run.feed, run.task, run.options, 0.1)
    assert not unequal(before, run.state.state_dict())


def test_out_of_memory_for_the_average_says_what_to_set(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(batch_size=6, average_start=0.0), net=partial(TinyNet, normalise=True))
    run.fit()
    assert run.state.average is not None
    run.state.average.module.register_forward_pre_hook(out_of_memory)
    with pytest.raises(UserError, match=r"out of memory with trainer\.batch_size=6"):
        run.fit()


def out_of_memory(*_: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")
