from itertools import islice
from typing import Any

import numpy as np
import pytest

from segmentation.classes import Classes, default_colors
from segmentation.errors import UserError

ENTRIES: list[dict[str, Any]] = [
    {"name": "road", "color": [128, 64, 128]},
    {"name": "car", "color": [0, 0, 142]},
    {"name": "void", "color": [0, 0, 0]},
]


def test_entries_come_back_with_their_ids() -> None:
    classes = Classes.from_entries(ENTRIES, ignore_index=99)
    assert classes.names == ("road", "car", "void")
    assert classes.colors == ((128, 64, 128), (0, 0, 142), (0, 0, 0))
    assert len(classes) == 3
    assert classes.to_entries() == [{"id": index, **entry} for index, entry in enumerate(ENTRIES)]
    assert Classes.from_entries(classes.to_entries(), 99) == classes


def test_classes_without_a_colour_get_one_that_no_other_has() -> None:
    first, second = islice(default_colors(), 2)
    entries: list[Any] = [
        "night",
        {"name": "sea", "color": list(second)},
        {"name": "sky"},
        {"name": "sun", "color": None},
    ]
    classes = Classes.from_entries(entries)
    assert classes.names == ("night", "sea", "sky", "sun")
    assert classes.colors[:2] == (first, second)
    assert len(set(classes.colors)) == 4
    assert Classes.from_entries(entries) == classes


def test_default_colours_differ_clearly_for_few_classes_and_at_all_for_many() -> None:
    colors = list(islice(default_colors(), 255))
    assert len({*colors, (255, 255, 255)}) == 256
    assert colors[0] == (0, 0, 0)
    few = np.array([*colors[:20], (255, 255, 255)])
    distances = np.abs(few[:, None] - few[None]).max(axis=2)
    assert distances[~np.eye(len(few), dtype=bool)].min() >= 30


def test_default_colours_pass_over_those_taken() -> None:
    black, second, third = islice(default_colors(), 3)
    assert list(islice(default_colors({black, second}), 1)) == [third]


def test_classes_behind_one_left_out_move_up() -> None:
    less = Classes.from_entries(ENTRIES, ignore_index=7).without("car")
    assert less == Classes(("road", "void"), ((128, 64, 128), (0, 0, 0)), 7)


def test_leaving_out_an_unknown_class_names_it() -> None:
    with pytest.raises(UserError, match=r"no class sky .* road, car, void"):
        Classes.from_entries(ENTRIES).without("sky")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_paint_gives_each_class_its_colour_and_all_else_the_ignored_one(dtype: type[np.generic]) -> None:
    painted = Classes.from_entries(ENTRIES).paint(np.array([[0, 1, 2], [3, 255, 0]]).astype(dtype), (9, 8, 7))
    assert painted.dtype == np.uint8
    assert painted.tolist() == [
        [[128, 64, 128], [0, 0, 142], [0, 0, 0]],
        [[9, 8, 7], [9, 8, 7], [128, 64, 128]],
    ]


def test_paint_takes_negative_ids_for_ignored() -> None:
    painted = Classes.from_entries(ENTRIES, ignore_index=-1).paint(np.array([[-1, 0]]), (9, 8, 7))
    assert painted.tolist() == [[[9, 8, 7], [128, 64, 128]]]


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([], "empty"),
        ([*ENTRIES, {"name": "road", "color": [1, 1, 1]}], "road"),
        ([*ENTRIES, {"name": "night", "color": [0, 0, 0]}], r"\(0, 0, 0\)"),
        ([{"name": "red", "color": [256, 0, 0]}], "red"),
        ([{"name": "red", "color": [-1, 0, 0]}], "red"),
        ([{"name": "red", "color": [1, 0]}], "red"),
        ([{"name": "red", "color": [1, 0, 0, 255]}], "red"),
        ([{"name": "red", "color": ["deep", 0, 0]}], "red"),
        ([{"color": [255, 0, 0]}], "255, 0, 0"),
        ([{"name": ""}], "needs a name"),
        ([" "], "needs a name"),
        (["red", "red"], "red is used twice"),
        ([7], "7"),
    ],
)
def test_a_bad_class_list_is_told_in_one_line(entries: list[Any], named: str) -> None:
    with pytest.raises(UserError, match=rf"^.*{named}.*$"):
        Classes.from_entries(entries)


def test_names_and_colours_come_in_pairs() -> None:
    with pytest.raises(UserError, match="2 class names but 1 colours"):
        Classes(("a", "b"), ((0, 0, 0),))


@pytest.mark.parametrize("ignore_index", [0, 2])
def test_the_ignore_index_is_no_class(ignore_index: int) -> None:
    with pytest.raises(UserError, match=f"ignore index {ignore_index} is also class {ENTRIES[ignore_index]['name']}"):
        Classes.from_entries(ENTRIES, ignore_index)
    assert Classes.from_entries(ENTRIES, 3).ignore_index == 3
    with pytest.raises(UserError, match="300 classes are too many for masks of 8 bits, which have room for 255"):
        Classes.from_entries([f"class {number}" for number in range(300)])


@pytest.mark.parametrize("kind", [np.int16, np.int64])
def test_whatever_is_no_class_is_painted_as_ignored(kind: type) -> None:
    classes = Classes.from_entries([{"name": "road", "color": [1, 2, 3]}, {"name": "car", "color": [4, 5, 6]}])
    painted = classes.paint(np.array([[0, 1, 2, 300, -1, -2, -3]], kind), ignored=(7, 7, 7))
    assert painted.tolist() == [[[1, 2, 3], [4, 5, 6], *[[7, 7, 7]] * 5]]


def test_as_many_classes_as_a_byte_tells_apart_are_painted() -> None:
    classes = Classes.from_entries([f"class {number}" for number in range(256)], ignore_index=256)
    painted = classes.paint(np.array([[0, 255]], np.uint8))
    assert painted.tolist() == [[list(classes.colors[0]), list(classes.colors[255])]]
