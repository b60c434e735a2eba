"""The page of many runs: what was chosen against what came out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segmentation.reports.blocks import Cell, Listing, Number, Table, Text, cut, is_number
from segmentation.reports.charts import Axis, Charts, Coordinate, Line, LineChart, ParallelCoordinates
from segmentation.reports.evaluation import curve
from segmentation.reports.page import Block, Section, page

CURVES = (("val/mIoU", "mIoU on val"), ("val/loss", "loss on val"))
MOST_COLOURED = 8  # curves; those of the other runs are grey
MOST_AXES = 10  # options of the parallel coordinates
LONGEST = 40  # letters of a value in the table

Value = float | str | None


@dataclass(frozen=True)
class RunFacts:
    """`state` is a word, which a colon and a reason may follow. `settings` are the options in which the runs differ,
    numbers as numbers. `scores` are numbers by name, None or NaN where there is none; every run has the same of both.
    `history` are the rows of history.json.
    """

    name: str
    state: str
    settings: Mapping[str, Value]
    scores: Mapping[str, float | None]
    history: Sequence[Mapping[str, Any]]


def runs_page(
    title: str, runs: Sequence[RunFacts], monitor: str, mode: str, shared: Sequence[str], left_out: Sequence[str]
) -> str:
    """HTML. `monitor` names the score in `scores` that the runs are judged by, `mode` (max or min) says what is good;
    `shared` are the options that all runs were given, `left_out` says of which runs there is nothing and why.
    """
    best_first = sorted(runs, key=lambda run: _rank(run.scores[monitor], mode))
    sections = [Section("Runs", list(_runs(best_first, monitor, shared, left_out)))]
    courses = _courses(best_first, monitor, mode)
    if len(courses.axes) > 1 and len(runs) > 1:
        told = f"Each line is a run, its colour says how it ranks by {monitor}: the bluer, the better."
        sections.append(Section("Options against score", [Text(told), courses]))
    charts = [_curves(best_first, key, name) for key, name in CURVES if any(curve(run.history, key) for run in runs)]
    if charts:
        sections.append(Section("Curves", [*_about_colours(runs, monitor), Charts(charts)]))
    return page(title, sections)


def _rank(value: float | None, mode: str) -> float:
    """The lower the better."""
    if value is None or not is_number(value):
        return float("inf")
    return value if mode == "min" else -value


def _runs(runs: Sequence[RunFacts], monitor: str, shared: Sequence[str], left_out: Sequence[str]) -> Iterator[Block]:
    states = Counter(run.state.partition(":")[0].partition(" since")[0] for run in runs)
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    yield Text(f"Runs: {told}. The best {monitor} comes first.")
    if shared:
        yield Text("All of them: " + ", ".join(shared))
    settings, scores = list(runs[0].settings), list(runs[0].scores)
    rows: list[list[Cell]] = [
        [
            run.name,
            run.state,
            *(_score(name, run.scores[name]) for name in scores),
            *(_setting(run.settings[name]) for name in settings),
        ]
        for run in runs
    ]
    yield Table(["run", "state", *scores, *settings], rows, "Scores and options by run", sortable=True)
    if left_out:
        yield Text("Left out, as they cannot be read:", "warning")
        yield Listing(left_out)


def _score(name: str, value: float | None) -> Cell:
    """Scores proper are `<split>/<score>`; epochs and minutes stand beside them."""
    return Number(value, "" if value is None else f"{value:.4f}") if "/" in name else _cell(value)


def _setting(value: Value) -> Cell:
    """`.inf` is a value like another."""
    return _cell(value) if value is None or isinstance(value, str) or is_number(value) else f"{value:g}"


def _cell(value: Value) -> Cell:
    if isinstance(value, str):
        return cut(value, LONGEST)
    return Number(value, "" if value is None else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.6g}")


def _courses(runs: Sequence[RunFacts], monitor: str, mode: str) -> ParallelCoordinates:
    options = [Coordinate(name, [run.settings[name] for run in runs]) for name in list(runs[0].settings)[:MOST_AXES]]
    ends = [score if score is not None and is_number(score) else None for score in (r.scores[monitor] for r in runs)]
    return ParallelCoordinates(
        f"Options and {monitor}", [run.name for run in runs], [*options, Coordinate(monitor, ends)], mode == "min"
    )


def _curves(best_first: Sequence[RunFacts], key: str, name: str) -> LineChart:
    lines = [
        Line(run.name, curve(run.history, key), muted=place >= MOST_COLOURED) for place, run in enumerate(best_first)
    ]
    return LineChart(name, Axis("epoch", whole=True), Axis(key), lines)


def _about_colours(runs: Sequence[RunFacts], monitor: str) -> list[Block]:
    told = f"The {MOST_COLOURED} runs with the best {monitor} are in colour."
    return [Text(told)] if len(runs) > MOST_COLOURED else []
