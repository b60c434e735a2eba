"""How much a loss counts: a number, or one that changes while training goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from segmentation.errors import UserError

EXPECTED = "a finite number >= 0, or {from: 1.0, to: 0.0, start: 0.0, end: 1.0}, start and end being shares of training"


@dataclass(frozen=True)
class Weight:
    """`first` until training has come to the share `start`, `last` from `end` on, on a straight line in between."""

    first: float
    last: float
    start: float = 0.0
    end: float = 1.0

    def at(self, progress: float) -> float:
        if progress >= self.end:
            return self.last
        done = max(0.0, (progress - self.start) / (self.end - self.start)) if progress > self.start else 0.0
        return self.first + done * (self.last - self.first)


def weights_from(given: Mapping[str, Any]) -> dict[str, Weight]:
    """Each a number >= 0, or a mapping of `from` and `to`, and where it is not 0 and 1 of `start` and `end`.

    Raises `UserError` that names all that are something else.
    """
    weights = {name: weight_from(value) for name, value in given.items()}
    faulty = [f"{name} = {given[name]}" for name, weight in weights.items() if weight is None]
    if faulty:
        raise UserError(f"weights of the loss: {', '.join(faulty)}; expected {EXPECTED}")
    return {name: weight for name, weight in weights.items() if weight is not None}


def weight_from(value: Any) -> Weight | None:
    """None where it is no weight."""
    if isinstance(value, Mapping):
        if not {"from", "to"} <= value.keys() <= {"from", "to", "start", "end"} or not all(
            map(_is_number, value.values())
        ):
            return None
        weight = Weight(value["from"], value["to"], value.get("start", 0.0), value.get("end", 1.0))
    elif _is_number(value):
        weight = Weight(value, value)
    else:
        return None
    holds = 0 <= weight.first < inf and 0 <= weight.last < inf and 0 <= weight.start <= weight.end <= 1
    return weight if holds else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
