"""Faults of a data set's files: they stop whoever wants to use the data, and are noted by who wants to check it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Self

from segmentation.errors import gathered


class FileFault(str):
    """The line that tells a fault, with picture files that show it."""

    files: tuple[Path, ...]

    def __new__(cls, text: str, *files: Path) -> Self:
        fault = super().__new__(cls, text)
        fault.files = files
        return fault


FEW, MOST = 3, 30  # faults of one kind that are told, and lines in all
NAME = re.compile(r"\S*[./\\\d]\S*")  # a word that names a file or a number: what is left tells the kind
Noted = list[tuple[str, list[str]]]  # a title and its faults, some of them of files
_noted: ContextVar[Noted | None] = ContextVar("noted", default=None)


def refuse(title: str, faults: Sequence[str]) -> None:
    """Raises one `UserError` with all faults, if there are some; within `noting_faults` they are noted, and the reader
    goes on with the samples that are good.
    """
    if not faults:
        return
    noted = _noted.get()
    if noted is None:
        raise gathered(title, _few_of_each_kind(faults), most=MOST)
    noted.append((title, list(faults)))


def _few_of_each_kind(faults: Sequence[str]) -> list[str]:
    """What is missing a thousand times must not hide what is wrong once."""
    kinds: dict[str, list[str]] = {}
    for fault in faults:
        kinds.setdefault(NAME.sub("", fault), []).append(fault)
    lines = []
    for alike in kinds.values():
        more = f" (and {len(alike) - FEW} more like it)" if len(alike) > FEW else ""
        lines += [*alike[: FEW - 1], *(fault + more for fault in alike[FEW - 1 : FEW])]
    return lines


def counted(faults: Sequence[str]) -> str:
    return f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"


def files_of(fault: str) -> tuple[Path, ...]:
    return fault.files if isinstance(fault, FileFault) else ()


@contextmanager
def noting_faults() -> Iterator[Noted]:
    """What is refused within, with its title."""
    noted: Noted = []
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)
