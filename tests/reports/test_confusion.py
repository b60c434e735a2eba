import numpy as np
import pytest

from segmentation.reports.blocks import Number
from segmentation.reports.confusion import Confusion, ranked_confusions, short

NAMES = ("sidewalk", "road", "car")
COLORS = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
COUNTS = np.array([[959, 41, 0], [2000, 8000, 0], [0, 0, 0]])


def test_cells_tell_shares_of_the_truth_counts_and_words() -> None:
    rows = list(Confusion(COUNTS, NAMES, COLORS).rows())
    assert [(name, color) for name, color, _ in rows] == list(zip(NAMES, COLORS, strict=True))
    right, wrong, none = rows[0][2]
    assert (right.percent, right.number, right.is_hit) == ("96", "959", True)
    assert (wrong.percent, wrong.number, wrong.is_hit) == ("4", "41", False)
    assert wrong.words == "41 pixels of sidewalk were read as road: 4.1 % of sidewalk"
    assert right.words == "959 pixels of sidewalk were read right: 95.9 % of sidewalk"
    assert (none.percent, none.number, none.tint) == ("", "", 0)


def test_an_absent_class_has_dashes() -> None:
    *_, (name, _, cells) = Confusion(COUNTS, NAMES, COLORS).rows()
    assert name == "car"
    assert {cell.percent for cell in cells} == {"\N{EN DASH}"}


def test_of_many_classes_the_smallest_become_one() -> None:
    size = 50
    counts = np.arange(size * size).reshape(size, size)  # the truth of a class grows with its number
    whole = Confusion(counts, [str(number) for number in range(size)], [(0, 0, 0)] * size)
    shown = whole.shown
    assert [*shown.names] == [*(str(number) for number in range(11, 50)), "the other 11"]
    assert shown.counts.shape == (40, 40)
    np.testing.assert_array_equal(shown.counts[:-1, :-1], counts[11:, 11:])
    np.testing.assert_array_equal(shown.counts[:-1, -1], counts[11:, :11].sum(axis=1))
    assert shown.counts[-1, -1] == counts[:11, :11].sum()
    assert shown.shown is shown


def test_confusions_are_ranked_by_the_share_of_their_class() -> None:
    counts = COUNTS.copy()
    counts[2] = 30, 0, 70
    table = ranked_confusions(counts, NAMES, most=2)
    assert [row[0] for row in table.rows] == [
        "car read as sidewalk: 30.0 % of car",
        "road read as sidewalk: 20.0 % of road",
    ]
    assert table.rows[1][1:] == [
        Number(0.2, "20.0 %"),
        Number(2000, "2,000"),
        Number(2000 / 2071, "96.6 %"),
    ]


def test_what_is_not_confused_is_not_ranked() -> None:
    assert ranked_confusions(np.diag([5, 0, 7]), NAMES, most=9).rows == []
    assert len(ranked_confusions(COUNTS, NAMES, most=9).rows) == 2


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, ""),
        (7, "7"),
        (999, "999"),
        (1000, "1k"),
        (3449, "3.4k"),
        (99_400, "99k"),
        (999_400, "999k"),
        (999_600, "1M"),
        (999_999_999, "1G"),
        (123_456, "123k"),
        (12 * 10**8, "1.2G"),
    ],
)
def test_counts_are_told_shortly(count: int, told: str) -> None:
    assert short(count) == told
