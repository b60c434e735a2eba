import pytest

from segmentation.reports.blocks import ABSENT
from segmentation.reports.pareto import WayFacts, efficient, efficient_in, pareto_page, ways_table
from tests.reports.parsed import Parsed

NAN = float("nan")


def way(name: str, miou: float, ms: float, mb: float, series: str = "eager") -> WayFacts:
    return WayFacts({"size": name, "backend": series}, series, miou, ms, mb)


def test_efficient_is_what_nothing_beats() -> None:
    """By hand: (0.6, 20) beats (0.6, 30) and (0.55, 25); (0.5, 10) beats (0.4, 10)."""
    scores, costs = [0.5, 0.6, 0.6, 0.55, 0.4, 0.7], [10, 20, 30, 25, 10, 90]
    assert efficient(scores, costs) == [True, True, False, False, False, True]
    assert efficient([0.5, 0.5], [3, 3]) == [True, True], "equal ones do not beat each other"
    assert efficient([0.50001, 0.50004], [3, 4]) == [True, False], "told as the same"
    assert efficient([NAN, 0.1, 0.2], [1, NAN, 5]) == [False, False, True]


def test_time_and_memory_are_judged_apart() -> None:
    found = [way("a", 0.5, 10, 200), way("b", 0.5, 20, 100), way("c", 0.4, 30, 300), way("d", 0.6, 40, 400)]
    assert efficient_in(found) == [("time",), ("memory",), (), ("time", "memory")]


def test_the_table_has_the_fastest_first() -> None:
    header, rows = ways_table([way("slow", 0.51234, 20, 100), way("fast", NAN, 10.04, 50)])
    assert header == ["size", "backend", "mIoU", "ms", "MB", "efficient in"]
    told = [[cell if isinstance(cell, str) else cell.told for cell in row] for row in rows]
    assert told == [
        ["fast", "eager", ABSENT, "10.0", "50", ""],
        ["slow", "eager", "0.5123", "20.0", "100", "time, memory"],
    ]


def test_the_page_draws_every_way_and_joins_the_efficient_ones() -> None:
    found = [way("a", 0.5, 10, 100), way("b", 0.4, 20, 200, "onnx"), way("c", 0.6, 40, 300, "onnx")]
    html = pareto_page("Ways", {"device": "a CPU"}, found)
    parsed = Parsed(html)
    assert len(parsed.of("circle")) == 2 * 3
    paths = [path["d"] for path in parsed.of("path") if path.get("class") == "line"]
    drawn = [path for path in paths if path]
    assert len(drawn) == 2, "one front a chart; single points are not joined"
    assert all(path is not None and path.count("L") == 1 for path in drawn), "a and c"
    assert "c, onnx: 0.6 at ms for an image 40" in html
    assert "a CPU" in parsed.texts


@pytest.mark.parametrize("scores", [[0.5], [NAN, NAN]])
def test_a_page_of_little(scores: list[float]) -> None:
    Parsed(pareto_page("Ways", {}, [way("a", score, 1, 0) for score in scores]))
