import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from segmentation.apps.prediction.pipeline import overlapped
from segmentation.errors import UserError


def same(value: int) -> int:
    return value


def test_every_item_goes_through_all_three_in_order() -> None:
    given = list(overlapped(range(20), lambda n: n + 1, lambda n: n * 10, lambda n: n - 1, threads=3))
    assert given == [(number, (number + 1) * 10 - 1) for number in range(20)]
    assert list(overlapped([], same, same, same, threads=1)) == []


@pytest.mark.parametrize("stage", ["read", "work", "write"])
def test_an_item_that_fails_is_told_and_the_others_go_on(stage: str) -> None:
    def fails(number: int) -> int:
        if number == 2:
            raise UserError("2 is damaged")
        return number

    stages: dict[str, Callable[[int], int]] = {"read": same, "work": same, "write": same, stage: fails}
    given = dict(overlapped(range(5), **stages, threads=2))
    assert str(given.pop(2)) == "2 is damaged"
    assert given == {0: 0, 1: 1, 3: 3, 4: 4}


def test_reading_and_writing_go_on_while_the_model_works() -> None:
    """The model waits for the next item to be read and for the last one to be written: alone it would wait for ever."""
    read, written = [threading.Event() for _ in range(4)], [threading.Event() for _ in range(4)]

    def work(number: int) -> int:
        if number < 3:
            assert read[number + 1].wait(20)
        if number > 0:
            assert written[number - 1].wait(20)
        return number

    def noted(events: list[threading.Event]) -> Callable[[int], int]:
        def note(number: int) -> int:
            events[number].set()
            return number

        return note

    assert len(list(overlapped(range(4), noted(read), work, noted(written), threads=1))) == 4


def test_what_is_read_ahead_and_what_waits_to_be_written_is_bounded() -> None:
    """Nothing is written before the model has seen item 4, which is when five wait: two beside each of two threads."""
    read: list[int] = []
    worked: list[int] = []
    gate = threading.Event()

    def work(number: int) -> int:
        worked.append(number)
        assert max(read) <= number + 4, "two for each of two threads"
        if number == 4:
            gate.set()
        return number

    def write(number: int) -> int:
        assert gate.wait(20)
        assert len(worked) <= number + 6
        return number

    def note(number: int) -> int:
        read.append(number)
        return number

    assert [item for item, _ in overlapped(range(30), note, work, write, threads=2)] == list(range(30))


@pytest.mark.parametrize("stage", ["read", "work", "write"])
@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
def test_anything_else_ends_it_and_what_was_begun_is_finished(stage: str, kind: type[BaseException]) -> None:
    begun: list[int] = []
    finished: list[int] = []

    def write(number: int) -> int:
        begun.append(number)
        finished.append(number)
        return number

    def fails(number: int) -> int:
        if number == 3:
            raise kind("no space")
        return write(number) if stage == "write" else number

    stages: dict[str, Callable[[int], int]] = {"read": same, "work": same, "write": write, stage: fails}
    with pytest.raises(kind, match="no space"):
        list(overlapped(range(100), **stages, threads=1))
    assert begun == finished
    assert 0 < len(finished) < 10


def test_closing_it_ends_it() -> None:
    written: list[int] = []

    def write(number: int) -> int:
        written.append(number)
        return number

    with closing(overlapped(range(1000), same, same, write, threads=2)) as given:
        next(given)
    assert len(written) < 50
    assert threading.active_count() < 10
