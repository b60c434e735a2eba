"""The COCO layout: one json with the objects of all images, as polygons or run lengths (https://cocodataset.org)."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from segmentation.data.class_list import Spec
from segmentation.data.faults import counted
from segmentation.data.folders import PART_WORDS, data_folder
from segmentation.data.image.files import Size
from segmentation.data.image.labels.regions import PaintedLabels, Painting, Region, Shape, painted_labels
from segmentation.data.image.layouts.pairing import accepted
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource, measured
from segmentation.data.polygons import TOLERANCE, Polygons, overhang, ring_of
from segmentation.data.run_lengths import RunLengths
from segmentation.data.splits import SPLITS, grouped
from segmentation.errors import UserError, gathered
from segmentation.runtime.console import progress_bar
from segmentation.runtime.files import read_json

Entry = Mapping[str, Any]
NEEDED = {"categories": ("id", "name"), "images": ("id", "file_name"), "annotations": ("image_id", "category_id")}
CROWD = ("ignore", "paint")
log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class AnnotationFile:
    """A json, and the part (train, val, test) that it is of."""

    path: Path
    part: str | None
    categories: list[Entry]
    images: list[Entry]
    annotations: list[Entry]


def coco(
    root: str,
    annotations: str | Mapping[str, str] | None = None,
    images: str | Mapping[str, str] | None = None,
    group: str | None = None,
    classes: Spec = None,
    background: str | None = "background",
    crowd: str = "ignore",
    ignore_index: int = 255,
) -> ImageSource:
    """The images of a COCO data set, their objects painted, the smaller ones on top.

    `annotations` is a json below `root`, or one for each of train, val and test; None: the one that is found there, or
    those whose names say their part. `images` is the folder of the images, likewise; None: found by looking. The
    categories are the classes, in the order of their ids, after `background` (None: what no object covers is ignored).
    A ring within a ring is a hole. Regions of many objects (iscrowd) are ignored, or painted like others, as `crowd`
    says. `group` is a regular expression whose first parentheses find in a sample's key what a split keeps together.
    Raises `UserError` with all faults of all files together.
    """
    if crowd not in CROWD:
        raise UserError(f"dataset.crowd={crowd}: expected {' or '.join(CROWD)}")
    folder = data_folder(root)
    files = [_read(path, part) for part, path in _annotation_files(folder, annotations)]
    faults = [fault for file in files for fault in _category_faults(file)]
    if faults:  # without classes there is nothing to go on with
        raise gathered(f"dataset.root={root} has {counted(faults)}: mend the categories", faults)
    labels = painted_labels(classes, folder, ignore_index, _names(files), background, f"crowd: {crowd}")
    samples: list[ImageSample] = []
    cut: list[str] = []
    for file in files:
        found, image_faults = _samples(file, _image_folder(folder, file, images))
        painted, object_faults = _paint(file, found, labels, crowd == "ignore", cut)
        samples += painted
        faults += image_faults + object_faults
    samples, group_faults = grouped(samples, group)
    complete = accepted(root, samples, faults + group_faults)
    if cut:
        log.warning(
            "%d polygons leave their picture by more than a pixel and are cut off at its edge, the first in %s",
            len(cut),
            cut[0],
        )
    objects = sum(len(sample.mask.regions) for sample in complete)
    return ImageSource(f"{root} ({len(complete)} images, {objects} objects)", complete, labels)


# Files


def _annotation_files(root: Path, annotations: str | Mapping[str, str] | None) -> list[tuple[str | None, Path]]:
    if isinstance(annotations, str):
        return [(None, root / annotations)]
    if annotations is not None:
        return _by_part(annotations, root)
    found = sorted({*root.glob("*.json"), *root.glob("*/*.json")})
    if len(found) == 1:
        return [(None, found[0])]
    parts = [_part_in(path.relative_to(root)) for path in found]
    if found and None not in parts and len(set(parts)) == len(parts):
        return list(zip(parts, found, strict=True))
    names = ", ".join(str(path.relative_to(root)) for path in found[:6]) or "none"
    raise UserError(
        f"dataset.root={root}: looked for one json, or one for each of train, val and test, found {names}; "
        "set dataset.annotations"
    )


def _by_part(annotations: Mapping[str, str], root: Path) -> list[tuple[str | None, Path]]:
    unknown = sorted(annotations.keys() - set(SPLITS))
    if unknown or not annotations:
        raise UserError(
            f"dataset.annotations={dict(annotations)}: expected a json, or one for each of train, val, test"
        )
    return [(part, root / name) for part, name in annotations.items()]


def _part_in(path: Path) -> str | None:
    """train for annotations/instances_train2017.json and for train/_annotations.coco.json."""
    words = re.findall("[a-z]+", str(path).lower())
    found = {PART_WORDS[word] for word in words if word in PART_WORDS}
    return found.pop() if len(found) == 1 else None


def _read(path: Path, part: str | None) -> AnnotationFile:
    try:
        content = read_json(path)
    except OSError as error:
        raise UserError(f"dataset.annotations: {path} cannot be read ({error.strerror})") from error
    except ValueError as error:  # no JSON, no UTF-8
        raise UserError(f"{path} is no JSON: it is damaged or cut short ({error}); restore it") from error
    for name, keys in NEEDED.items():
        entries = content.get(name) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise UserError(f"{path} is no COCO file: expected lists {', '.join(NEEDED)}, {name} is none")
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict) or not all(isinstance(entry.get(key), int | str) for key in keys):
                raise UserError(f"{path}: {name}[{index}] lacks one of {', '.join(keys)}, numbers or text")
    return AnnotationFile(path, part, content["categories"], content["images"], content["annotations"])


# Categories


def _category_faults(file: AnnotationFile) -> Iterator[str]:
    ids: dict[str, Any] = {}
    names: dict[Any, str] = {}
    for category in file.categories:
        number, name = category["id"], str(category["name"])
        if name in ids:
            yield f"{file.path}: categories {ids[name]} and {number} are both called {name}"
        if number in names:
            yield f"{file.path}: category {number} is called both {names[number]} and {name}"
        ids[name], names[number] = number, name


def _names(files: Sequence[AnnotationFile]) -> list[str]:
    """Of all files, by id."""
    categories = sorted(
        (category for file in files for category in file.categories), key=lambda entry: _in_order(entry["id"])
    )
    return list(dict.fromkeys(str(category["name"]) for category in categories))


def _in_order(number: int | str) -> tuple[bool, int | str]:
    return isinstance(number, str), number


# Images


def _image_folder(root: Path, file: AnnotationFile, images: str | Mapping[str, str] | None) -> Path:
    """As configured, else the first place where the first listed image is."""
    if images is not None:
        name = images if isinstance(images, str) else images.get(str(file.part))
        if name is None:
            raise UserError(f"dataset.images={images}: there is no folder for {file.path}; name one for {file.part}")
        return root / name
    words = [file.path.stem.rpartition("_")[2], *(word for word, part in PART_WORDS.items() if part == file.part)]
    places = [root / "images", root, file.path.parent]
    places += [base / word for word in words for base in (root, root / "images")]
    first = next(map(_file_name, file.images), "")
    found = next((place for place in places if (place / first).is_file()), None)
    if found is None:
        looked = ", ".join(dict.fromkeys(str(place) for place in places))
        raise UserError(f"{file.path} lists {first or 'no image'}: looked for it in {looked}; set dataset.images")
    return found


def _samples(file: AnnotationFile, folder: Path) -> tuple[dict[Any, ImageSample], list[str]]:
    """The images that are there, by their ids, and what is wrong with the others."""
    faults: list[str] = []
    listed: dict[str, Entry] = {}
    ids: set[Any] = set()
    for image in file.images:
        name = _file_name(image)
        key = "/".join(filter(None, (file.part, str(PurePosixPath(name).with_suffix("")))))
        if image["id"] in ids:
            faults.append(f"{file.path}: the image id {image['id']} is there twice")
        elif key in listed:
            faults.append(f"{file.path}: {listed[key]['file_name']} and {name}: one stem, two images")
        elif not (folder / name).is_file():
            faults.append(f"{folder / name}, listed in {file.path}, is not there")
        else:
            listed[key] = image
        ids.add(image["id"])
    samples, size_faults = measured(
        ImageSample(key, key, folder / _file_name(image), None, UNMEASURED, file.part) for key, image in listed.items()
    )
    for sample in samples:
        height, width = sample.size
        said = tuple(_side(listed[sample.key].get(key), side) for key, side in (("height", height), ("width", width)))
        if said != sample.size:
            size_faults.append(f"{sample.image} is {width}x{height} pixels, {file.path} says {said[1]}x{said[0]}")
    return {listed[sample.key]["id"]: sample for sample in samples}, faults + size_faults


def _file_name(image: Entry) -> str:
    return str(image["file_name"]).replace("\\", "/")


def _side(said: Any, side: int) -> int:
    """As the json says it, perhaps as text; what is no number says nothing."""
    try:
        return int(said)
    except (TypeError, ValueError):
        return side


# Objects


def _paint(
    file: AnnotationFile, samples: Mapping[Any, ImageSample], labels: PaintedLabels, ignore_crowd: bool, cut: list[str]
) -> tuple[list[ImageSample], list[str]]:
    """The samples with their regions, and the annotations that are none; polygons that are cut off are noted."""
    names = {category["id"]: str(category["name"]) for category in file.categories}
    images = {image["id"]: image["file_name"] for image in file.images}
    regions: dict[Any, list[Region]] = {image: [] for image in samples}
    faults = []
    with progress_bar("objects", len(file.annotations)) as bar:
        for index, annotation in enumerate(file.annotations):
            bar.advance()
            image, category = annotation["image_id"], annotation["category_id"]
            called = f"{file.path}: annotation {annotation.get('id', index)}"
            if image not in images or category not in names:
                what = f"category {category}" if image in images else f"image {image}"
                faults.append(f"{called} is of {what}, which is not listed")
            elif image in samples:  # else it is among the faults itself
                ignored = bool(annotation.get("iscrowd")) and ignore_crowd
                number = labels.classes.ignore_index if ignored else labels.classes.names.index(names[category])
                try:
                    shape, leaves = shape_of(annotation.get("segmentation"), samples[image].size)
                except ValueError as error:
                    faults.append(f"{called} of {images[image]}: {error}")
                    continue
                regions[image].append(Region(number, shape))
                cut += [str(images[image])] * leaves
    painted = [replace(sample, mask=Painting(tuple(regions[image]), (file.path,))) for image, sample in samples.items()]
    return painted, faults


def shape_of(segmentation: Any, size: Size) -> tuple[Shape, int]:
    """The shape that an annotation's `segmentation` stands for, and how many of its polygons leave the picture of
    (height, width). Raises `ValueError` saying what is wrong with it.
    """
    if isinstance(segmentation, dict):
        said = segmentation.get("size")
        if said != list(size):
            raise ValueError(f"run lengths of size {said}: expected {list(size)}, height and width of the image")
        return RunLengths.of(segmentation.get("counts", ""), size), 0
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("it has no segmentation: expected polygons or run lengths")
    rings = [ring_of(numbers) for numbers in segmentation]
    return Polygons.of(rings), sum(overhang(ring, size) > TOLERANCE for ring in rings)
