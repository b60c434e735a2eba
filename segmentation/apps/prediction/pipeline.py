"""Reading, the model and writing at the same time: each picture goes through all three, one after the other."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from segmentation.errors import UserError

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
Made = TypeVar("Made")
Written = TypeVar("Written")


def overlapped(
    items: Iterable[Item],
    read: Callable[[Item], Loaded],
    work: Callable[[Loaded], Made],
    write: Callable[[Made], Written],
    threads: int,
) -> Generator[tuple[Item, Written | UserError], None, None]:
    """Each item with what `write(work(read(item)))` gave, or the `UserError` that one of them raised, in their order.

    `work` runs here, and `read` and `write` in `threads` threads each; with one thread they too go in the order of the
    items. Per thread at most two items are read before they are worked on, and at most two wait to be written, so that
    memory is bounded. Any other error, and Ctrl-C, ends it: what is being written is finished, what waits is dropped.
    Close the iterator (`contextlib.closing`) to end it early.
    """
    waiting: deque[tuple[Item, Future[Written]]] = deque()
    with _threads(threads) as readers, _threads(threads) as writers:
        for item, loading in _ahead(items, lambda item: readers.submit(read, item), 2 * threads):
            waiting.append((item, _passed_on(loading, work, lambda made: writers.submit(write, made))))
            while waiting and (waiting[0][1].done() or len(waiting) > 2 * threads):
                done, writing = waiting.popleft()
                yield done, _outcome(writing)
        for done, writing in waiting:
            yield done, _outcome(writing)


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(
    items: Iterable[Item], start: Callable[[Item], Future[Loaded]], most: int
) -> Iterator[tuple[Item, Future[Loaded]]]:
    """Items with the futures that `start` gives, `most` of which are started before their turn."""
    started: deque[tuple[Item, Future[Loaded]]] = deque()
    for item in items:
        started.append((item, start(item)))
        if len(started) > most:
            yield started.popleft()
    yield from started


def _passed_on(
    loading: Future[Loaded], work: Callable[[Loaded], Made], write: Callable[[Made], Future[Written]]
) -> Future[Written]:
    try:
        made = work(loading.result())
    except UserError as error:
        failed: Future[Written] = Future()
        failed.set_exception(error)
        return failed
    return write(made)


def _outcome(future: Future[Any]) -> Any:
    """The result, or the `UserError` in its place."""
    try:
        return future.result()
    except UserError as error:
        return error
