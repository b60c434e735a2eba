"""What was seen of all samples of a data set, whatever kind they are of."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from segmentation.build.sets import Parts, Source
from segmentation.data.check.findings import Example, Finding
from segmentation.reports.page import Section


class Shares(NamedTuple):
    """How much `of` something ("pixels") each of the `samples` ("images") of a part has, by class: `[n, C]`."""

    of: str
    samples: str
    counts: Mapping[str, np.ndarray]


class Seen(Protocol):
    """Each kind of data has its own."""

    @property
    def source(self) -> Source: ...

    @property
    def counts(self) -> np.ndarray:
        """How much of each class each sample has, `[N, C]`: 0 where it cannot be read."""

    def contents(self) -> Mapping[str, bytes]:
        """By key, of the samples that can be read: the same bytes for the same content."""

    def findings(self, parts: Parts) -> list[Finding]: ...

    def summary(self, parts: Parts) -> tuple[list[str], list[list[str]]]:
        """Header and rows of a table with a column for each part that has samples."""

    def shares(self, parts: Parts) -> list[Shares]:
        """Of the parts that have samples; what is told first comes first."""

    def sections(self, parts: Parts) -> list[Section]:
        """What stands on the page beside findings, shares and samples."""

    def picture(self, sample: Any) -> np.ndarray | None:
        """A sample with its labels, RGB `[h, w, 3]` uint8, or what can be read of it; None for nothing."""

    def pictures(self, example: Example) -> Iterator[tuple[str, np.ndarray]]:
        """What an example of a finding speaks of, each with a caption."""


def used(parts: Parts) -> dict[str, list[str]]:
    """The keys of each part that has samples."""
    return {part: [sample.key for sample in samples] for part, samples in parts.items() if samples}


def share_text(count: int, total: int) -> str:
    """Two decimals, or the first digit that is not zero."""
    if not total:
        return "-"
    return f"{count / total:.2%}" if count * 10_000 >= total or not count else f"{100 * count / total:.1g}%"
