"""What a comparison tells, as tables for the console and for the page that it leaves."""

from collections.abc import Iterator, Sequence

import numpy as np

from segmentation.apps.comparison.compared import ComparedRun, Group, config_difference
from segmentation.apps.comparison.cost import COSTS, cost_notes, cost_ratio
from segmentation.apps.comparison.difference import LOWER_IS_BETTER, MAIN, Comparison
from segmentation.apps.config.content import shown
from segmentation.metrics.scores import area_name
from segmentation.reports.blocks import ABSENT, Cell, Heading, Listing, Number, Table, Text
from segmentation.reports.page import Block, Section, page
from segmentation.reports.pictures import Pictures

Rows = tuple[list[str], list[list[Cell]]]  # header and rows
Drawn = Sequence[tuple[str, np.ndarray]]
SAME = ("F1", "mean_F1")  # of dense classes the Dice


def compare_page(
    evaluation: str,
    groups: Sequence[Group],
    comparisons: Sequence[Comparison],
    pictures: Sequence[Drawn],
    notes: Sequence[str],
) -> str:
    """HTML: the sentences, all groups, and each comparison; `pictures` are those of each comparison's images."""
    names = " and ".join(group.name for group in groups)
    sentences = [Text(comparison.sentence()) for comparison in comparisons]
    sections = [
        Section("Result", [*sentences, Listing(notes)]),
        Section("Runs", [Table(*groups_table(groups), f"{MAIN} by group of seeds")]),
    ]
    for comparison, drawn in zip(comparisons, pictures, strict=True):
        title = f"{comparison.baseline.name} (first) and {comparison.other.name} (second)"
        sections.append(Section(title, list(_blocks(comparison, drawn))))
    return page(f"Comparison on {evaluation}: {names}", sections)


def _blocks(comparison: Comparison, drawn: Drawn) -> Iterator[Block]:
    over_classes, by_class = score_names(comparison)
    yield Table(*score_table(comparison, over_classes), "Scores", sortable=True)
    yield Table(*score_table(comparison, by_class), "Scores by class", sortable=True)
    yield Listing(comparison.notes())
    yield Heading(f"What it costs{_of_first_runs(comparison)}")
    yield Table(*cost_table(comparison), "Cost")
    yield Listing(latency_notes(comparison))
    yield Heading(f"What differs{_of_first_runs(comparison)}")
    yield Table(*config_table(comparison), "Options")
    yield Heading(f"The {comparison.words.samples} that changed most")
    if not comparison.changes:
        yield Text("None changed.")
        return
    yield Table(*change_table(comparison), f"By {comparison.words.place} accuracy", sortable=True)
    if drawn:
        yield Text(f"The first above, the second below{_of_first_runs(comparison)}:")
        yield Pictures(drawn)


def _of_first_runs(comparison: Comparison) -> str:
    """Where a group has several runs, one of them has to stand for it."""
    several = any(len(group.runs) > 1 for group in (comparison.baseline, comparison.other))
    return ", of each its first run" if several else ""


def score_names(comparison: Comparison) -> tuple[list[str], list[str]]:
    """Scores over all classes, and those of each class."""
    names = [name for name in comparison.differences if name.split("/")[0] not in (*SAME, *map(area_name, SAME))]
    return [name for name in names if "/" not in name], [name for name in names if "/" in name]


def score_table(comparison: Comparison, names: Sequence[str]) -> Rows:
    header = ["score", "first", "second", "difference", "95 % interval", "second better in"]
    return header, [_score_row(comparison, score) for score in names]


def _score_row(comparison: Comparison, score: str) -> list[Cell]:
    found = comparison.differences[score]
    values = [_score(group.mean(score)) for group in (comparison.baseline, comparison.other)]
    interval = Number(found.low, f"{found.low:+.4f} to {found.high:+.4f}")
    better = comparison.better_share(score)
    name = f"{score} (lower is better)" if score in LOWER_IS_BETTER else score
    return [name, *values, _change(found.value), interval, Number(better, f"{100 * better:.1f} %")]


def groups_table(groups: Sequence[Group]) -> Rows:
    """With the standard deviation over seeds where there are several."""
    header = ["run", "seeds", f"{MAIN}, mean", "std over seeds"]
    return header, [
        [group.name, str(len(group.runs)), _score(group.mean(MAIN)), _score(group.deviation(MAIN))] for group in groups
    ]


def cost_table(comparison: Comparison) -> Rows:
    """Of the first run of each group."""
    first, second = (group.runs[0] for group in (comparison.baseline, comparison.other))
    rows: list[list[Cell]] = []
    for cost, label in COSTS.items():
        ratio = cost_ratio(first.cost, second.cost, cost)
        both = first.cost[cost] is not None and second.cost[cost] is not None
        told: Cell = "measured otherwise" if both and ratio is None else Number(ratio, f"{ratio or 0:.3g}")
        told_as = label.replace("images", first.words.samples)
        rows.append([told_as, _cost(first.cost[cost]), _cost(second.cost[cost]), told])
    return ["cost", first.name, second.name, "second / first"], rows


def latency_notes(comparison: Comparison) -> list[str]:
    runs = [group.runs[0] for group in (comparison.baseline, comparison.other)]
    return [cost_notes(run.name, run.folder, run.cost) for run in runs if run.kind.ARE_GRIDS]


def config_table(comparison: Comparison, longest: int | None = None) -> Rows:
    """Of the first run of each group; longer values are cut off where they are told on a console."""
    first, other = comparison.baseline.runs[0], comparison.other.runs[0]
    rows: list[list[Cell]] = [
        [key, *(_option(run, key)[:longest] for run in (first, other))] for key in config_difference(first, other)
    ]
    return ["key", first.name, other.name], rows


def change_table(comparison: Comparison) -> Rows:
    return [comparison.words.sample, "first", "second", "difference"], [
        [change.key, _score(change.baseline), _score(change.other), _change(change.value)]
        for change in comparison.changes
    ]


def told(rows: Rows) -> tuple[list[str], list[list[str]]]:
    """For the console."""
    return rows[0], [[cell if isinstance(cell, str) else cell.told for cell in row] for row in rows[1]]


def _score(value: float) -> Number:
    return Number(value, f"{value:.4f}")


def _change(value: float) -> Number:
    return Number(value, f"{value:+.4f}")


def _cost(value: float | None) -> Cell:
    if value is None:
        return ABSENT
    return Number(value, f"{value:,}" if isinstance(value, int) else f"{value:.4g}")


def _option(run: ComparedRun, key: str) -> str:
    return shown(run.options[key]) if key in run.options else ABSENT
