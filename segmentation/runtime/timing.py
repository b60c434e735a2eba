"""Where the time of a run goes."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class Stopwatch:
    """Adds up wall-clock seconds by name. Work that a GPU still has queued counts where the host waits for it."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._started: dict[str, float] = {}

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        self._started[name] = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += self.so_far(name)

    def so_far(self, name: str) -> float:
        """Seconds since the running measurement of `name` began."""
        return time.perf_counter() - self._started[name]

    def waiting_for(self, items: Iterable[Item], name: str) -> Iterator[Item]:
        """The items, the time that it takes to get each counted under `name`."""
        iterator = iter(items)
        while True:
            with self.measure(name):
                item = next(iterator, None)
            if item is None:
                return
            yield item
