"""Folders of images beside folders of masks, in parts or not:

<root>/train/images/a.jpg  <root>/train/labels/a.png  or
<root>/images/train/a.jpg  <root>/masks/train/a.png   or
<root>/images/a.jpg        <root>/masks/a.png
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segmentation.classes import Classes
from segmentation.data.class_list import Spec
from segmentation.data.folders import PART_WORDS, Found, data_folder, find_folder, folders
from segmentation.data.image.labels.masks import MaskOptions
from segmentation.data.image.layouts.pairing import finished, fitting, paired, pictures
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource
from segmentation.errors import UserError

IMAGES = ("images", "image", "imgs", "img", "jpegimages", "rgb")
MASKS = ("masks", "mask", "labels", "label", "annotations", "annotation", "segmentationclass", "gt")
log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class Place:
    """A folder of images and the folder of their masks; `part` is the split they are for, if they are in parts."""

    part: str | None
    images: Path
    masks: Path | None


def folder(
    root: str,
    images: str | None = None,
    masks: str | None = None,
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
    """Images and masks of one stem, those in sub-folders too; the mask options are those of `MaskOptions`.

    `images` and `masks` name the two folders (None: any of `IMAGES` and `MASKS`, in any case), `image_suffix` is what
    an image's name has beside that stem (`pairing.fitting`), `group` is a regular expression whose first parentheses
    find in a sample's key what a split keeps together. A test folder without masks is passed over. Raises
    `UserError` with all faults of all folders together.
    """
    options = MaskOptions(mask_format, threshold, remap, mask_suffix, ignore_void)
    data = data_folder(root)
    stored = options.classes(classes, data, ignore_index)
    samples: list[ImageSample] = []
    faults: list[str] = []
    for place in _places(data, images, masks):
        if place.masks is None and place.part == "test":
            log.warning("%s has no masks: there is no test split", place.images)
        elif place.masks is None:
            faults.append(f"{place.images} has no folder of masks beside it: looked for {_names(masks, MASKS)}")
        else:
            found, place_faults = _samples(place, place.masks, image_suffix, options, stored)
            samples += found
            faults += place_faults
    complete = finished(root, samples, group, faults)
    return ImageSource(root, complete, options.labels(stored, complete))


def _places(data: Path, images: str | None, masks: str | None) -> list[Place]:
    """Whichever of the three layouts is there; with several, the one with parts."""
    parts = _parts(data)
    outer = [(part, _named(inner, images, IMAGES), _named(inner, masks, MASKS)) for part, inner in parts.items()]
    if any(image_folder for _, image_folder, _ in outer):
        return [Place(part, found, mask_folder) for part, found, mask_folder in outer if found]
    image_folder, mask_folder = _named(data, images, IMAGES), _named(data, masks, MASKS)
    if image_folder is None or mask_folder is None:
        there = ", ".join(entry.name for entry in folders(data)) or "no folders"
        raise UserError(
            f"dataset.root={data}: looked for {{train,val,test}}/{{images,masks}}, {{images,masks}}/{{train,val,test}} "
            f"and {{images,masks}}, and found {there}; name the folders with dataset.images and dataset.masks"
        )
    mask_parts = _parts(mask_folder)
    inner = [Place(part, found, mask_parts.get(part)) for part, found in _parts(image_folder).items()]
    return inner if any(place.masks for place in inner) else [Place(None, image_folder, mask_folder)]


def _parts(parent: Path) -> dict[str, Path]:
    return {PART_WORDS[entry.name.lower()]: entry for entry in folders(parent) if entry.name.lower() in PART_WORDS}


def _named(parent: Path, name: str | None, usual: tuple[str, ...]) -> Path | None:
    if name is None:
        return find_folder(parent, *usual)
    return parent / name if (parent / name).is_dir() else None


def _names(given: str | None, usual: tuple[str, ...]) -> str:
    return given or ", ".join(usual)


def _samples(
    place: Place, mask_folder: Path, image_suffix: str | None, options: MaskOptions, stored: Classes
) -> tuple[list[ImageSample], list[str]]:
    if mask_folder.samefile(place.images) and not options.suffix:
        raise UserError(
            f"{mask_folder} is named for the images and for the masks: set dataset.mask_suffix to what a mask's name "
            "has beside its image's, such as _mask"
        )
    images, image_faults = _images(place.images, mask_folder, image_suffix, options)
    masks, mask_faults = options.find(mask_folder, stored)
    empty = [
        f"{where} holds no picture" + (f" that fits dataset.{option}={suffix}" if suffix else _instead(where))
        for where, found, option, suffix in (
            (place.images, images, "image_suffix", image_suffix),
            (mask_folder, masks, "mask_suffix", options.suffix),
        )
        if not found
    ]
    pairs, pair_faults = paired(images, masks, place.images, mask_folder)
    before = f"{place.part}/" if place.part else ""
    samples = [
        ImageSample(before + stem, before + stem, image, mask, UNMEASURED, place.part) for stem, image, mask in pairs
    ]
    return samples, [*image_faults, *mask_faults, *(empty or pair_faults)]


def _instead(folder: Path) -> str:
    """What it holds, ` (214 .avif, 1 .txt)`."""
    suffixes = Counter(path.suffix.lower() for path in folder.rglob("*") if path.suffix and path.is_file())
    told = ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(3))
    return f" ({told})" if told else ""


def _images(folder: Path, mask_folder: Path, suffix: str | None, options: MaskOptions) -> Found:
    """Masks may lie among the images, told by their names, or in a folder below them."""
    found, faults = pictures(folder, below=True)
    if mask_folder.samefile(folder):
        masks = set(fitting(found, options.suffix).values())
        images = {stem: path for stem, path in found.items() if path not in masks}
    else:
        images = {stem: path for stem, path in found.items() if mask_folder not in path.parents}
    return fitting(images, suffix), faults
