"""Finding pictures in folders, and the mask that belongs to each."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from segmentation.data.faults import FileFault, counted, refuse
from segmentation.data.folders import Found, files_by_stem
from segmentation.data.image.files import SUFFIXES
from segmentation.data.image.source import ImageSample, measured
from segmentation.data.splits import grouped
from segmentation.errors import UserError

STEM = "{stem}"
AnyMask = TypeVar("AnyMask")


def pictures(folder: Path, below: bool = False) -> Found:
    """Picture files by stem, as `files_by_stem` finds them."""
    return files_by_stem(folder, SUFFIXES, below)


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
