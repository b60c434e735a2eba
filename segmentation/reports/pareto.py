"""The page of what a model is worth in many ways of running it, and what each costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segmentation.reports.blocks import Cell, Definitions, Number, Table, Text
from segmentation.reports.charts import Axis, Charts, Line, LineChart
from segmentation.reports.page import Section, page

DIGITS = 4  # of a score


@dataclass(frozen=True)
class WayFacts:
    """`settings` are words by name, the same names for all; `series` is what has a colour of its own."""

    settings: Mapping[str, str]
    series: str
    miou: float
    latency_ms: float
    memory_mb: float

    @property
    def name(self) -> str:
        return ", ".join(self.settings.values())


def efficient(scores: Sequence[float], costs: Sequence[float]) -> list[bool]:
    """Of which there is none that has as good a score at as low a cost and is better in one of the two.

    Scores are taken as they are told, with four digits. Of equal ones all are; what is not a number never is.

    >>> efficient([0.5, 0.6, 0.6, 0.4], [10, 20, 30, 10])
    [True, True, False, False]
    """
    score, cost = np.asarray(scores, float).round(DIGITS), np.asarray(costs, float)
    as_good = (score[:, None] >= score) & (cost[:, None] <= cost)
    better = (score[:, None] > score) | (cost[:, None] < cost)
    beaten = np.any(as_good & better, axis=0)
    marks: list[bool] = (~beaten & np.isfinite(score) & np.isfinite(cost)).tolist()
    return marks


def efficient_in(ways: Sequence[WayFacts]) -> list[tuple[str, ...]]:
    """For each way, which of time and memory it makes the most of."""
    scores = [way.miou for way in ways]
    in_time = efficient(scores, [way.latency_ms for way in ways])
    in_memory = efficient(scores, [way.memory_mb for way in ways])
    named = (("time", in_time), ("memory", in_memory))
    return [tuple(name for name, marks in named if marks[place]) for place in range(len(ways))]


def ways_table(ways: Sequence[WayFacts]) -> tuple[list[str], list[list[Cell]]]:
    """Header and rows, the fastest first; at least one way."""
    marks = efficient_in(ways)
    rows: list[list[Cell]] = [
        [
            *ways[place].settings.values(),
            Number(ways[place].miou, f"{ways[place].miou:.{DIGITS}f}"),
            Number(ways[place].latency_ms, f"{ways[place].latency_ms:.1f}"),
            Number(ways[place].memory_mb, f"{ways[place].memory_mb:.0f}"),
            ", ".join(marks[place]),
        ]
        for place in sorted(range(len(ways)), key=lambda place: ways[place].latency_ms)
    ]
    return [*ways[0].settings, "mIoU", "ms", "MB", "efficient in"], rows


def pareto_page(title: str, about: Mapping[str, str], ways: Sequence[WayFacts]) -> str:
    """HTML; `about` says what holds for all ways."""
    told = (
        "Efficient in time (in memory) is what no other way beats: none has as good a score in as little time (memory) "
        "and is better in one of the two. The dashed line joins them."
    )
    charts = [
        _chart("mIoU over time", "ms for an image", ways, [way.latency_ms for way in ways]),
        _chart("mIoU over memory", "MB beyond the model", ways, [way.memory_mb for way in ways]),
    ]
    table = Table(*ways_table(ways), "All ways, the fastest first", sortable=True)
    return page(
        title, [Section("Ways to run it", [Text(told), Charts(charts), table, Definitions(list(about.items()))])]
    )


def _chart(title: str, cost: str, ways: Sequence[WayFacts], costs: Sequence[float]) -> LineChart:
    points = [(x, way.miou) for x, way in zip(costs, ways, strict=True)]
    marks = efficient([way.miou for way in ways], costs)
    front = sorted({point for point, mark in zip(points, marks, strict=True) if mark})
    lines = [Line("efficient", front, dashed=True)]
    for series in dict.fromkeys(way.series for way in ways):
        own = [place for place, way in enumerate(ways) if way.series == series]
        lines.append(
            Line(series, [points[place] for place in own], joined=False, names=[ways[place].name for place in own])
        )
    return LineChart(title, Axis(cost, low=0), Axis("mIoU"), lines)
