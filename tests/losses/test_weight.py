from typing import Any

import pytest

from segmentation.errors import UserError
from segmentation.losses.weight import Weight, weights_from


@pytest.mark.parametrize(
    ("weight", "values"),
    [
        (Weight(2.0, 2.0), [2, 2, 2, 2, 2]),
        (Weight(1.0, 0.0), [1, 0.75, 0.5, 0.25, 0]),
        (Weight(1.0, 3.0, 0.25, 0.75), [1, 1, 2, 3, 3]),
        (Weight(1.0, 0.0, 0.5, 0.5), [1, 1, 0, 0, 0]),
        (Weight(1.0, 0.0, 0.0, 0.0), [0, 0, 0, 0, 0]),
    ],
)
def test_by_hand(weight: Weight, values: list[float]) -> None:
    assert [weight.at(progress) for progress in (0.0, 0.25, 0.5, 0.75, 1.0)] == values


def test_numbers_and_mappings_are_read() -> None:
    given = {"a": 2, "b": {"from": 1.0, "to": 0}, "c": {"from": 0.0, "to": 1.0, "start": 0.5, "end": 0.8}}
    assert weights_from(given) == {"a": Weight(2, 2), "b": Weight(1.0, 0), "c": Weight(0.0, 1.0, 0.5, 0.8)}


@pytest.mark.parametrize(
    "value",
    [
        -1.0,
        float("inf"),
        float("nan"),
        "1",
        None,
        True,
        {},
        {"from": 1.0},
        {"from": 1.0, "to": -1.0},
        {"from": 1.0, "to": 0.0, "stop": 0.5},
        {"from": 1.0, "to": 0.0, "start": 0.6, "end": 0.5},
        {"from": 1.0, "to": 0.0, "end": 2.0},
        {"from": 1.0, "to": "0"},
    ],
)
def test_what_is_no_weight_is_told(value: Any) -> None:
    with pytest.raises(UserError, match=r"^weights of the loss: dice = .*from: 1.0, to: 0.0.*$"):
        weights_from({"ce": 1.0, "dice": value})
