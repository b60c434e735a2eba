"""Which sample comes when, and with which seed: pure functions of the run's seed, the epoch and the position."""

from collections.abc import Hashable, Iterator, Sequence
from hashlib import blake2b

import torch
from torch.utils.data import Sampler

IndexAndSeed = tuple[int, int]


def sample_seed(seed: int, epoch: int, position: int) -> int:
    """32 bits that depend on all three, so that augmentation differs between epochs and not with the workers."""
    digest = blake2b(f"{seed}/{epoch}/{position}".encode(), digest_size=4)
    return int.from_bytes(digest.digest(), "little")


class ShuffledSampler(Sampler[IndexAndSeed]):
    """A new order every epoch; each item is `(index, seed)`, the seed meant for the sample's augmentation.

    It holds no random state: set `epoch` and the order follows, so that a resumed run meets the same samples.
    """

    def __init__(self, length: int, seed: int) -> None:
        self.length, self.seed, self.epoch = length, seed, 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[IndexAndSeed]:
        generator = torch.Generator().manual_seed(sample_seed(self.seed, self.epoch, -1))
        order = torch.randperm(self.length, generator=generator).tolist()
        for position, index in enumerate(order):
            yield index, sample_seed(self.seed, self.epoch, position)


def batches_of_like_size(sizes: Sequence[Hashable], batch_size: int) -> list[list[IndexAndSeed]]:
    """Every sample once, in order, each batch of samples of one size, so that they stack as they are stored.

    >>> batches_of_like_size(["small", "large", "small", "small"], 2)
    [[(0, 0), (2, 0)], [(3, 0)], [(1, 0)]]
    """
    by_size: dict[Hashable, list[IndexAndSeed]] = {}
    for index, size in enumerate(sizes):
        by_size.setdefault(size, []).append((index, 0))
    return [
        group[start : start + batch_size] for group in by_size.values() for start in range(0, len(group), batch_size)
    ]
