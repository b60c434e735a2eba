"""What stands on a page: words, numbers, tables and bars. Each kind has a template of its name in templates/blocks/."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

Color = tuple[int, int, int]
Interval = tuple[float, float]
ABSENT = "\N{EN DASH}"  # what stands where there is no number


@dataclass(frozen=True)
class Text:
    """A paragraph; `badge` is a word before it: fault, warning and note have colours."""

    kind: ClassVar[str] = "text"
    text: str
    badge: str = ""


@dataclass(frozen=True)
class Heading:
    """Of the blocks that follow, within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Listing:
    """One line each, the first `most` in sight and the others to unfold."""

    kind: ClassVar[str] = "listing"
    lines: Sequence[str]
    most: int = 5


@dataclass(frozen=True)
class Code:
    """A command or the like, as it is."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Definitions:
    """Short names and what they stand for."""

    kind: ClassVar[str] = "definitions"
    rows: Sequence[tuple[str, str]]


class Figure(NamedTuple):
    """One number to be seen first; `note` stands below it."""

    name: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class Headline:
    """The numbers that matter most, large."""

    kind: ClassVar[str] = "headline"
    figures: Sequence[Figure]


class Number(NamedTuple):
    """A number in a table, told as `text` and sorted by `value`; None and NaN are told as a dash and come last."""

    value: float | None
    text: str

    @property
    def is_there(self) -> bool:
        return is_number(self.value)

    @property
    def told(self) -> str:
        return self.text if self.is_there else ABSENT


class Links(NamedTuple):
    """Names that lead to files, by their places as an address has them."""

    links: Sequence[tuple[str, str]]

    @property
    def told(self) -> str:
        return " ".join(name for name, _ in self.links)


Cell = str | Number | Links


@dataclass(frozen=True)
class Table:
    """The first column to the left, the others to the right; `colors` gives a row of that name a swatch (RGB).

    `sortable` by each column, numbers by their value and what is text by its words.
    """

    kind: ClassVar[str] = "table"
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    sortable: bool = False
    colors: Mapping[str, Color] | None = None


class Bar(NamedTuple):
    """A value of at least 0, the text that tells it, and the interval that it lies in. NaN has no bar."""

    value: float
    text: str
    interval: Interval | None = None

    @property
    def is_there(self) -> bool:
        return is_number(self.value)


@dataclass(frozen=True)
class Bars:
    """Horizontal bars: `rows` holds a label and, by series, a bar. `colors` gives a label a swatch (RGB).

    `whole` is what a bar of the full width stands for; None: the largest value there is.
    """

    kind: ClassVar[str] = "bars"
    rows: Sequence[tuple[str, Mapping[str, Bar]]]
    colors: Mapping[str, Color] | None = None
    whole: float | None = None

    @cached_property
    def series(self) -> list[str]:
        return list(dict.fromkeys(name for _, bars in self.rows for name in bars))

    @cached_property
    def most(self) -> float:
        """What a bar of the full width stands for."""
        ends = [end for _, bars in self.rows for bar in bars.values() for end in (bar.value, *(bar.interval or ()))]
        return self.whole or max((end for end in ends if is_number(end)), default=0) or 1

    @cached_property
    def longest(self) -> int:
        """The length of the longest text with the name of its series, up to what a column has room for."""
        named = len(self.series) > 1
        texts = (f"{name} {bar.text}" if named else bar.text for _, bars in self.rows for name, bar in bars.items())
        return min(34, max(map(len, texts), default=0))

    def percent(self, value: float) -> str:
        """Of the full width."""
        return f"{100 * value / self.most:.2f}%"


def cut(text: str, longest: int) -> str:
    """With an ellipsis for what is too long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"


def is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def score(value: float | None) -> Number:
    """A score in [0, 1] with three digits."""
    return Number(value, "" if value is None else f"{value:.3f}")


def interval_text(interval: Interval | None) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval and all(map(is_number, interval)) else ""


def share_text(part: float, whole: float) -> str:
    """As a percentage with one decimal, or with the first digit that is not zero."""
    if not whole:
        return ABSENT
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent >= 0.1 or not part else f"{percent:.1g} %"
