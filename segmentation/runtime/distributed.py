"""Several processes that share a task, as torchrun starts them; a process by itself is a world of one."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist

from segmentation.errors import UserError
from segmentation.runtime.console import console

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class World:
    """This process is number `rank` of `size`, and number `local_rank` of those on its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Every `size`-th item, beginning with this rank's own: each item is one rank's, none comes twice. Where there
        are fewer items than ranks some have none.

        >>> [World(rank, 3).share("abcde") for rank in range(3)]
        ['ad', 'be', 'c']
        """
        return items[self.rank :: self.size]

    def device(self, device: torch.device) -> torch.device:
        """Each process on a GPU of its own. Raises `UserError` where there are fewer GPUs than processes."""
        if device.type != "cuda" or self.size == 1:
            return device
        if self.local_rank >= torch.cuda.device_count():
            raise UserError(
                f"process {self.local_rank + 1} on this machine has no GPU of its own, there are "
                f"{torch.cuda.device_count()}: give torchrun a smaller --nproc_per_node"
            )
        return torch.device("cuda", self.local_rank)


ALONE = World()


def world_of_torchrun() -> World:
    """What torchrun's environment variables say; without them a world of one."""
    rank, size, local_rank = (
        int(os.environ.get(name, default)) for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    return World(rank, size, local_rank)


@contextmanager
def process_group(world: World, device: torch.device) -> Iterator[None]:
    """The processes can talk to each other: by gloo, between GPUs by nccl. A world of one starts nothing.

    Rank 0 speaks for all: what the others log is not printed, their errors are.
    """
    if world.size == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    console.quiet = not world.is_first
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def first_goes_ahead(world: World) -> Iterator[None]:
    """Rank 0 goes through the block alone and then all others do: files and caches that it fills are filled once."""
    if not world.is_first:
        barrier()
    try:
        yield
    finally:
        if world.is_first:
            barrier()


def barrier() -> None:
    """Wait until every rank has come here."""
    if dist.is_initialized():
        dist.barrier()


def gather(make: Callable[[], Value]) -> list[Value]:
    """What each rank makes, in the order of the ranks, on rank 0; an empty list on the others.

    Values are pickled: tensors belong on the CPU. An error of any rank is raised on rank 0, where it is told once and
    for all.
    """
    if not dist.is_initialized():
        return [make()]
    own: Value | Exception
    try:
        own = make()
    except Exception as error:  # whatever it is, the others wait for a word of this rank
        own = error
    first = dist.get_rank() == 0
    values: list[Value | Exception] = [own] * dist.get_world_size() if first else []
    dist.gather_object(own, values if first else None)
    for value in values:
        if isinstance(value, Exception):
            raise value
    return values  # type: ignore[return-value]  # no errors are left
