"""The YOLO layout: data.yaml, images, and a text file for each with a line `class x1 y1 x2 y2 ...` for each object,
from 0 to 1 of the image's width and height (https://docs.ultralytics.com/datasets/segment).
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from segmentation.data.class_list import Spec
from segmentation.data.folders import data_folder
from segmentation.data.image.files import Size
from segmentation.data.image.labels.regions import Painting, Region, painted_labels
from segmentation.data.image.layouts.pairing import accepted, pictures
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource, measured
from segmentation.data.polygons import TOLERANCE, Polygons, ring_of
from segmentation.data.splits import SPLITS, grouped
from segmentation.errors import UserError
from segmentation.runtime.console import progress_bar

BOX = 4  # numbers of a line that holds a box: its centre, width and height
log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class Listed:
    """An image that data.yaml names, its part, and where its label file is if it has one."""

    image: Path
    part: str
    label: Path


def yolo(
    root: str,
    data: str = "data.yaml",
    group: str | None = None,
    classes: Spec = None,
    background: str | None = "background",
    ignore_index: int = 255,
) -> ImageSource:
    """The images of a YOLO data set, their objects painted, the smaller ones on top.

    `data` is the yaml below `root` that says where train, val and test are (folders, lists of folders, or text files
    that list images) and the names of the classes, which follow `background` (None: what no object covers is ignored).
    The label file of an image is where `labels` takes the place of `images` in its path; an image with an empty or
    no label file shows no object. A line of four numbers is a box (centre, width, height): it is painted as a
    rectangle, and told. `group` is a regular expression whose first parentheses find in a sample's key what a split
    keeps together. Raises `UserError` with all faults of all files together.
    """
    folder = data_folder(root)
    file = folder / data
    content = _content(file)
    names = _names(content, file)
    labels = painted_labels(classes, folder, ignore_index, list(names.values()), background)
    base = _base(content, file)
    listed, faults = _listed(content, file, base)
    if listed and not any(entry.label.is_file() for entry in listed.values()):
        entry = next(iter(listed.values()))
        raise UserError(f"none of the {len(listed)} images of {file} has a label file: looked for {entry.label}, ...")
    samples, size_faults = measured(
        ImageSample(key, key, entry.image, None, UNMEASURED, entry.part) for key, entry in listed.items()
    )
    samples, group_faults = grouped(samples, group)
    faults += size_faults + group_faults
    ids = {number: labels.classes.names.index(name) for number, name in names.items()}
    painted: list[ImageSample] = []
    boxes = 0
    with progress_bar("label files", len(samples)) as bar:
        for sample in samples:
            label = listed[sample.key].label
            regions, line_faults, rectangles = _read(label, sample.size, ids) if label.is_file() else ([], [], 0)
            files = (file, label) if label.is_file() else (file,)  # a line says a number, data.yaml of which class
            painted.append(replace(sample, mask=Painting(tuple(regions), files)))
            faults += line_faults
            boxes += rectangles
            bar.advance()
    complete = accepted(root, painted, faults)
    if boxes:
        log.warning("%s: %d objects are boxes, not polygons: they are painted as rectangles", root, boxes)
    objects = sum(len(sample.mask.regions) for sample in complete)
    return ImageSource(f"{root} ({len(complete)} images, {objects} objects)", complete, labels)


# data.yaml


def _content(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): set dataset.root and dataset.data") from error
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{file} is no YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict) or not any(content.get(part) for part in SPLITS):
        raise UserError(f"{file} is no YOLO file: expected names, and train, val or test")
    return content


def _names(content: Mapping[str, Any], file: Path) -> dict[int, str]:
    given = content.get("names")
    entries = dict(enumerate(given)) if isinstance(given, list) else given
    if not isinstance(entries, dict) or not entries or not all(str(number).isdigit() for number in entries):
        raise UserError(f"{file}: names={given}: expected a list of names, or a name for each number")
    names = {int(number): str(name) for number, name in entries.items()}
    repeated = sorted(name for name in set(names.values()) if list(names.values()).count(name) > 1)
    if repeated:
        raise UserError(f"{file}: two classes are called {repeated[0]}: make the names unique")
    if content.get("nc", len(names)) != len(names):
        raise UserError(f"{file}: nc={content['nc']}, but there are {len(names)} names")
    return names


def _base(content: Mapping[str, Any], file: Path) -> Path:
    """What the parts are relative to: `path`, where that folder is, else the folder of the yaml."""
    path = file.parent / str(content.get("path") or ".")
    return path if path.is_dir() else file.parent


# Images


def _listed(content: Mapping[str, Any], file: Path, base: Path) -> tuple[dict[str, Listed], list[str]]:
    """Images by their keys, and what is wrong with others; label files that have no image are wrong too."""
    listed: dict[str, Listed] = {}
    faults: list[str] = []
    for part in SPLITS:
        entries = content.get(part) or []
        for entry in [entries] if isinstance(entries, str) else entries:
            if part == "test" and _place(str(entry), base) is None:  # as data sets are published, test images held back
                log.warning("%s, named in %s, is not there: nothing of it is in the test split", base / entry, file)
                continue
            images, image_faults = _images(str(entry), file, base)
            faults += image_faults
            for image in images:
                key = _key(image, base)
                if key in listed:
                    faults.append(f"{listed[key].image} of {listed[key].part} and {image} of {part} are one sample")
                else:
                    listed[key] = Listed(image, part, _label_of(image))
    return listed, faults


def _place(entry: str, base: Path) -> Path | None:
    """Where an entry of data.yaml is; it may go up one folder too many."""
    return next((place for place in (base / entry, base / entry.removeprefix("../")) if place.exists()), None)


def _images(entry: str, file: Path, base: Path) -> tuple[list[Path], list[str]]:
    """Those that an entry of data.yaml names, a folder or a text file."""
    place = _place(entry, base)
    if place is None:
        return [], [f"{base / entry}, named in {file}, is not there"]
    if place.is_dir():
        found, faults = pictures(place, below=True)
        images = list(found.values())
        faults += _labels_without_image(images)
    else:
        try:
            lines = [line.strip() for line in place.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            return [], [f"{place}, named in {file}, is no text file of images ({error})"]
        named = [place.parent / line if (place.parent / line).is_file() else base / line for line in lines]
        images = [image for image in named if image.is_file()]
        faults = [f"{image}, listed in {place}, is not there" for image in named if not image.is_file()]
    return images, faults or ([] if images else [f"{place}, named in {file}, has no images"])


def _key(image: Path, base: Path) -> str:
    """train/0001 for images/train/0001.jpg and for train/images/0001.jpg."""
    path = image.relative_to(base) if image.is_relative_to(base) else image
    return "/".join(part for part in path.with_suffix("").parts if part not in ("images", "..", path.anchor))


def _label_of(image: Path) -> Path:
    folders = list(image.parent.parts)
    if "images" in folders:
        folders[len(folders) - 1 - folders[::-1].index("images")] = "labels"
    return Path(*folders) / f"{image.stem}.txt"


def _labels_without_image(images: Sequence[Path]) -> Iterator[str]:
    expected = {_label_of(image) for image in images}
    for folder in sorted({label.parent for label in expected}):
        for label in sorted(folder.glob("*.txt")):
            if label not in expected and label.name != "classes.txt":  # which labelling tools leave there
                yield f"{label} has no image"


# Label files


def _read(file: Path, size: Size, ids: Mapping[int, int]) -> tuple[list[Region], list[str], int]:
    """The regions of a picture of (height, width), the faults of the lines, and how many regions are boxes."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        return [], [f"{file} cannot be read ({error})"], 0
    regions, faults, boxes = [], [], 0
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        try:
            regions.append(_region(words, size, ids))
        except ValueError as error:
            faults.append(f"{file}, line {number}: {error}")
        boxes += len(words) == 1 + BOX
    return regions, faults, boxes


def _region(words: Sequence[str], size: Size, ids: Mapping[int, int]) -> Region:
    """Raises `ValueError` saying what is wrong."""
    try:
        number, *shares = (float(word) for word in words)
    except ValueError as error:
        raise ValueError("something else than numbers") from error
    if number not in ids:
        raise ValueError(f"class {number:g}, but the names have the ids {', '.join(map(str, ids))}")
    ring = ring_of(_corners(*shares) if len(shares) == BOX else shares) * size[::-1]
    if max(-ring.min(), (ring - size[::-1]).max()) > TOLERANCE:
        worst = max(shares, key=lambda share: abs(share - 0.5))
        raise ValueError(f"a coordinate of {worst:g}: expected 0 to 1, shares of the image's width and height")
    return Region(ids[int(number)], Polygons.of([np.clip(ring, 0, size[::-1])]))


def _corners(x: float, y: float, width: float, height: float) -> list[float]:
    left, right, top, bottom = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    return [left, top, right, top, right, bottom, left, bottom]
