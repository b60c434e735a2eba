"""Charts as inline SVG: lines over an axis, and parallel coordinates. Here are the places, the templates draw them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

from segmentation.reports.blocks import ABSENT, Table, cut, is_number
from segmentation.reports.scales import Scale, scale_of

MOST_DOTS = 60  # points of a line that get a dot each
MOST_ROWS = 60  # of the table of a chart's numbers
MOST_TOLD = 8  # lines that a description goes through
AXIS_GAP = 150  # between parallel axes
LONGEST_TICK = 20  # letters that have room between them
ABSENT_BELOW = 24  # how far below its axis a line passes that has no value there


class Frame(NamedTuple):
    """Where the axes of a chart are, in the SVG's own units, and its size."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def across(self, place: float) -> float:
        """From a place on the x axis, 0 to 1."""
        return round(self.left + place * (self.right - self.left), 1)

    def down(self, place: float) -> float:
        """From a place on the y axis, 0 at the bottom to 1 at the top."""
        return round(self.bottom - place * (self.bottom - self.top), 1)


@dataclass(frozen=True)
class Axis:
    """Ends that are None follow the data; `whole`: ticks at whole numbers only."""

    label: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False


class Line(NamedTuple):
    """Points (x, y) in the order in which they are joined; one that is not finite interrupts it.

    A `muted` line is grey, for comparison; a `dashed` one as well, and a reference more than a result. Of points that
    are not `joined` only the dots are drawn; `names` are those of the points, where the line's name does not do.
    """

    name: str
    points: Sequence[tuple[float, float]]
    muted: bool = False
    dashed: bool = False
    joined: bool = True
    names: Sequence[str] = ()


class DrawnLine(NamedTuple):
    """`style` is a word or two for the style sheet, `dots` are (x, y, what a reader is told)."""

    name: str
    style: str
    path: str
    dots: list[tuple[float, float, str]]


@dataclass(frozen=True)
class LineChart:
    """`marks` are places on the x axis that something is to be said of."""

    frame: ClassVar[Frame] = Frame(width=520, height=300, left=70, right=508, top=24, bottom=254)
    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    marks: Sequence[tuple[float, str]] = ()

    @cached_property
    def scales(self) -> tuple[Scale, Scale]:
        """Of x and y."""
        points = [point for line in self.lines for point in line.points if all(map(is_number, point))]
        values = [[x for x, _ in points], [y for _, y in points]]
        x, y = (
            scale_of(given, axis.low, axis.high, axis.log, axis.whole)
            for axis, given in zip((self.x, self.y), values, strict=True)
        )
        return x, y

    def x_ticks(self) -> list[tuple[float, str]]:
        return [(self.frame.across(place), text) for place, text in self.scales[0].ticks()]

    def y_ticks(self) -> list[tuple[float, str]]:
        return [(self.frame.down(place), text) for place, text in self.scales[1].ticks()]

    def drawn_marks(self) -> list[tuple[float, str]]:
        places = [(self.scales[0].place(x), text) for x, text in self.marks]
        return [(self.frame.across(place), text) for place, text in places if 0 <= place <= 1]

    def drawn(self) -> Iterator[DrawnLine]:
        """The muted ones first, so that they lie below."""
        series = {line.name: place for place, line in enumerate(line for line in self.lines if not _is_grey(line))}
        for line in sorted(self.lines, key=lambda line: not line.muted):
            yield DrawnLine(line.name, _style(line, series), self._path(line), self._dots(line))

    def _path(self, line: Line) -> str:
        steps, joined = [], False
        for x, y in line.points if line.joined else ():
            if self._can_be_drawn(x, y):
                steps.append(f"{'L' if joined else 'M'}{self._place(x, y)[0]},{self._place(x, y)[1]}")
            joined = self._can_be_drawn(x, y)
        return "".join(steps)

    def _dots(self, line: Line) -> list[tuple[float, float, str]]:
        if _is_grey(line) or (line.joined and len(line.points) > MOST_DOTS):
            return []
        names = line.names or [line.name] * len(line.points)
        return [
            (*self._place(x, y), f"{name}: {y:.4g} at {self.x.label} {x:.6g}")
            for name, (x, y) in zip(names, line.points, strict=True)
            if self._can_be_drawn(x, y)
        ]

    def _place(self, x: float, y: float) -> tuple[float, float]:
        return self.frame.across(self.scales[0].place(x)), self.frame.down(self.scales[1].place(y))

    def _can_be_drawn(self, x: float, y: float) -> bool:
        return is_number(x) and is_number(y) and (x > 0 or not self.scales[0].log) and (y > 0 or not self.scales[1].log)

    @cached_property
    def description(self) -> str:
        """For those who do not see it."""
        told = [self._described(line) for line in self.lines[:MOST_TOLD]]
        if len(self.lines) > MOST_TOLD:
            told.append(f"and {len(self.lines) - MOST_TOLD} more lines")
        return f"{self.y.label} over {self.x.label}: {'; '.join(told)}."

    def _described(self, line: Line) -> str:
        values = [y for _, y in line.points if is_number(y)]
        if not values:
            return f"{line.name} has no values"
        return f"{line.name} from {values[0]:.3g} to {values[-1]:.3g}, between {min(values):.3g} and {max(values):.3g}"

    @cached_property
    def numbers(self) -> Table:
        """The same as a table; of many points, some that are evenly spread."""
        columns = [dict(line.points) for line in self.lines]
        places = sorted({x for column in columns for x in column if is_number(x)})
        step = -(-len(places) // MOST_ROWS) or 1
        rows = [
            [f"{x:.6g}", *(f"{column[x]:.4g}" if is_number(column.get(x)) else ABSENT for column in columns)]
            for x in places[::step]
        ]
        return Table([self.x.label, *(line.name for line in self.lines)], rows, self.title)


@dataclass(frozen=True)
class Charts:
    """Side by side where there is room."""

    kind: ClassVar[str] = "charts"
    charts: Sequence[LineChart]


def _is_grey(line: Line) -> bool:
    return line.muted or line.dashed


def _style(line: Line, series: dict[str, int]) -> str:
    """Eight colours, then the same with other dashes."""
    if line.muted:
        return "muted"
    if line.dashed:
        return "reference"
    place = series[line.name]
    return f"series-{place % 8} dash-{place // 8 % 3}"


class Coordinate(NamedTuple):
    """An axis and where each line crosses it: numbers, or text where one of them is text; None: it has no value."""

    name: str
    values: Sequence[float | str | None]


class DrawnAxis(NamedTuple):
    x: float
    group: str
    name: str
    ticks: list[tuple[float, str]]


class DrawnCourse(NamedTuple):
    """`rank` is that of its end on the last axis, up to 100 for the best, None without a value there."""

    path: str
    rank: float | None
    words: str


@dataclass(frozen=True)
class ParallelCoordinates:
    """A line for each of `names` across all axes, coloured by its rank on the last: by the value itself, one line far
    off would leave no difference between the others.
    """

    kind: ClassVar[str] = "parallel"
    title: str
    names: Sequence[str]
    axes: Sequence[Coordinate]
    lower_is_better: bool = False

    @cached_property
    def frame(self) -> Frame:
        width = AXIS_GAP * len(self.axes)
        return Frame(width, 360, AXIS_GAP // 2, width - AXIS_GAP // 2, 62, 322)

    @cached_property
    def _placed(self) -> list[tuple[list[float | None], list[tuple[float, str]]]]:
        """Of each axis, where the lines cross it and its ticks, from 0 at the bottom to 1 at the top."""
        return [_places(axis.values) for axis in self.axes]

    def drawn_axes(self) -> Iterator[DrawnAxis]:
        for number, (axis, (places, ticks)) in enumerate(zip(self.axes, self._placed, strict=True)):
            group, _, name = axis.name.rpartition(".")
            absent = [(self._down(None) + 4, ABSENT)] if None in places else []
            yield DrawnAxis(
                self._across(number), group, name, [*((self._down(place) + 4, text) for place, text in ticks), *absent]
            )

    def drawn(self) -> Iterator[DrawnCourse]:
        """The best last, so that they lie above."""
        best_up = (lambda place: 1 - place) if self.lower_is_better else (lambda place: place)
        ends = [-1 if place is None else max(0.0, best_up(place)) for place in self._placed[-1][0]]
        steps = sorted({end for end in ends if end >= 0})
        for line in sorted(range(len(self.names)), key=ends.__getitem__):
            points = [
                (self._across(number), self._down(places[line])) for number, (places, _) in enumerate(self._placed)
            ]
            path = "M" + "L".join(f"{x},{y}" for x, y in points)
            crossings = ", ".join(f"{axis.name} {_told(axis.values[line])}" for axis in self.axes)
            rank = None if ends[line] < 0 else round(100 * (steps.index(ends[line]) + 1) / len(steps))
            yield DrawnCourse(path, rank, f"{self.names[line]}: {crossings}")

    def _across(self, number: int) -> float:
        return self.frame.left + AXIS_GAP * number

    def _down(self, place: float | None) -> float:
        return self.frame.bottom + ABSENT_BELOW if place is None else self.frame.down(place)


def _places(values: Sequence[float | str | None]) -> tuple[list[float | None], list[tuple[float, str]]]:
    given = [value for value in values if value is not None]
    numbers = [value for value in given if not isinstance(value, str) and is_number(value)]
    if len(numbers) == len(given) and len(set(numbers)) > 1:
        scale = scale_of(numbers, whole=all(float(number).is_integer() for number in numbers))
        return [None if value is None else scale.place(float(value)) for value in values], scale.ticks()
    names = sorted({_told(value) for value in given})
    places = {name: 0.5 if len(names) == 1 else place / (len(names) - 1) for place, name in enumerate(names)}
    ticks = [(place, cut(name, LONGEST_TICK)) for name, place in places.items()]
    return [None if value is None else places[_told(value)] for value in values], ticks


def _told(value: float | str | None) -> str:
    if value is None:
        return ABSENT
    return value if isinstance(value, str) else f"{value:.4g}"
