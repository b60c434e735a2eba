from typing import Any

import pytest

from segmentation.data.remap import remapped
from segmentation.errors import UserError

IDS = {"wall": 0, "void": 255, "roof": 1}
NUMBERS = range(-10, 10)


def test_classes_are_named_or_counted_and_the_rest_is_ignored() -> None:
    given: dict[int, int | str] = {4: "wall", -1: "ignore", 0: 2, 9: "void"}
    assert remapped(given, IDS, 255, NUMBERS) == ((4, 0), (-1, 255), (0, 1), (9, 255))


@pytest.mark.parametrize("remap", [{0: 3}, {0: "wal"}, {-11: 0}, {10: 0}, {"x": 0}, {0: -1}, {0: None}, {1.5: 0}])
def test_what_is_no_class_or_no_number_is_told(remap: dict[Any, Any]) -> None:
    with pytest.raises(UserError, match=r"^dataset.remap has .*the classes are 0 to 2, wall, void, roof$"):
        remapped(remap, IDS, 255, NUMBERS)
