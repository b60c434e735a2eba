import pytest
import torch

from segmentation.data.sampler import Draw, ShuffledSampler, batches_of_like_size, sample_seed


def items(sampler: ShuffledSampler, epoch: int) -> list[Draw]:
    sampler.epoch = epoch
    return list(sampler)


def test_every_sample_comes_once_an_epoch() -> None:
    sampler = ShuffledSampler(50, seed=0)
    assert len(sampler) == 50
    for epoch in range(3):
        assert sorted(draw.index for draw in items(sampler, epoch)) == list(range(50))


def test_order_and_seeds_differ_between_epochs_and_come_again_for_the_same_epoch() -> None:
    sampler = ShuffledSampler(50, seed=0)
    epochs = [items(sampler, epoch) for epoch in (0, 1, 0)]
    assert epochs[0] == epochs[2]
    assert [draw.index for draw in epochs[0]] != [draw.index for draw in epochs[1]]
    assert not {draw.seed for draw in epochs[0]} & {draw.seed for draw in epochs[1]}


def test_a_resumed_run_meets_the_same_samples() -> None:
    first = ShuffledSampler(20, seed=5)
    before = [items(first, epoch) for epoch in range(4)]
    assert items(ShuffledSampler(20, seed=5), 3) == before[3]


def test_the_run_seed_decides() -> None:
    assert items(ShuffledSampler(50, seed=0), 0) != items(ShuffledSampler(50, seed=1), 0)


def test_torch_random_state_neither_matters_nor_moves() -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = items(ShuffledSampler(50, seed=0), 0)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    assert items(ShuffledSampler(50, seed=0), 0) == first


def test_an_epoch_half_read_does_not_shift_the_next() -> None:
    sampler = ShuffledSampler(50, seed=0)
    whole = items(sampler, 1)
    sampler.epoch = 0
    next(iter(sampler))
    assert items(sampler, 1) == whole


def test_sample_seeds_are_the_same_on_every_machine() -> None:
    assert sample_seed(0, 0, 0) == 2319392274
    assert sample_seed(7, 3, 11) == 3825564008


def test_sample_seeds_of_a_long_run_are_as_good_as_distinct() -> None:
    """Of 20,000 draws from 2^32, 0.05 pairs are expected to meet."""
    seeds = [sample_seed(0, epoch, position) for epoch in range(100) for position in range(200)]
    assert len(set(seeds)) >= len(seeds) - 2
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_seed_epoch_and_position_are_not_run_together() -> None:
    assert len({sample_seed(1, 11, 1), sample_seed(11, 1, 1), sample_seed(1, 1, 11), sample_seed(1, 1, 1)}) == 4


def test_batches_hold_samples_of_one_size_in_order() -> None:
    small, large = (4, 6), (8, 6)
    batches = batches_of_like_size([small, large, small, small, large], 2)
    assert batches == [[Draw(0, 0), Draw(2, 0)], [Draw(3, 0)], [Draw(1, 0), Draw(4, 0)]]


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_hold_every_sample_once(batch_size: int) -> None:
    sizes = [index * index % 5 for index in range(37)]
    batches = batches_of_like_size(sizes, batch_size)
    assert sorted(draw.index for batch in batches for draw in batch) == list(range(37))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    assert all(len({sizes[draw.index] for draw in batch}) == 1 for batch in batches)


def test_no_samples_make_no_batches() -> None:
    assert batches_of_like_size([], 4) == []
