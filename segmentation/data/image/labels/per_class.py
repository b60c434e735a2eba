"""Masks of one file a class: a binary picture for each class that an image shows."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from segmentation.classes import Classes
from segmentation.data.image.labels.regions import PaintedLabels, Painting, Region

BACKGROUND = "background"


def paintings(
    found: Mapping[str, Path], folder: Path, names: Iterable[str], region: Callable[[str, Path], Region]
) -> tuple[dict[str, Painting], list[str]]:
    """By the stem of the image, of `<class>/<stem>.png` and `<stem>_<class>.png` below `folder`, with `region` making
    one of a class name and a file; and as faults the files that name no class.
    """
    longest_first = sorted(names, key=len, reverse=True)  # road_line before line
    files: dict[str, list[tuple[str, Path]]] = {}
    faults = []
    for key, path in found.items():
        name, stem = _class_and_stem(key, longest_first)
        if name and stem:
            files.setdefault(stem, []).append((name, path))
        else:
            faults.append(
                f"{path} names no class: expected {folder}/CLASS/{path.name} or {folder}/IMAGE_CLASS{path.suffix}"
            )
    return {stem: painting(region, several) for stem, several in files.items()}, faults


def painting(region: Callable[[str, Path], Region], files: Iterable[tuple[str, Path]], *told_by: Path) -> Painting:
    """Of class names and files, and whatever other file says which class they are."""
    several = list(files)
    return Painting(tuple(region(name, path) for name, path in several), (*(path for _, path in several), *told_by))


def _class_and_stem(key: str, names: Iterable[str]) -> tuple[str, str]:
    """Of `road/0001` and `0001_road`; nothing of what names no class."""
    first, _, rest = key.partition("/")
    for name in names:
        if rest and first.lower() == name.lower():
            return name, rest
        if key.lower().endswith(f"_{name.lower()}"):
            return name, key[: -len(name) - 1]
    return "", ""


def per_class_labels(classes: Classes, masks: Iterable[Painting], reading: str) -> PaintedLabels:
    """What no file covers is the class `background`; without one, class 0 if it has no files of its own; else nothing
    is known there.
    """
    if BACKGROUND in classes.names:
        return PaintedLabels(classes, classes.names.index(BACKGROUND), reading)
    used = {region.class_id for mask in masks for region in mask.regions}
    return PaintedLabels(classes, classes.ignore_index if 0 in used else 0, reading)
