"""What a comparison tells, as tables for the console and for the page that it leaves."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from segmentation.apps.compared import ComparedRun, Group, config_difference
from segmentation.apps.comparison import MAIN, Comparison
from segmentation.apps.config.content import shown
from segmentation.metrics.scores import HEADLINES
from segmentation.reports.blocks import ABSENT, Cell, Heading, Listing, Number, Table, Text
from segmentation.reports.page import Block, Section, page
from segmentation.reports.pictures import Pictures

Rows = tuple[list[str], list[list[Cell]]]  # header and rows
Costs = Mapping[str, Mapping[str, Any]]  # by the name of a run
Drawn = Sequence[tuple[str, np.ndarray]]
COSTS = {
    "parameters": "parameters",
    "training_seconds": "training, s",
    "evaluation_seconds": "evaluation, s",
    "images_per_second": "evaluation, images/s",
    "latency_p50_ms": "latency (median), ms",
    "latency_of": "latency measured with images of",
}


def compare_page(
    evaluation: str, groups: Sequence[Group], comparisons: Sequence[Comparison], costs: Costs, pictures: Sequence[Drawn]
) -> str:
    """HTML: the sentences, all groups, and each comparison; `pictures` are those of each comparison's images."""
    names = " and ".join(group.name for group in groups)
    sections = [
        Section("Result", [Text(comparison.sentence()) for comparison in comparisons]),
        Section("Runs", [Table(*groups_table(groups)), Table(*cost_table(groups, costs))]),
    ]
    for comparison, drawn in zip(comparisons, pictures, strict=True):
        title = f"{comparison.baseline.name} (first) and {comparison.other.name} (second)"
        sections.append(Section(title, list(_blocks(comparison, drawn))))
    return page(f"Comparison on {evaluation}: {names}", sections)


def _blocks(comparison: Comparison, drawn: Drawn) -> Iterator[Block]:
    yield Table(*score_table(comparison), "Scores", sortable=True)
    yield Listing(comparison.notes())
    yield Heading("What differs in the configuration")
    yield Table(*config_table(comparison))
    yield Heading("The images that changed most")
    if not comparison.changes():
        yield Text("None changed.")
        return
    yield Table(*change_table(comparison), "By pixel accuracy", sortable=True)
    if drawn:
        yield Text("Of each the first run above, the second below:")
        yield Pictures(drawn)


def score_table(comparison: Comparison) -> Rows:
    names = comparison.baseline.runs[0].kept.names
    header = ["score", "first", "second", "difference", "95 % interval", "second better in"]
    return header, [_score_row(comparison, score) for score in (*HEADLINES, *(f"IoU/{name}" for name in names))]


def _score_row(comparison: Comparison, score: str) -> list[Cell]:
    found = comparison.differences[score]
    values = [_score(group.mean(score)) for group in (comparison.baseline, comparison.other)]
    interval = Number(found.low, f"{found.low:+.4f} to {found.high:+.4f}")
    return [score, *values, _change(found.value), interval, Number(found.above, f"{100 * found.above:.1f} %")]


def groups_table(groups: Sequence[Group]) -> Rows:
    """With the standard deviation over seeds where there are several."""
    header = ["run", "seeds", f"{MAIN}, mean", "std over seeds"]
    return header, [
        [group.name, str(len(group.runs)), _score(group.mean(MAIN)), _score(group.deviation(MAIN))] for group in groups
    ]


def cost_table(groups: Sequence[Group], costs: Costs) -> Rows:
    """Of every run."""
    runs = [run for group in groups for run in group.runs]
    rows = [[label, *(_cost(costs[run.name][key]) for run in runs)] for key, label in COSTS.items()]
    return ["cost", *(run.name for run in runs)], rows


def config_table(comparison: Comparison, longest: int | None = None) -> Rows:
    """Of the first run of each group; longer values are cut off where they are told on a console."""
    first, other = comparison.baseline.runs[0], comparison.other.runs[0]
    rows: list[list[Cell]] = [
        [key, *(_option(run, key)[:longest] for run in (first, other))] for key in config_difference(first, other)
    ]
    return ["key", first.name, other.name], rows


def change_table(comparison: Comparison) -> Rows:
    return ["image", "first", "second", "difference"], [
        [change.key, _score(change.baseline), _score(change.other), _change(change.value)]
        for change in comparison.changes()
    ]


def told(rows: Rows) -> tuple[list[str], list[list[str]]]:
    """For the console."""
    return rows[0], [[cell if isinstance(cell, str) else cell.told for cell in row] for row in rows[1]]


def _score(value: float) -> Number:
    return Number(value, f"{value:.4f}")


def _change(value: float) -> Number:
    return Number(value, f"{value:+.4f}")


def _cost(value: Any) -> Cell:
    if value is None or isinstance(value, str):
        return value or ABSENT
    return Number(value, f"{value:,}" if isinstance(value, int) else f"{value:.4g}")


def _option(run: ComparedRun, key: str) -> str:
    return shown(run.config[key]) if key in run.config else ABSENT
