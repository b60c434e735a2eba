"""What can be said of a value by itself, whichever option has it."""

import re
from collections.abc import Callable
from math import isfinite
from typing import Any


def whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def number(low: float, high: float = float("inf"), open_low: bool = False) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and isfinite(value) and (low < value if open_low else low <= value) and value <= high

    return holds


def one_of(*choices: str | None) -> Callable[[Any], bool]:
    return lambda value: value in choices


def optional(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or holds(value)


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def are_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def are_starts(value: Any) -> bool:
    """Where parts of a model start from."""
    return (
        isinstance(value, dict) and value != {} and all(is_text(name) and is_text(path) for name, path in value.items())
    )


def are_several_folders(value: Any) -> bool:
    """Those of a sweep are numbers."""
    return isinstance(value, list) and len(value) > 1 and all(is_text(one) or whole(0)(one) for one in value)


def some_of(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A list of at least one."""
    return lambda value: isinstance(value, list) and bool(value) and all(map(holds, value))


def are(*choices: str | int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(one in choices for one in value)


def are_factors(value: Any) -> bool:
    return isinstance(value, list) and all(map(number(0, open_low=True), value))


def is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(whole(1)(side) for side in value)


def is_device(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"auto|cpu|cuda|cuda:\d+", value) is not None


def is_duration(value: Any) -> bool:
    return number(0, 1)(value) or whole(0)(value)


def are_durations(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_duration, value))


def is_below_1(value: Any) -> bool:
    return number(0)(value) and bool(value < 1)


def are_betas(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (2, 3) and all(map(is_below_1, value))


def is_range(value: Any) -> bool:
    return are_many(value, 2, number(0, open_low=True)) and bool(value[0] <= value[1])


def is_split_file(value: Any) -> bool:
    return is_text(value) and value.lower().endswith((".json", ".csv"))


def are_many(value: Any, count: int, holds: Callable[[Any], bool]) -> bool:
    """A list of `count` such values; a `count` of 0 is not known."""
    return isinstance(value, list) and len(value) == (count or len(value)) and all(map(holds, value))


def are_weights(value: Any, count: int) -> bool:
    return are_many(value, count, number(0)) and any(value)


def _is_group(value: Any) -> bool:
    if not isinstance(value, dict) or not is_text(value.get("pattern")) or {"lr", "lr_multiplier"} <= value.keys():
        return False
    rules = {"lr": number(0, open_low=True), "lr_multiplier": number(0, open_low=True), "weight_decay": number(0)}
    return all(key in rules and rules[key](given) for key, given in value.items() if key != "pattern")


def are_groups(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_group, value))


def are_batch_sizes(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(is_size(size) and not any(n % 32 for n in size) for size in value)
    )
