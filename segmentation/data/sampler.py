"""Which sample comes when, and with which seed: pure functions of the run's seed, the epoch and the position."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch.utils.data import Sampler

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Draw:
    """Which sample to make: its index, the seed of all that is random about it, and a (height, width) other than the
    data set's own.
    """

    index: int
    seed: int
    size: Size | None = None


def sample_seed(seed: int, epoch: int, position: int) -> int:
    """32 bits that depend on all three, so that augmentation differs between epochs and not with the workers."""
    digest = blake2b(f"{seed}/{epoch}/{position}".encode(), digest_size=4)
    return int.from_bytes(digest.digest(), "little")


class ShuffledSampler(Sampler[Draw]):
    """A new order every epoch; each item is a `Draw`.

    It holds no random state: set `epoch` and the order follows, so that a resumed run meets the same samples.
    """

    def __init__(self, length: int, seed: int) -> None:
        self.length, self.seed, self.epoch = length, seed, 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Draw]:
        generator = torch.Generator().manual_seed(sample_seed(self.seed, self.epoch, -1))
        order = torch.randperm(self.length, generator=generator).tolist()
        for position, index in enumerate(order):
            yield Draw(index, sample_seed(self.seed, self.epoch, position))


def batches_of_like_size(sizes: Sequence[Hashable], batch_size: int) -> list[list[Draw]]:
    """Every sample once, in order, each batch of samples of one size, so that they stack as they are stored.

    >>> [[draw.index for draw in batch] for batch in batches_of_like_size(["small", "large", "small", "small"], 2)]
    [[0, 2], [3], [1]]
    """
    by_size: dict[Hashable, list[Draw]] = {}
    for index, size in enumerate(sizes):
        by_size.setdefault(size, []).append(Draw(index, 0))
    return [
        group[start : start + batch_size] for group in by_size.values() for start in range(0, len(group), batch_size)
    ]
