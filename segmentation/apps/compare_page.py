"""What a comparison tells, as tables for the console and for the page that it leaves."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from segmentation.apps.compared import ComparedRun, Group, config_difference
from segmentation.apps.comparison import MAIN, Comparison
from segmentation.metrics.scores import HEADLINES
from segmentation.reports.page import Block, Listing, Pictures, Section, Table, Text, page

Rows = tuple[list[str], list[list[str]]]  # header and rows
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
    yield Table(*score_table(comparison))
    yield Listing(comparison.notes())
    yield Text("What differs in the configuration:")
    yield Table(*config_table(comparison))
    changes = comparison.changes()
    yield Text("The images that changed most, by pixel accuracy:" if changes else "No image changed.")
    if changes:
        yield Table(*change_table(comparison))
    if drawn:
        yield Text("Of each the first run above, the second below:")
        yield Pictures(drawn)


def score_table(comparison: Comparison) -> Rows:
    names = comparison.baseline.runs[0].kept.names
    header = ["score", "first", "second", "difference", "95 % interval", "second better in"]
    return header, [_score_row(comparison, score) for score in (*HEADLINES, *(f"IoU/{name}" for name in names))]


def _score_row(comparison: Comparison, score: str) -> list[str]:
    found = comparison.differences[score]
    interval = "-" if math.isnan(found.low) else f"{found.low:+.4f} to {found.high:+.4f}"
    values = [_number(group.mean(score)) for group in (comparison.baseline, comparison.other)]
    better = "-" if math.isnan(found.above) else f"{found.above:.1%}"
    return [score, *values, "-" if math.isnan(found.value) else f"{found.value:+.4f}", interval, better]


def groups_table(groups: Sequence[Group]) -> Rows:
    """With the standard deviation over seeds where there are several."""
    rows = [
        [group.name, str(len(group.runs)), *(_number(number) for number in (group.mean(MAIN), group.deviation(MAIN)))]
        for group in groups
    ]
    return ["run", "seeds", f"{MAIN}, mean", "std over seeds"], rows


def cost_table(groups: Sequence[Group], costs: Costs) -> Rows:
    """Of every run."""
    runs = [run for group in groups for run in group.runs]
    rows = [[label, *(_cost(costs[run.name][key]) for run in runs)] for key, label in COSTS.items()]
    return ["cost", *(run.name for run in runs)], rows


def config_table(comparison: Comparison, widest: int | None = None) -> Rows:
    """Of the first run of each group; longer values are cut off where they are told on a console."""
    first, other = comparison.baseline.runs[0], comparison.other.runs[0]
    changed = config_difference(first, other)
    rows = [[key, *(_cut(_told(run, key), widest) for run in (first, other))] for key in changed]
    return ["key", first.name, other.name], rows


def change_table(comparison: Comparison) -> Rows:
    rows = [
        [change.key, f"{change.baseline:.4f}", f"{change.other:.4f}", f"{change.value:+.4f}"]
        for change in comparison.changes()
    ]
    return ["image", "first", "second", "difference"], rows


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _cost(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _told(run: ComparedRun, key: str) -> str:
    """A value that is null is told so; a key that there is not has a dash."""
    return "-" if key not in run.config else "null" if run.config[key] is None else str(run.config[key])


def _cut(text: str, widest: int | None) -> str:
    return text if widest is None or len(text) <= widest else f"{text[: widest - 3]}..."
