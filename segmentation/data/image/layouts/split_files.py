"""A folder of images, a folder of masks, and text files that say which belong to train, val and test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmentation.classes import Classes
from segmentation.data.class_list import Spec
from segmentation.data.faults import refuse
from segmentation.data.image.files import SUFFIXES
from segmentation.data.image.labels.masks import MaskOptions
from segmentation.data.image.layouts.pairing import data_folder, finished, fitting, pictures, stem_below
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource
from segmentation.data.splits import SPLITS
from segmentation.errors import UserError


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

    A line is an image's stem, its name, or `image mask`, whose paths start in the two folders or in `root`; empty lines
    and what follows a # are passed over. The mask options are those of `MaskOptions`, `group` and
    `image_suffix` are as for `folder`.
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
        for number, line in enumerate(_lines(path) if path.is_file() else (), start=1):
            text = line.partition("#")[0].strip()
            if text:
                found = True
                yield Entry(text, part, f"{path.name} line {number}")
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
    if image is None and " " in " ".join(entry.text.replace(",", " ").split()):
        return _pair(entry, where)
    if image is None:
        return f"{entry.place}: there is no image {entry.text} in {where.images}"
    key = _key(image, where)
    mask = where.masks_by_stem.get(key)
    if mask is None:
        return f"{entry.place}: {entry.text} has no mask in {where.masks}"
    return ImageSample(key, key, image, mask, UNMEASURED, entry.part)


def _pair(entry: Entry, where: Folders) -> ImageSample | str:
    first, second = entry.text.replace(",", " ").split(maxsplit=1)
    image, mask = _image(first, where), _file(second, where.masks, where) or where.masks_by_stem.get(second)
    if image is None:
        return f"{entry.place}: there is no image {first} in {where.images}"
    if mask is None:
        return f"{entry.place}: there is no mask {second} in {where.masks}"
    key = _key(image, where)
    return ImageSample(key, key, image, mask, UNMEASURED, entry.part)


def _image(name: str, where: Folders) -> Path | None:
    return _file(name, where.images, where) or where.images_by_stem.get(name)


def _file(name: str, folder: Path, where: Folders) -> Path | None:
    """A picture by its name; not by its stem, which may be a folder's name too."""
    if Path(name).suffix.lower() not in SUFFIXES:
        return None
    return next((base / name for base in (folder, where.root) if (base / name).is_file()), None)


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
