import numpy as np
import torch

from segmentation.runtime.memory_watch import MemoryWatch

CPU = torch.device("cpu")


def touch(megabytes: int) -> int:
    """A write to each page: memory that was only asked for is not held."""
    return int(np.ones(megabytes * 1_000_000, np.uint8).sum())


def test_what_was_held_for_a_while_is_noticed() -> None:
    watch = MemoryWatch(CPU)
    with watch.watching():
        for _ in range(5):
            touch(200)
    assert 180 < watch.beyond_mb < 300
    with watch.watching():
        touch(10)
    assert 180 < watch.beyond_mb < 300, "the most of all times"


def test_what_was_held_before_and_when_nobody_watched_does_not_count() -> None:
    kept = np.ones(200_000_000, np.uint8)
    watch = MemoryWatch(CPU)
    touch(300)
    with watch.watching():
        touch(1)
    assert watch.beyond_mb < 100
    assert kept[0]
