"""What was taken for what: the confusion matrix as a table, and its largest entries in words."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np

from segmentation.reports.blocks import ABSENT, Cell, Color, Number, Table, share_text

MOST_CLASSES = 40  # of a matrix; the others become one
OTHERS: Color = (160, 160, 160)


class ConfusionCell(NamedTuple):
    """`tint` is how strongly it is coloured, 0 to 1; `words` say it all."""

    tint: float
    percent: str
    number: str
    words: str
    is_hit: bool


@dataclass(frozen=True)
class Confusion:
    """Counts `[C, C]`, int64, rows the truth and columns the prediction, shown as shares of the rows or as they are.

    Of more than 40 classes, those with the least truth are summed up. `unit` is what was counted, in the plural.
    """

    kind: ClassVar[str] = "confusion"
    counts: np.ndarray
    names: Sequence[str]
    colors: Sequence[Color]
    unit: str = "pixels"

    @cached_property
    def shown(self) -> "Confusion":
        """Itself, or with the classes beyond `MOST_CLASSES` as one."""
        if len(self.names) <= MOST_CLASSES:
            return self
        order = np.argsort(-self.counts.sum(axis=1), kind="stable")
        kept = np.sort(order[: MOST_CLASSES - 1])
        place = np.full(len(self.names), len(kept))
        place[kept] = np.arange(len(kept))
        counts = np.zeros((len(kept) + 1, len(kept) + 1), np.int64)
        np.add.at(counts, (place[:, None], place[None, :]), self.counts)
        names = [*(self.names[index] for index in kept), f"the other {len(self.names) - len(kept)}"]
        return Confusion(counts, names, [*(self.colors[index] for index in kept), OTHERS], self.unit)

    def rows(self) -> Iterator[tuple[str, Color, list[ConfusionCell]]]:
        for row, (name, color) in enumerate(zip(self.names, self.colors, strict=True)):
            yield name, color, [self._cell(row, column) for column in range(len(self.names))]

    def _cell(self, row: int, column: int) -> ConfusionCell:
        count, total = int(self.counts[row, column]), int(self.counts[row].sum())
        true, read = self.names[row], self.names[column]
        share = count / total if total else 0.0
        told = f"read as {read}" if row != column else "read right"
        words = f"{count:,} {self.unit} of {true} were {told}: {share_text(count, total)} of {true}"
        percent = ABSENT if not total else "" if not count else f"{100 * share:.0f}"
        tint = math.sqrt(share)  # a confusion of a few percent would else be as good as white
        return ConfusionCell(tint, percent, short(count), words, row == column)


def short(count: int) -> str:
    """With three digits at most: 12k, 3.4M; nothing for none."""
    if not count:
        return ""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= 0.9995 * size:  # else it would be rounded to 1000 of the next smaller
            return f"{count / size:.2g}{letter}" if count < 99.5 * size else f"{count / size:.0f}{letter}"
    return str(count)


def ranked_confusions(counts: np.ndarray, names: Sequence[str], most: int, unit: str = "pixels") -> Table:
    """The confusions of two classes that take the largest share of the class that they are wrong about.

    By share and not by count: every class has the same weight in a mean over classes.
    """
    truth = counts.sum(axis=1, keepdims=True)
    wrong = counts * ~np.eye(len(names), dtype=bool)
    shares = wrong / np.maximum(truth, 1)
    errors = int(wrong.sum())
    rows: list[list[Cell]] = []
    for place in np.argsort(-shares, axis=None, kind="stable")[:most]:
        row, column = divmod(int(place), len(names))
        if not wrong[row, column]:
            break
        count, true = int(wrong[row, column]), names[row]
        words = f"{true} read as {names[column]}: {share_text(count, int(truth[row, 0]))} of {true}"
        rows.append(
            [
                words,
                Number(float(shares[row, column]), share_text(count, int(truth[row, 0]))),
                Number(count, f"{count:,}"),
                Number(count / errors, share_text(count, errors)),
            ]
        )
    header = ["confusion", "of the class", unit, "of all errors"]
    return Table(header, rows, "Confusions, the largest share of a class first", sortable=True)
