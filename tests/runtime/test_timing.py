from collections.abc import Iterator

import pytest

from segmentation.runtime import timing
from segmentation.runtime.timing import Stopwatch


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_measurements_of_one_name_add_up(clock: Clock) -> None:
    watch = Stopwatch()
    for seconds in (2.0, 3.0):
        with watch.measure("training"):
            clock.now += seconds
        clock.now += 50  # not measured
    assert watch.seconds == {"training": 5.0}


def test_measurements_may_lie_within_each_other(clock: Clock) -> None:
    watch = Stopwatch()
    with watch.measure("epoch"):
        clock.now += 1
        with watch.measure("validation"):
            clock.now += 2
        assert watch.so_far("epoch") == 3
        clock.now += 4
    assert watch.seconds == {"epoch": 7.0, "validation": 2.0}


def test_time_that_ends_in_an_error_counts_too(clock: Clock) -> None:
    watch = Stopwatch()

    def fails() -> None:
        with watch.measure("training"):
            clock.now += 2
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fails()
    assert watch.seconds == {"training": 2.0}


def test_only_the_time_that_items_are_waited_for_counts(clock: Clock) -> None:
    def slow() -> Iterator[int]:
        for item in (0, 1, 2):
            clock.now += 1
            yield item
        clock.now += 10  # to find out that there is no more

    watch, seen = Stopwatch(), []
    for item in watch.waiting_for(slow(), "data"):
        seen.append(item)
        clock.now += 100
    assert seen == [0, 1, 2], "0 is an item too"
    assert watch.seconds == {"data": 13.0}
