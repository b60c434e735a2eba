"""Faults of a data set's files: they stop whoever wants to use the data, and are noted by who wants to check it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from segmentation.errors import gathered

Noted = list[tuple[str, list[str]]]  # a title and its faults
_noted: ContextVar[Noted | None] = ContextVar("noted", default=None)


def refuse(title: str, faults: Sequence[str]) -> None:
    """Raises one `UserError` with all faults, if there are some; within `noting_faults` they are noted, and the reader
    goes on with the samples that are good.
    """
    if not faults:
        return
    noted = _noted.get()
    if noted is None:
        raise gathered(title, faults)
    noted.append((title, list(faults)))


@contextmanager
def noting_faults() -> Iterator[Noted]:
    """What is refused within, with its title."""
    noted: Noted = []
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)
