"""Which sample comes when, and with which seed: pure functions of the run's seed, the epoch and the position."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch.utils.data import Sampler

Size = tuple[int, int]
DIVISOR = 32  # the sizes of training batches are multiples of it, as most encoders have it
ORDER, SCALE = -1, -2  # positions whose seeds are not a sample's: of the order of an epoch, of a batch's size


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


@dataclass(frozen=True)
class MultiScale:
    """Every `every` batches another size: one of `sizes`, or the usual one times a number in `range`, rounded to
    multiples of 32 (after Redmon and Farhadi, YOLO9000, 2017, arXiv 1612.08242). Off while both are None.
    """

    range: Sequence[float] | None = None
    sizes: Sequence[Sequence[int]] | None = None
    every: int = 10

    def size(self, usual: Size | None, seed: int, batch: int) -> Size | None:
        """Of the batch of this number, counted from the start of the run; None: the usual one."""
        random = np.random.default_rng(sample_seed(seed, batch // self.every, SCALE))
        if self.sizes is not None:
            height, width = self.sizes[int(random.integers(len(self.sizes)))]
            return int(height), int(width)
        if self.range is None or usual is None:
            return None
        factor = float(random.uniform(self.range[0], self.range[1]))
        return _nearest(usual[0] * factor), _nearest(usual[1] * factor)


def _nearest(length: float) -> int:
    return max(round(length / DIVISOR), 1) * DIVISOR


def rounded_up(size: Size, multiple: int = DIVISOR) -> Size:
    """
    >>> rounded_up((360, 480))
    (384, 480)
    """
    return -(-size[0] // multiple) * multiple, -(-size[1] // multiple) * multiple


@dataclass(frozen=True)
class Bucket:
    """Samples that may share a batch, and how many make one."""

    indices: Sequence[int]
    batch_size: int


def buckets_of_like_size(sizes: Sequence[Size], batch_size: int, batch_pixels: int | None = None) -> list[Bucket]:
    """Samples share a bucket whose sizes are the same when rounded up to multiples of 32.

    With `batch_pixels` a batch has as many images as fit into this number of pixels; at least two, which batch norms
    need, unless `batch_size` is 1.
    """
    members: dict[Size, list[int]] = {}
    for index, size in enumerate(sizes):
        members.setdefault(rounded_up(size), []).append(index)
    if batch_pixels is None:
        return [Bucket(indices, batch_size) for indices in members.values()]
    least = min(batch_size, 2)
    return [
        Bucket(indices, max(batch_pixels // (height * width), least)) for (height, width), indices in members.items()
    ]


class TrainingBatches(Sampler[list[Draw]]):
    """A new order every epoch; each item is a batch. Every sample comes once an epoch, or, with `chances` `[N]` (in
    proportion), as many as a bucket has are drawn from it by them, with replacement.

    The last batch of a bucket may be smaller. `drop_last` leaves it out, if it is not the only one: it would weigh its
    images more. Where it is kept and has a single image, that comes twice, differently augmented: batch norms cannot
    learn from one. `multi_scale` changes the `usual_size`. It holds no random state: set `epoch` and all follows, so
    that a resumed run meets the same batches.
    """

    def __init__(
        self,
        buckets: Sequence[Bucket],
        seed: int,
        drop_last: bool = True,
        chances: np.ndarray | None = None,
        multi_scale: MultiScale | None = None,
        usual_size: Size | None = None,
    ) -> None:
        self.buckets, self.seed, self.drop_last, self.chances = buckets, seed, drop_last, chances
        self.multi_scale, self.usual_size = multi_scale or MultiScale(), usual_size
        self.epoch = 0

    def __len__(self) -> int:
        return sum(len(self._cuts(bucket)) for bucket in self.buckets)

    @property
    def smallest(self) -> int:
        """Images in the smallest batch."""
        return min(len(batch) for batch in self)

    def __iter__(self) -> Iterator[list[Draw]]:
        return self.of(self.epoch)

    def of(self, epoch: int) -> Iterator[list[Draw]]:
        """The batches of an epoch."""
        generator = torch.Generator().manual_seed(sample_seed(self.seed, epoch, ORDER))
        batches = [batch for bucket in self.buckets for batch in self._batches(bucket, generator)]
        if len(self.buckets) > 1:
            batches = [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]
        position, before = 0, epoch * len(batches)
        for number, indices in enumerate(batches):
            size = self.multi_scale.size(self.usual_size, self.seed, before + number)
            yield [
                Draw(index, sample_seed(self.seed, epoch, position + place), size)
                for place, index in enumerate(indices)
            ]
            position += len(indices)

    def _batches(self, bucket: Bucket, generator: torch.Generator) -> list[list[int]]:
        order = [bucket.indices[place] for place in self._order(bucket, generator)]
        batches = [order[start:stop] for start, stop in self._cuts(bucket)]
        alone = bucket.batch_size > 1 and not self.drop_last
        return [batch * 2 if alone and len(batch) == 1 else batch for batch in batches]

    def _order(self, bucket: Bucket, generator: torch.Generator) -> list[int]:
        count = len(bucket.indices)
        if self.chances is None:
            return torch.randperm(count, generator=generator).tolist()
        chances = torch.from_numpy(self.chances[np.asarray(bucket.indices)])
        return torch.multinomial(chances, count, replacement=True, generator=generator).tolist()

    def _cuts(self, bucket: Bucket) -> list[tuple[int, int]]:
        count, size = len(bucket.indices), bucket.batch_size
        if self.drop_last and count >= size:
            count -= count % size
        return [(start, min(start + size, count)) for start in range(0, count, size)]


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
