"""Post-processing as options say it, with classes by their names."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from segmentation.classes import Classes
from segmentation.errors import gathered, near, unknown_key
from segmentation.inference.crf import DenseCRF
from segmentation.inference.postprocessing import PostProcessing


class Rule(NamedTuple):
    """What a number may be, in words and as a test."""

    words: str
    holds: Callable[[float], bool]


PROBABILITY = Rule("a probability from 0 to 1", lambda value: 0 <= value <= 1)
WHOLE = Rule("a whole number of 0 or more", lambda value: value >= 0 and value % 1 == 0)
AREA = Rule("pixels, 0 or more", lambda value: value >= 0)
WEIGHT = Rule("a number of 0 or more", lambda value: 0 <= value < float("inf"))
SIGMA = Rule("a number of 1 or more", lambda value: 1 <= value < float("inf"))
BY_CLASS = {
    "thresholds": PROBABILITY,
    "opening": WHOLE,
    "closing": WHOLE,
    "fill_holes": AREA,
    "min_area": WHOLE,
    "confidence": PROBABILITY,
}
CRF = {
    "iterations": WHOLE,
    "smoothness_weight": WEIGHT,
    "smoothness_sigma": SIGMA,
    "appearance_weight": WEIGHT,
    "appearance_sigma": SIGMA,
    "color_sigma": SIGMA,
}
KNOWN = {*BY_CLASS, "largest", "otherwise", "crf"}


def post_processing(options: Mapping[str, Any], classes: Classes) -> PostProcessing:
    """The `PostProcessing` of plain options, any of which may be missing.

    An option of each class is a number that holds for all, or `{class: number}`, the classes not named being left as
    they are. `largest` is a list of classes, `otherwise` a class or None (ignored), and `crf` the fields of `DenseCRF`,
    no iterations meaning none. Raises `UserError` with everything that is wrong.
    """
    faults = list(_faults(options, classes))
    if faults:
        raise gathered("the post-processing cannot be done:", faults)
    ids = {name: index for index, name in enumerate(classes.names)}
    otherwise, crf = options.get("otherwise"), options.get("crf") or {}
    by_class: dict[str, Any] = {name: _by_class(options.get(name), classes) for name in BY_CLASS}
    return PostProcessing(
        ignore_index=classes.ignore_index,
        otherwise=classes.ignore_index if otherwise is None else ids[otherwise],
        crf=DenseCRF(**crf) if crf.get("iterations") else None,
        largest=tuple(sorted({ids[name] for name in options.get("largest") or ()})),
        **by_class,
    )


def _by_class(value: Any, classes: Classes) -> tuple[float, ...]:
    """Nothing where nothing is asked, for what is empty is not done."""
    values = [value.get(name, 0) for name in classes.names] if isinstance(value, Mapping) else [value] * len(classes)
    return tuple(values) if any(values) else ()


def _faults(options: Mapping[str, Any], classes: Classes) -> Iterator[str]:
    yield from (unknown_key(key, KNOWN) for key in options if key not in KNOWN)
    for name, rule in BY_CLASS.items():
        value = options.get(name)
        if isinstance(value, Mapping):
            yield from _unknown(name, value, classes)
            for key, number in value.items():
                yield from _wrong(f"{name}.{key}", number, rule)
        elif value is not None:
            yield from _wrong(name, value, rule)
    largest, crf = options.get("largest") or (), options.get("crf") or {}
    if isinstance(largest, list | tuple):
        yield from _unknown("largest", largest, classes)
    else:
        yield f"largest={largest}: expected a list of classes, such as largest=[{classes.names[-1]}]"
    if options.get("otherwise") is not None:
        yield from _unknown("otherwise", [options["otherwise"]], classes)
    if not isinstance(crf, Mapping):
        yield f"crf={crf}: expected its options, such as crf.iterations=5"
        return
    for key, number in crf.items():
        yield from _wrong(f"crf.{key}", number, CRF[key]) if key in CRF else [unknown_key(f"crf.{key}", CRF)]


def _unknown(option: str, named: Iterable[str], classes: Classes) -> Iterator[str]:
    known = f"known are {', '.join(classes.names)}"
    yield from (
        f"{option}: there is no class {name}; {near(name, classes.names, known)}"
        for name in named
        if name not in classes.names
    )


def _wrong(option: str, value: Any, rule: Rule) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not rule.holds(value):
        yield f"{option}={value}: expected {rule.words}"
