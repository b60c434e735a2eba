"""Finding pictures in folders, and the mask that belongs to each."""

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from segmentation.data.faults import FileFault, counted, refuse
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
    """Picture files by stem, and the faults: two of one stem, and folders that cannot be read. With those in
    sub-folders (`below`), the key is `sub/stem`. What is hidden or no picture is passed over. Keys are `composed`.
    """
    found: dict[str, Path] = {}
    faults: list[str] = []

    def cannot_list(error: OSError) -> None:
        faults.append(f"{error.filename} cannot be read ({error.strerror})")

    for place, inner, names in os.walk(folder, onerror=cannot_list, followlinks=True):
        inner[:] = sorted(name for name in inner if below and not name.startswith("."))
        parent = Path(place)
        before = "" if parent == folder else f"{parent.relative_to(folder).as_posix()}/"
        for name in sorted(names):  # as text: of ten thousands of files paths would take most of the time
            stem, _, suffix = name.rpartition(".")
            if not stem or name.startswith(".") or f".{suffix.lower()}" not in SUFFIXES:
                continue
            key = composed(before + stem)
            if key in found:
                told = f"{parent} holds {found[key].name} and {name}: two pictures of one name"
                faults.append(FileFault(told, found[key], parent / name))
            found[key] = parent / name
    return found, faults


def composed(name: str) -> str:
    """Letters with accents as one character each: some systems write two, and both look the same."""
    return unicodedata.normalize("NFC", name)


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
    lone_images = [images[stem] for stem in sorted(images.keys() - masks.keys())]
    lone_masks = [_first_file(masks[stem]) for stem in sorted(masks.keys() - images.keys())]
    faults: list[str] = [FileFault(f"{image} has no mask in {mask_place}", image) for image in lone_images]
    faults += [FileFault(f"{mask} has no image in {image_place}", mask) for mask in lone_masks]
    return [(stem, images[stem], masks[stem]) for stem in sorted(images.keys() & masks.keys())], faults


def _first_file(mask: Any) -> Path:
    """Of a mask of several files."""
    return mask if isinstance(mask, Path) else Path(mask.files[0])


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
    """The samples with their groups and sizes, if neither they nor the `faults` found before are to be refused."""
    in_groups, without_group = grouped(samples, group)
    complete, wrong = measured(in_groups)
    return accepted(root, complete, [*faults, *without_group, *wrong])


def accepted(root: str, samples: Sequence[ImageSample], faults: Sequence[str]) -> tuple[ImageSample, ...]:
    """The samples. Refuses the `faults` together, and raises `UserError` where there is no sample."""
    refuse(f"dataset.root={root} has {counted(faults)}: mend or remove these", faults)
    if not samples:
        raise UserError(f"dataset.root={root} holds no image with a mask")
    return tuple(samples)
