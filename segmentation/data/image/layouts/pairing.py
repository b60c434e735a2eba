"""Finding pictures in folders, and the mask that belongs to each."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from segmentation.data.faults import refuse
from segmentation.data.image.files import SUFFIXES
from segmentation.data.image.source import ImageSample, measured
from segmentation.errors import UserError

STEM = "{stem}"
PART_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
AnyMask = TypeVar("AnyMask")
Found = tuple[dict[str, Path], list[str]]


def data_folder(root: str) -> Path:
    """Raises `UserError` for a root that is missing, no folder, unreadable or empty."""
    folder = Path(root)
    try:
        if not any(folder.iterdir()):
            raise UserError(f"dataset.root={root} is empty: set dataset.root to the folder of the data")
    except OSError as error:
        raise UserError(
            f"dataset.root={root} cannot be read ({error.strerror}): set dataset.root to the folder of the data"
        ) from error
    return folder


def folders(parent: Path) -> list[Path]:
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def find_folder(parent: Path, *names: str) -> Path | None:
    """The folder in `parent` of the first of these names that is there, in any case."""
    if not parent.is_dir():
        return None
    there = {entry.name.lower(): entry for entry in reversed(folders(parent))}
    return next((there[name.lower()] for name in names if name.lower() in there), None)


def pictures(folder: Path, below: bool = False) -> Found:
    """Picture files by stem, and the faults: two of one stem. With those in sub-folders (`below`), the key is
    `sub/stem`. What is hidden or no picture is passed over.
    """
    found: dict[str, Path] = {}
    faults = []
    for path in sorted(_files(folder, below)):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        key = stem_below(path, folder)
        if key in found:
            faults.append(f"{path.parent} holds {found[key].name} and {path.name}: two pictures of one name")
        found[key] = path
    return found, faults


def _files(folder: Path, below: bool) -> Iterable[Path]:
    for parent, inner, names in os.walk(folder, followlinks=True):
        inner[:] = [name for name in inner if below and not name.startswith(".")]
        yield from (Path(parent, name) for name in names)


def stem_below(path: Path, folder: Path) -> str:
    """`sub/0001` of `folder/sub/0001.png`."""
    return path.relative_to(folder).with_suffix("").as_posix()


def fitting(found: Mapping[str, Path], pattern: str | None) -> dict[str, Path]:
    """The pictures whose names fit `pattern`, by what stands for `{stem}` in it: `0001` of `0001_mask` where it is
    `{stem}_mask`, or `_mask` for short. None fits all.
    """
    if not pattern:
        return dict(found)
    before, _, after = (pattern if STEM in pattern else STEM + pattern).partition(STEM)
    fits = re.compile(rf"(?P<sub>(?:.*/)?){re.escape(before)}(?P<stem>[^/]+){re.escape(after)}")
    matches = {key: fits.fullmatch(key) for key in found}
    return {match["sub"] + match["stem"]: found[key] for key, match in matches.items() if match}


def paired(
    images: Mapping[str, Path], masks: Mapping[str, AnyMask], image_place: object, mask_place: object
) -> tuple[list[tuple[str, Path, AnyMask]], list[str]]:
    """Stem, image and mask of all that have both, and the faults of the others; the places are for messages."""
    faults = [f"{images[stem]} has no mask in {mask_place}" for stem in sorted(images.keys() - masks.keys())]
    faults += [f"{_shown(masks[stem])} has no image in {image_place}" for stem in sorted(masks.keys() - images.keys())]
    return [(stem, images[stem], masks[stem]) for stem in sorted(images.keys() & masks.keys())], faults


def _shown(mask: object) -> object:
    """A mask of several files by the first of them."""
    return next(iter(getattr(mask, "files", ())), mask)


def grouped(samples: Sequence[ImageSample], pattern: str | None) -> tuple[list[ImageSample], list[str]]:
    """The samples with the group that the first pair of parentheses in `pattern` finds in their keys, and as faults
    the keys in which it finds nothing. Without a pattern they stay as they are. Raises `UserError` for a bad pattern.
    """
    if pattern is None:
        return list(samples), []
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"dataset.group={pattern} is no regular expression ({error})") from error
    if not expression.groups:
        raise UserError(f"dataset.group={pattern}: put what names the group into parentheses, like (.*)_[0-9]+")
    matches = [(sample, expression.search(sample.key)) for sample in samples]
    faults = [f"{sample.key}: dataset.group={pattern} does not fit" for sample, match in matches if not match]
    return [replace(sample, group=match[1] or sample.key) for sample, match in matches if match], faults


def finished(
    root: str, samples: Sequence[ImageSample], group: str | None, faults: Sequence[str]
) -> tuple[ImageSample, ...]:
    """The samples with their groups and sizes. Refuses the `faults` found before and all others together, and raises
    `UserError` where there is no sample.
    """
    in_groups, without_group = grouped(samples, group)
    complete, wrong = measured(in_groups)
    together = [*faults, *without_group, *wrong]
    refuse(f"dataset.root={root} has {len(together)} faults: mend or remove these files", together)
    if not complete:
        raise UserError(f"dataset.root={root} holds no image with a mask")
    return tuple(complete)
