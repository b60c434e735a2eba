"""How far predict.py is: images a second, now and then as a line where there is no terminal."""

import time

from segmentation.runtime.console import Bar

EVERY = 10.0  # seconds between lines


class Progress:
    def __init__(self, bar: Bar) -> None:
        self.bar, self.started, self.told = bar, time.perf_counter(), time.perf_counter()

    def advance(self) -> None:
        self.bar.advance()
        self.tell()

    def tell(self, what: str = "") -> None:
        now = time.perf_counter()
        if not self.bar.is_shown and now - self.told < EVERY:
            return
        self.told = now
        rate = f"{self.bar.done / (now - self.started):.1f} images/s"
        self.bar.tell(f"{rate}, {what}" if what else rate)
