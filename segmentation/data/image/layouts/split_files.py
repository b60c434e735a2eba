"""A folder of images, a folder of masks, and text files that say which belong to train, val and test."""

import logging
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmentation.classes import Classes
from segmentation.data.class_list import Spec
from segmentation.data.faults import refuse
from segmentation.data.folders import composed, data_folder, stem_below
from segmentation.data.image.files import SUFFIXES
from segmentation.data.image.labels.masks import MaskOptions
from segmentation.data.image.layouts.pairing import finished, fitting, pictures
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource
from segmentation.data.splits import SPLITS
from segmentation.errors import UserError

COMMENT = re.compile(r"(^|\s)#.*")  # names may hold a #
BETWEEN = re.compile(r"\s*,\s*|\s+")  # an image and its mask
log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class Entry:
    """A line of a split file; `place` is for messages."""

    text: str
    part: str
    place: str


@dataclass(frozen=True)
class Folders:
    """Where the entries are looked for, and all pictures that are there by their stems; images with a suffix by both
    their stems, and `stem_of` tells the one that they share with their masks.
    """

    root: Path
    images: Path
    masks: Path
    images_by_stem: Mapping[str, Path]
    stem_of: Mapping[Path, str]
    masks_by_stem: Mapping[str, Any]


def split_files(
    root: str,
    images_dir: str = "images",
    masks_dir: str = "masks",
    lists_dir: str = ".",
    group: str | None = None,
    classes: Spec = None,
    ignore_index: int = 255,
    ignore_void: bool = False,
    mask_format: str = "index",
    threshold: float = 128,
    remap: Mapping[int, int | str] | None = None,
    image_suffix: str | None = None,
    mask_suffix: str | None = None,
) -> ImageSource:
    """The images that `train.txt`, and `val.txt` and `test.txt` where they exist, name in `lists_dir`.

    A line is an image's stem, its name, or `image mask`, whose paths start in the two folders or in `root`, with a
    slash before them or not; empty lines and what follows a # after a blank are passed over. The mask options are those
    of `MaskOptions`, `group` and `image_suffix` are as for `folder`.
    Raises `UserError` with all faults of all files together.
    """
    options = MaskOptions(mask_format, threshold, remap, mask_suffix, ignore_void)
    data = data_folder(root)
    stored = options.classes(classes, data, ignore_index)
    entries = list(_entries(data / lists_dir))
    where, faults = _look(data, images_dir, masks_dir, image_suffix, options, stored)
    found = [_sample(entry, where) for entry in entries]
    absent = [fault for fault in found if isinstance(fault, str)]
    samples = [sample for sample in found if isinstance(sample, ImageSample)]
    if mask_format == "per_class" and any(isinstance(sample.mask, Path) for sample in samples):
        raise UserError("dataset.mask_format=per_class: the split files name images alone, not `image mask`")
    refuse(f"dataset.root={root}: {len(absent)} of {len(entries)} lines name what is not there", absent)
    once, repeated = _once(samples)
    complete = finished(root, once, group, faults + repeated)
    return ImageSource(root, complete, options.labels(stored, complete))


def _entries(folder: Path) -> Iterator[Entry]:
    """Of all lists. Raises `UserError` where there is no train.txt, a list cannot be read, or nothing is in any."""
    found = False
    if not (folder / "train.txt").is_file():
        raise UserError(
            f"{folder} has no train.txt: dataset.lists_dir names the folder of train.txt, val.txt, test.txt"
        )
    for part in SPLITS:
        path = folder / f"{part}.txt"
        lines = _lines(path) if path.is_file() else []
        texts = [COMMENT.sub("", line).strip().replace("\\", "/") for line in lines]
        entries = [Entry(text, part, f"{path.name} line {number}") for number, text in enumerate(texts, 1) if text]
        if part == "val" and path.is_file() and not entries:
            log.warning("%s names no image: val is taken of train", path)
        found = found or bool(entries)
        yield from entries
    if not found:
        raise UserError(f"{folder}/train.txt names no image: expected a stem, a name, or `image mask` on each line")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no readable text ({error})") from error


def _look(
    data: Path, images_dir: str, masks_dir: str, image_suffix: str | None, options: MaskOptions, stored: Classes
) -> tuple[Folders, list[str]]:
    for name, option in ((images_dir, "images_dir"), (masks_dir, "masks_dir")):
        if not (data / name).is_dir():
            raise UserError(f"dataset.{option}={name}: there is no folder {data / name}")
    images, image_faults = pictures(data / images_dir, below=True)
    masks, mask_faults = options.find(data / masks_dir, stored)
    fits = fitting(images, image_suffix)
    stems = {path: stem for stem, path in fits.items()}
    return Folders(
        data, data / images_dir, data / masks_dir, {**images, **fits}, stems, masks
    ), image_faults + mask_faults


def _sample(entry: Entry, where: Folders) -> ImageSample | str:
    """Or what is not there."""
    image = _image(entry.text, where)
    if image is None:
        return _pair(entry, where)
    key = _key(image, where)
    mask = where.masks_by_stem.get(key)
    if mask is None:
        return f"{entry.place}: {entry.text} has no mask in {where.masks}"
    return ImageSample(key, key, image, mask, UNMEASURED, entry.part)


def _pair(entry: Entry, where: Folders) -> ImageSample | str:
    """Cut at the first blank or comma that has an image before it and a mask after it: names may hold some too."""
    cuts = [(entry.text[: cut.start()], entry.text[cut.end() :]) for cut in BETWEEN.finditer(entry.text)]
    without_mask = None
    for first, second in cuts:
        image, mask = _image(first, where), _named(second, where.masks, where.masks_by_stem, where)
        if image is not None and mask is not None:
            key = _key(image, where)
            return ImageSample(key, key, image, mask, UNMEASURED, entry.part)
        if image is not None:
            without_mask = f"{entry.place}: there is no mask {second} in {where.masks}"
    return without_mask or f"{entry.place}: there is no image {cuts[0][0] if cuts else entry.text} in {where.images}"


def _image(name: str, where: Folders) -> Path | None:
    return _named(name, where.images, where.images_by_stem, where)


def _named(name: str, folder: Path, by_stem: Mapping[str, Any], where: Folders) -> Any | None:
    """What is called `name` in `folder`, by its file name or its stem."""
    below = [path for path in _places(name, where.root) if path.is_relative_to(folder)]
    stems = (name, *(path.relative_to(folder).as_posix() for path in below))
    return _file(name, folder, where) or next((by_stem[stem] for stem in map(composed, stems) if stem in by_stem), None)


def _places(name: str, *bases: Path) -> list[Path]:
    """Where it may be, its accents as they are or as other systems write them; last, a slash before it may stand for
    the root of the data.
    """
    names = dict.fromkeys((name, composed(name), unicodedata.normalize("NFD", name)))
    places = [*((base, each) for base in bases for each in names), *((bases[-1], each.lstrip("/")) for each in names)]
    return [base / each for base, each in places]


def _file(name: str, folder: Path, where: Folders) -> Path | None:
    """A picture by its name; not by its stem, which may be a folder's name too."""
    if Path(name).suffix.lower() not in SUFFIXES:
        return None
    return next((path for path in _places(name, folder, where.root) if path.is_file()), None)


def _key(image: Path, where: Folders) -> str:
    if image in where.stem_of:
        return where.stem_of[image]
    base = next((base for base in (where.images, where.root) if image.is_relative_to(base)), image.parent)
    return stem_below(image, base)


def _once(samples: list[ImageSample]) -> tuple[list[ImageSample], list[str]]:
    """Each image for the first time that it is listed, and where it is listed again."""
    first: dict[str, ImageSample] = {}
    faults = []
    for sample in samples:
        before = first.setdefault(sample.key, sample)
        if before is not sample:
            again = f"and {sample.part}.txt" if before.part != sample.part else "twice"
            faults.append(f"{sample.key} is listed in {before.part}.txt {again}")
    return list(first.values()), faults
