"""The most memory that is held for a while, as seen from outside: whatever library asked for it."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psutil
import torch

LOOKS = 0.002  # seconds between two looks: seldom enough to cost nothing, often enough not to miss a layer


class MemoryWatch:
    """`beyond_mb` is the most that was held while it was `watching`, beyond what was held when it was made, in MB: of
    the process on a CPU, of the whole card on a GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._process = device, psutil.Process()
        _let_go(device)
        self._before = self._most = self._held()

    @property
    def beyond_mb(self) -> float:
        return (self._most - self._before) / 1e6

    @contextmanager
    def watching(self) -> Iterator[None]:
        done = Event()

        def look() -> None:
            while not done.wait(LOOKS):
                self._most = max(self._most, self._held())

        thread = Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self._most = max(self._most, self._held())

    def _held(self) -> int:
        if self._device.type == "cuda":
            free, total = torch.cuda.mem_get_info(self._device)
            return total - free
        return int(self._process.memory_info().rss)


def _let_go(device: torch.device) -> None:
    """Of what allocators keep of earlier work, which would hide what comes next."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if psutil.LINUX else None  # glibc has it, musl does not
    if trim is not None:
        trim(0)
