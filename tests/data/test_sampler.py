from collections import Counter

import numpy as np
import pytest
import torch

from segmentation.data.sampler import (
    Bucket,
    Draw,
    MultiScale,
    TrainingBatches,
    batches_of_like_size,
    buckets_of_like_size,
    rounded_up,
    sample_seed,
)


def plain(count: int, batch_size: int = 1, seed: int = 0, drop_last: bool = True) -> TrainingBatches:
    return TrainingBatches([Bucket(range(count), batch_size)], seed, drop_last)


def batches_in(batches: TrainingBatches, epoch: int) -> list[list[Draw]]:
    batches.epoch = epoch
    return list(batches)


def draws_in(batches: TrainingBatches, epoch: int) -> list[Draw]:
    return [draw for batch in batches_in(batches, epoch) for draw in batch]


# Order and seeds.


def test_every_sample_comes_once_an_epoch() -> None:
    batches = plain(50, batch_size=5)
    assert len(batches) == 10
    for epoch in range(3):
        assert sorted(draw.index for draw in draws_in(batches, epoch)) == list(range(50))


def test_order_and_seeds_differ_between_epochs_and_come_again_for_the_same_epoch() -> None:
    batches = plain(50)
    epochs = [draws_in(batches, epoch) for epoch in (0, 1, 0)]
    assert epochs[0] == epochs[2]
    assert [draw.index for draw in epochs[0]] != [draw.index for draw in epochs[1]]
    assert not {draw.seed for draw in epochs[0]} & {draw.seed for draw in epochs[1]}


def test_order_and_seeds_are_those_of_the_position() -> None:
    order = torch.randperm(6, generator=torch.Generator().manual_seed(sample_seed(3, 2, -1))).tolist()
    expected = [Draw(index, sample_seed(3, 2, position)) for position, index in enumerate(order)]
    assert batches_in(plain(6, batch_size=2, seed=3), 2) == [expected[:2], expected[2:4], expected[4:]]


def test_a_resumed_run_meets_the_same_samples() -> None:
    first = plain(20, seed=5)
    before = [draws_in(first, epoch) for epoch in range(4)]
    assert draws_in(plain(20, seed=5), 3) == before[3]


def test_the_run_seed_decides() -> None:
    assert draws_in(plain(50, seed=0), 0) != draws_in(plain(50, seed=1), 0)


def test_torch_random_state_neither_matters_nor_moves() -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = draws_in(plain(50), 0)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    assert draws_in(plain(50), 0) == first


def test_an_epoch_half_read_does_not_shift_the_next() -> None:
    batches = plain(50)
    whole = draws_in(batches, 1)
    batches.epoch = 0
    next(iter(batches))
    assert draws_in(batches, 1) == whole


@pytest.mark.parametrize(
    ("count", "size", "drop_last", "sizes"),
    [(7, 3, True, [3, 3]), (7, 3, False, [3, 3, 1 + 1]), (2, 3, True, [2]), (1, 3, True, [1]), (6, 3, False, [3, 3])],
)
def test_the_last_batch(count: int, size: int, drop_last: bool, sizes: list[int]) -> None:
    """Left out unless it is the only one; kept, a single image comes twice."""
    batches = plain(count, size, drop_last=drop_last)
    assert [len(batch) for batch in batches] == sizes
    assert len(batches) == len(sizes)
    assert batches.smallest == min(sizes)


def test_an_image_that_comes_twice_is_augmented_twice() -> None:
    first, second = batches_in(plain(4, 3, drop_last=False), 0)[-1]
    assert first.index == second.index
    assert first.seed != second.seed


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


# Class-balanced sampling.


def test_samples_are_drawn_by_their_chances() -> None:
    batches = TrainingBatches([Bucket(range(4), 2)], 0, chances=np.array([1.0, 2, 5, 0]))
    counts = Counter(draw.index for epoch in range(1000) for draw in draws_in(batches, epoch))
    assert counts.total() == 4000
    assert [counts[index] / 4000 for index in range(4)] == pytest.approx([1 / 8, 2 / 8, 5 / 8, 0], abs=0.03)
    assert draws_in(batches, 3) == draws_in(
        TrainingBatches([Bucket(range(4), 2)], 0, chances=np.array([1.0, 2, 5, 0])), 3
    )


# Batches of like size.


def test_sizes_are_rounded_up() -> None:
    assert rounded_up((1, 33)) == (32, 64)
    assert rounded_up((64, 96)) == (64, 96)
    assert rounded_up((64, 97), 1) == (64, 97)


def test_like_sizes_share_a_bucket() -> None:
    buckets = buckets_of_like_size([(60, 90), (64, 96), (64, 97), (33, 65)], batch_size=2)
    assert buckets == [Bucket([0, 1, 3], 2), Bucket([2], 2)]


def test_small_images_make_larger_batches() -> None:
    sizes = [(32, 32), (64, 64), (320, 320)]
    pixels = 5 * 64 * 64
    assert [bucket.batch_size for bucket in buckets_of_like_size(sizes, 8, pixels)] == [20, 5, 2]
    assert [bucket.batch_size for bucket in buckets_of_like_size(sizes, 1, pixels)] == [20, 5, 1]


@pytest.mark.parametrize("pixels", [None, 64 * 64 * 3])
def test_every_sample_comes_in_batches_of_like_size(pixels: int | None) -> None:
    random = np.random.default_rng(0)
    sizes = [(int(height), int(width)) for height, width in random.integers(20, 130, (60, 2))]
    batches = TrainingBatches(buckets_of_like_size(sizes, 4, pixels), 0, drop_last=False)
    first, second = batches_in(batches, 0), batches_in(batches, 1)
    assert len(first) == len(second) == len(batches)
    assert first != second
    for made in (first, second):
        assert {draw.index for batch in made for draw in batch} == set(range(60))
        for batch in made:
            assert len({rounded_up(sizes[draw.index]) for draw in batch}) == 1
            assert len(batch) >= 2
    alone = sum(len(batch) == 2 and batch[0].index == batch[1].index for batch in first)
    assert sum(map(len, first)) == 60 + alone
    assert len({draw.seed for batch in first for draw in batch}) == 60 + alone
    assert batches.smallest == 2


def test_buckets_are_mixed() -> None:
    """Not first all of one size, then all of the other."""
    batches = TrainingBatches([Bucket(range(50), 1), Bucket(range(50, 100), 1)], 0)
    large = [draw.index >= 50 for draw in draws_in(batches, 0)]
    assert 15 < sum(large[:50]) < 35


# Multi-scale.


def sizes_in(batches: TrainingBatches, epochs: int) -> list[tuple[int, int] | None]:
    return [batch[0].size for epoch in range(epochs) for batch in batches_in(batches, epoch)]


def scaled_batches(scale: MultiScale) -> TrainingBatches:
    return TrainingBatches([Bucket(range(15), 2)], 0, multi_scale=scale, usual_size=(360, 480))


def test_without_multi_scale_batches_have_the_usual_size() -> None:
    assert set(sizes_in(scaled_batches(MultiScale()), 2)) == {None}


def test_the_size_changes_every_so_many_batches_across_epochs() -> None:
    """Seven batches an epoch, a size for five: the second size begins in the first epoch and ends in the second."""
    sizes = sizes_in(scaled_batches(MultiScale(range=[0.5, 1.5], every=5)), 5)
    assert len(sizes) == 35
    runs = [set(sizes[start : start + 5]) for start in range(0, 35, 5)]
    assert all(len(run) == 1 for run in runs)
    assert len(set.union(*runs)) >= 5


def test_sizes_of_a_range_are_multiples_of_32_of_the_shape() -> None:
    for size in sizes_in(scaled_batches(MultiScale(range=[0.5, 1.5], every=1)), 20):
        assert size is not None
        assert size[0] % 32 == size[1] % 32 == 0
        assert 180 - 16 <= size[0] <= 540 + 16
        assert size[0] / 360 == pytest.approx(size[1] / 480, abs=32 / 360)


def test_all_of_a_batch_have_its_size_and_listed_sizes_are_taken_alike_often() -> None:
    listed = [(64, 96), (128, 160)]
    batches = scaled_batches(MultiScale(sizes=[list(size) for size in listed], every=1))
    assert all(len({draw.size for draw in batch}) == 1 for batch in batches)
    counts = Counter(sizes_in(batches, 60))
    assert counts.keys() == set(listed)
    assert counts[listed[0]] / 420 == pytest.approx(0.5, abs=0.08)


# Evaluation.


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
