import math
from dataclasses import replace

import pytest

from segmentation.reports.blocks import ABSENT
from segmentation.reports.charts import Axis, Charts, Coordinate, Line, LineChart, ParallelCoordinates
from segmentation.reports.page import Section, page
from segmentation.reports.scales import Scale, scale_of
from tests.reports.parsed import Parsed

NAN = float("nan")


def chart(*lines: Line, **options: bool) -> LineChart:
    return LineChart("A chart", Axis("epoch", whole=True), Axis("loss", **options), lines)


def test_a_scale_goes_from_0_to_1() -> None:
    linear, log = Scale(2, 4), Scale(1e-4, 1e-2, log=True)
    assert [linear.place(value) for value in (2, 3, 4)] == [0, 0.5, 1]
    assert [log.place(value) for value in (1e-4, 1e-3, 1e-2)] == pytest.approx([0, 0.5, 1])


def test_ticks_are_round_and_within() -> None:
    assert Scale(0, 1).ticks() == [
        (pytest.approx(place), text)
        for place, text in zip((0, 0.2, 0.4, 0.6, 0.8, 1), ("0", "0.2", "0.4", "0.6", "0.8", "1"), strict=True)
    ]
    assert [text for _, text in Scale(1e-4, 1, log=True).ticks()] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert [text for _, text in Scale(1e-4, 1e-3, log=True).ticks()] == ["0.0001", "0.0002", "0.0005", "0.001"]
    assert [text for _, text in Scale(1, 3, whole=True).ticks()] == ["1", "2", "3"]


def test_a_scale_fits_its_numbers() -> None:
    assert scale_of([3, NAN, 5, math.inf]) == Scale(3, 5)
    assert scale_of([3, 5], low=0) == Scale(0, 5)
    assert scale_of([1e-4, 1e-1]) == Scale(1e-4, 1e-1, log=True)
    assert scale_of([0, 1e-1], log=True) == Scale(0.05, 0.2, log=True)
    for few in ([], [2.0], [0.0], [-1.0]):
        scale = scale_of(few)
        assert scale.low < scale.high
        assert all(0 <= scale.place(value) <= 1 for value in few)


def test_lines_go_through_their_points_and_stop_where_a_value_is_missing() -> None:
    (line,) = chart(Line("val", [(1, 0.0), (2, 1.0), (3, NAN), (4, 0.5), (5, 0.5)])).drawn()
    assert line.path == "M70.0,254.0L179.5,24.0M398.5,139.0L508.0,139.0"
    assert [(x, y) for x, y, _ in line.dots] == [(70, 254), (179.5, 24), (398.5, 139), (508, 139)]
    assert line.dots[1][2] == "val: 1 at epoch 2"


def test_points_that_are_not_joined_have_names_of_their_own() -> None:
    (line,) = chart(Line("val", [(1, 0.0), (2, 1.0)], joined=False, names=["first", "second"])).drawn()
    assert line.path == ""
    assert [words for _, _, words in line.dots] == ["first: 0 at epoch 1", "second: 1 at epoch 2"]


def test_what_a_logarithm_does_not_have_is_left_out() -> None:
    (line,) = chart(Line("lr", [(1, 0.0), (2, 0.01), (3, 0.1)]), log=True).drawn()
    assert line.path == "M289.0,254.0L508.0,24.0"


def test_lines_have_their_own_style_and_muted_ones_lie_below() -> None:
    lines = [Line(str(number), [(0, 0), (1, number)]) for number in range(9)]
    drawn = list(chart(*lines, Line("other", [(0, 0)], muted=True), Line("ideal", [(0, 0)], dashed=True)).drawn())
    assert drawn[0].style == "muted"
    assert len({line.style for line in drawn}) == len(drawn)
    assert drawn[-1].style == "reference"


def test_marks_stand_at_their_place_unless_it_is_off_the_axis() -> None:
    marked = LineChart("", Axis("x"), Axis("y"), [Line("a", [(0, 0), (10, 1)])], [(5, "here"), (11, "beyond")])
    assert marked.drawn_marks() == [(289, "here")]


def test_the_numbers_are_there_as_words_and_as_a_table() -> None:
    drawn = chart(Line("train", [(1, 2.0), (2, 1.0)]), Line("val", [(2, 1.5)]), Line("none", []))
    assert drawn.description == (
        "loss over epoch: train from 2 to 1, between 1 and 2; val from 1.5 to 1.5, between 1.5 and 1.5; "
        "none has no values."
    )
    assert drawn.numbers.header == ["epoch", "train", "val", "none"]
    assert drawn.numbers.rows == [["1", "2", ABSENT, ABSENT], ["2", "1", "1.5", ABSENT]]


def test_a_chart_on_a_page_is_a_named_picture() -> None:
    found = Parsed(page("", [Section("", [Charts([chart(Line("<val>", [(1, 2.0), (2, NAN)])), chart()])])]))
    names = [picture["aria-label"] or "" for picture in found.of("svg")]
    assert [name.startswith("A chart. loss over epoch") for name in names] == [True, True]
    assert "<val>: 2 at epoch 1" in found.texts


def parallel() -> ParallelCoordinates:
    return ParallelCoordinates(
        "Options",
        ["a", "b", "c"],
        [
            Coordinate("optimizer.lr", [1e-4, 1e-3, 1e-2]),
            Coordinate("loss", ["dice", "dice", "focal"]),
            Coordinate("mIoU", [0.4, None, 0.6]),
        ],
    )


def test_axes_of_numbers_spread_them_and_axes_of_words_list_them() -> None:
    rate, loss, score = parallel().drawn_axes()
    assert (rate.group, rate.name, [text for _, text in rate.ticks][::3]) == (
        "optimizer",
        "lr",
        ["0.0001", "0.001", "0.01"],
    )
    assert [text for _, text in loss.ticks] == ["dice", "focal"]
    assert score.ticks[-1][1] == ABSENT
    assert rate.x < loss.x < score.x < parallel().frame.width


def test_courses_cross_the_axes_at_their_values_the_best_above() -> None:
    drawn = list(parallel().drawn())
    assert [(line.rank, line.words) for line in drawn] == [
        (None, f"b: optimizer.lr 0.001, loss dice, mIoU {ABSENT}"),
        (50, "a: optimizer.lr 0.0001, loss dice, mIoU 0.4"),
        (100, "c: optimizer.lr 0.01, loss focal, mIoU 0.6"),
    ]
    assert drawn[1].path == "M75,322.0L225,322.0L375,322.0"
    assert drawn[2].path == "M75,62.0L225,62.0L375,62.0"
    assert drawn[0].path == "M75,192.0L225,322.0L375,346"


def test_where_less_is_better_the_lowest_ranks_first_and_lies_above() -> None:
    drawn = list(replace(parallel(), lower_is_better=True).drawn())
    assert [(line.rank, line.words[0]) for line in drawn] == [(None, "b"), (50, "c"), (100, "a")]


def test_what_is_not_finite_is_a_word_and_long_words_are_cut() -> None:
    axes = [Coordinate("x", [1.0, math.inf]), Coordinate("y", ["a" * 30, "b"]), Coordinate("z", [1, 2])]
    chart = ParallelCoordinates("", ["a", "b"], axes)
    first, second, _ = chart.drawn_axes()
    assert [text for _, text in first.ticks] == ["1", "inf"]
    assert [text for _, text in second.ticks] == ["a" * 19 + "\N{HORIZONTAL ELLIPSIS}", "b"]
    assert all("inf" not in line.path for line in chart.drawn())
    assert "y " + "a" * 30 in next(iter(chart.drawn())).words


def test_an_axis_of_numbers_and_words_lists_both() -> None:
    mixed = ParallelCoordinates("", ["a", "b"], [Coordinate("x", [1, "auto"]), Coordinate("y", [2, 2])])
    first, second = mixed.drawn_axes()
    assert [text for _, text in first.ticks] == ["1", "auto"]
    assert [text for _, text in second.ticks] == ["2"]
    Parsed(page("", [Section("", [mixed])]))
