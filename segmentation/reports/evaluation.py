"""The page of one evaluation: how good the model is, how sure that is, and where it fails."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from segmentation.classes import Classes
from segmentation.reports.blocks import (
    ABSENT,
    Bar,
    Bars,
    Cell,
    Code,
    Definitions,
    Figure,
    Heading,
    Headline,
    Interval,
    Number,
    Table,
    Text,
    interval_text,
    score,
    share_text,
)
from segmentation.reports.charts import Axis, Charts, Line, LineChart
from segmentation.reports.confusion import Confusion, ranked_confusions
from segmentation.reports.curves import panels
from segmentation.reports.page import Block, Section, page
from segmentation.reports.pictures import Picture, Pictures
from segmentation.reports.words import Words

MOST_CONFUSIONS = 20
DIAGONAL = [(0.0, 0.0), (1.0, 1.0)]  # of a chart of shares
Curve = Sequence[tuple[float, float]]


class HeadlineScore(NamedTuple):
    """`value` in [0, 1] or NaN, with the 95 % interval that it lies in."""

    name: str
    value: float
    interval: Interval | None = None


@dataclass(frozen=True)
class BoundaryFacts:
    """`width` tells the band of boundary IoU, "2 pixels" or "2 % of the diagonal", `tolerance` likewise how far apart
    contours may be for boundary F1; scores by class, NaN where a class does not occur.
    """

    width: str
    tolerance: str
    iou: Sequence[float]
    f1: Sequence[float]


@dataclass(frozen=True)
class CalibrationFacts:
    """Expected calibration errors in [0, 1], and by bin the mean confidence with the share that is right.

    `temperature` is what the logits are divided by, fitted on val; None: none was fitted.
    """

    ece: float
    curve: Curve
    temperature: float | None = None
    ece_after: float | None = None
    curve_after: Curve = ()


@dataclass(frozen=True)
class BinaryFacts:
    """Of a task of two classes: `roc` are (false positive rate, true positive rate), `precision_recall` are (recall,
    precision); the threshold on the probability of the `positive` class that gives the best F1 on val, and the F1 that
    it gives here; None where val was not evaluated.
    """

    positive: str
    auroc: float
    average_precision: float
    roc: Curve
    precision_recall: Curve
    threshold: float | None = None
    f1: float | None = None


@dataclass(frozen=True)
class EvaluationFacts:
    """What is told of an evaluation, C classes.

    `about` says what was scored: data, images, checkpoint, weights, ... . `resampling` says in a sentence how the
    intervals were found. `by_class` holds columns of C scores in [0, 1] or NaN by their names, IoU among them;
    `iou_intervals` a pair for each class, None for none. `confusion` is `[C, C]`, int64, rows the truth. `history` are
    the rows of history.json, `epoch` the one that was scored. Pictures are RGB `[h, w, 3]` uint8 with their captions,
    image, truth, prediction and errors side by side: the worst and the best images, and the worst of each class.
    `over_images` are mean and standard deviation of scores that each image has for itself. `words` say what stands for
    images and pixels; `areas` are those of each class in the truth, where places differ in theirs.
    """

    title: str
    split: str
    about: Mapping[str, str]
    words: Words
    headline: Sequence[HeadlineScore]
    resampling: str
    classes: Classes
    by_class: Mapping[str, Sequence[float]]
    iou_intervals: Sequence[Interval | None]
    confusion: np.ndarray
    history: Sequence[Mapping[str, Any]]
    epoch: int | None
    worst: Sequence[Picture]
    best: Sequence[Picture]
    worst_by_class: Mapping[str, Sequence[Picture]]
    environment: Mapping[str, Any]
    command: str
    boundary: BoundaryFacts | None = None
    calibration: CalibrationFacts | None = None
    binary: BinaryFacts | None = None
    over_images: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    areas: Sequence[int] | None = None


def evaluation_page(facts: EvaluationFacts) -> str:
    """HTML, what matters most first."""
    names, colors, words = facts.classes.names, facts.classes.colors, facts.words
    sections = [
        Section("Scores", list(_scores(facts))),
        Section("Classes", list(_classes(facts))),
        Section("Confusion matrix", [Confusion(facts.confusion, names, colors, words.places)]),
        Section("Confusions in words", _confusions(facts)),
    ]
    if facts.boundary:
        sections.append(Section("Boundaries", _boundaries(facts, facts.boundary)))
    if facts.calibration:
        sections.append(Section("Calibration", _calibration(facts.calibration)))
    if facts.binary:
        sections.append(Section("Thresholds", _thresholds(facts.binary)))
    if facts.history:
        sections.append(Section("Training", [training_charts(facts.history, facts.epoch, words.place)]))
    sections += [
        Section(f"Worst {words.samples}", [Pictures(facts.worst)]),
        Section(f"Best {words.samples}", [Pictures(facts.best)]),
        Section(f"Worst {words.samples} by class", list(_worst_by_class(facts))),
        Section("How it was made", [Code(facts.command), Definitions(list(_environment(facts.environment)))]),
    ]
    return page(facts.title, [section for section in sections if any(map(_holds_something, section.blocks))])


def _holds_something(block: Block) -> bool:
    return not isinstance(block, Pictures) or bool(block.pictures)


def _scores(facts: EvaluationFacts) -> Iterator[Block]:
    yield Headline([_figure(given) for given in facts.headline])
    yield Text(facts.resampling)
    yield Definitions([("split", facts.split), *facts.about.items()])
    if facts.over_images:
        rows: list[list[Cell]] = [
            [name, score(mean), score(deviation)] for name, (mean, deviation) in facts.over_images.items()
        ]
        header = [f"score of each {facts.words.sample}", "mean", "standard deviation"]
        yield Table(header, rows, f"Means over {facts.words.samples}")


def _figure(given: HeadlineScore) -> Figure:
    interval = interval_text(given.interval)
    return Figure(given.name, score(given.value).told, f"95 %: {interval}" if interval else "")


def _classes(facts: EvaluationFacts) -> Iterator[Block]:
    names = facts.classes.names
    colors = dict(zip(names, facts.classes.colors, strict=True))
    intervals = facts.iou_intervals or [None] * len(names)
    columns = {**facts.by_class, **_boundary_columns(facts)}
    truth = {"of the truth": facts.confusion.sum(axis=1)}
    if facts.areas is not None:
        truth = {f"of the {facts.words.places}": truth["of the truth"], "of the area": np.asarray(facts.areas)}
    rows: list[list[Cell]] = []
    for index, name in enumerate(names):
        scores = [score(float(values[index])) for values in columns.values()]
        rows.append([name, *scores, _bounds(intervals[index]), *(_share(of[index], of.sum()) for of in truth.values())])
    header = ["class", *columns, "95 % of IoU", *truth]
    yield Table(header, rows, "Scores by class", sortable=True, colors=colors)
    yield Heading("IoU with its 95 % interval")
    iou = [_bar(float(value), interval) for value, interval in zip(facts.by_class["IoU"], intervals, strict=True)]
    yield Bars([(name, {"IoU": bar}) for name, bar in zip(names, iou, strict=True)], colors, whole=1)


def _share(part: int, whole: int) -> Number:
    return Number(part / max(whole, 1), share_text(part, whole))


def _bounds(interval: Interval | None) -> Number:
    return Number(interval[0] if interval else None, interval_text(interval))


def _bar(value: float, interval: Interval | None) -> Bar:
    told = interval_text(interval)
    return Bar(value, f"{score(value).told} ({told})" if told else score(value).told, interval if told else None)


def _confusions(facts: EvaluationFacts) -> list[Block]:
    table = ranked_confusions(facts.confusion, facts.classes.names, MOST_CONFUSIONS, facts.words.places)
    return [table] if table.rows else [Text("No class was taken for another.")]


def _boundary_columns(facts: EvaluationFacts) -> dict[str, Sequence[float]]:
    return {"boundary IoU": facts.boundary.iou, "boundary F1": facts.boundary.f1} if facts.boundary else {}


def _boundaries(facts: EvaluationFacts, boundary: BoundaryFacts) -> list[Block]:
    columns = {"IoU": facts.by_class["IoU"], **_boundary_columns(facts)}
    rows = [
        (
            name,
            {title: Bar(float(values[index]), score(float(values[index])).told) for title, values in columns.items()},
        )
        for index, name in enumerate(facts.classes.names)
    ]
    told = (
        "Boundary scores show what large areas hide. Boundary IoU counts what lies within "
        f"{boundary.width} of a boundary, boundary F1 the contours that are within {boundary.tolerance} of each other."
    )
    return [Text(told), Bars(rows, dict(zip(facts.classes.names, facts.classes.colors, strict=True)), whole=1)]


def _calibration(facts: CalibrationFacts) -> list[Block]:
    figures = [Figure("ECE", f"{facts.ece:.4f}", "expected calibration error")]
    lines = [Line("as it should be", DIAGONAL, dashed=True), Line("as trained", facts.curve)]
    if facts.temperature is not None and facts.ece_after is not None:
        fitted = f"logits divided by {facts.temperature:.2f}, fitted on val"
        figures.append(Figure("ECE with temperature", f"{facts.ece_after:.4f}", fitted))
        lines.append(Line(f"temperature {facts.temperature:.2f}", facts.curve_after))
    chart = _chart_of_shares("Reliability", "confidence", "share that is right", lines)
    return [Headline(figures), Charts([chart])]


def _thresholds(facts: BinaryFacts) -> list[Block]:
    figures = [
        Figure("AUROC", score(facts.auroc).told),
        Figure("average precision", score(facts.average_precision).told),
    ]
    if facts.threshold is not None and facts.f1 is not None:
        figures.append(Figure("threshold", score(facts.threshold).told, f"the best on val; F1 here {facts.f1:.3f}"))
    roc = [Line("chance", DIAGONAL, dashed=True), Line(facts.positive, facts.roc)]
    charts = [
        _chart_of_shares("ROC", "false positive rate", "true positive rate", roc),
        _chart_of_shares("Precision and recall", "recall", "precision", [Line(facts.positive, facts.precision_recall)]),
    ]
    return [Headline(figures), Charts(charts)]


def _chart_of_shares(title: str, x: str, y: str, lines: Sequence[Line]) -> LineChart:
    return LineChart(title, Axis(x, 0, 1), Axis(y, 0, 1), lines)


def training_charts(history: Sequence[Mapping[str, Any]], epoch: int | None, place: str) -> Charts:
    """Loss, mIoU, pixel accuracy and learning rate by epoch, from the rows of history.json."""
    marks = [] if epoch is None else [(float(epoch), f"epoch {epoch}, scored here")]
    x = Axis("epoch", whole=True)
    charts = []
    for key, title in panels(place):
        lines = [Line(split, points) for split in ("train", "val") if (points := curve(history, f"{split}/{key}"))]
        if lines:
            charts.append(LineChart(title, x, Axis(title), lines, marks))
    rates = curve(history, "lr")
    if rates:
        charts.append(LineChart("learning rate (head)", x, Axis("learning rate", log=True), [Line("lr", rates)]))
    return Charts(charts)


def curve(history: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    """(epoch, value) of the rows that have it; null in history.json is NaN."""
    return [
        (float(row["epoch"]), float("nan") if row[key] is None else float(row[key])) for row in history if key in row
    ]


def _worst_by_class(facts: EvaluationFacts) -> Iterator[Block]:
    iou = dict(zip(facts.classes.names, facts.by_class["IoU"], strict=True))
    for name, pictures in facts.worst_by_class.items():
        if pictures:
            yield Pictures(pictures, f"{name}, IoU {score(iou[name]).told}", folded=True)


def _environment(node: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as one."""
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _environment(value, f"{before}{name} ")
        else:
            yield f"{before}{name}", ABSENT if value is None else str(value)
