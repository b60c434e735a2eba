"""What a check finds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """A fault would spoil a run; a warning may be meant; a note is for information."""

    FAULT = "fault"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Example:
    """One line, and the samples or the files of none that it speaks of, to be shown side by side."""

    text: str
    keys: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Finding:
    """`kind` is a short name that stays the same; `message` says how many, what and what to do."""

    kind: str
    severity: Severity
    message: str
    examples: tuple[Example, ...] = ()

    def line(self, most: int = 3) -> str:
        """The message with the first few examples."""
        if not self.examples:
            return self.message
        told = "; ".join(example.text for example in self.examples[:most])
        more = len(self.examples) - most
        return f"{self.message}: {told}{f' and {more} more' if more > 0 else ''}"


def number(count: int, noun: str) -> str:
    """
    >>> number(1, "class"), number(2, "class"), number(0, "mask"), number(3, "mesh")
    ('1 class', '2 classes', '0 masks', '3 meshes')
    """
    ending = "" if count == 1 else "es" if noun.endswith(("s", "sh")) else "s"
    return f"{count} {noun}{ending}"


def samples(keys: Iterable[str]) -> tuple[Example, ...]:
    """Each key an example of its own."""
    return tuple(Example(key, (key,)) for key in keys)


def faults_among(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.FAULT]
