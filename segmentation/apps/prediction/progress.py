"""How far predict.py is: inputs a second, now and then as a line where there is no terminal."""

import time

from segmentation.runtime.console import Bar

EVERY = 10.0  # seconds between lines


class Progress:
    def __init__(self, bar: Bar, of: str) -> None:
        """`of`: what is counted, in a word."""
        self.bar, self.of = bar, of
        self.started, self.told = time.perf_counter(), time.perf_counter()

    def advance(self) -> None:
        self.bar.advance()
        self.tell()

    def tell(self, what: str = "") -> None:
        now = time.perf_counter()
        if not self.bar.is_shown and now - self.told < EVERY:
            return
        self.told = now
        rate = f"{self.bar.done / (now - self.started):.1f} {self.of}/s"
        self.bar.tell(f"{rate}, {what}" if what else rate)
