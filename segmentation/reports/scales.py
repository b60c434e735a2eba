"""From numbers to places on an axis."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

LOG_FROM = 10  # a ratio of largest to smallest from which numbers above 0 are better told apart by their logarithm


@dataclass(frozen=True)
class Scale:
    """From `low` at 0 to `high` at 1, linear or logarithmic."""

    low: float
    high: float
    log: bool = False
    whole: bool = False  # ticks at whole numbers only

    def place(self, value: float) -> float:
        low, high, value = (math.log10(end) if self.log else end for end in (self.low, self.high, value))
        return (value - low) / (high - low)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Places within the axis and what stands there, up to about `most`."""
        from matplotlib import ticker  # a third of a second that importers of this file should not wait for

        locator = (
            ticker.LogLocator(subs=(1, 2, 5) if self.high < 1000 * self.low else (1,), numticks=most)
            if self.log
            else ticker.MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], integer=self.whole)
        )
        margin = 1e-6
        values = [value for value in locator.tick_values(self.low, self.high) if -margin <= self.place(value)]
        return [(self.place(value), f"{value:.6g}") for value in values if self.place(value) <= 1 + margin]


def scale_of(
    values: Iterable[float],
    low: float | None = None,
    high: float | None = None,
    log: bool | None = None,
    whole: bool = False,
) -> Scale:
    """Around `values`, or from `low` to `high` where they are given; `log` None: as the numbers suggest.

    Numbers that are not finite are left out, and on a logarithmic axis those that are not above 0.
    """
    finite = [value for value in values if math.isfinite(value)]
    positive = [value for value in finite if value > 0]
    if log is None:
        log = bool(finite) and len(positive) == len(finite) and max(finite) >= LOG_FROM * min(finite)
    given = positive if log else finite
    low = min(given, default=1.0 if log else 0.0) if low is None else low
    high = max(given, default=1.0) if high is None else high
    if high <= low:
        room = 0.5 if whole else abs(low) * 0.1 or 0.5
        low, high = (low / 2, high * 2) if log else (low - room, high + room)
    return Scale(low, high, log, whole)
