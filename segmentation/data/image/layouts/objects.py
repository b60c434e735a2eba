"""One folder of binary masks an image, as SAM writes them, with a class for each mask:

<root>/images/NAME.jpg              or <root>/images/train/NAME.jpg, ... in parts
<root>/objects/NAME/*.png           and <root>/objects/train/NAME/*.png
"""

import csv
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from segmentation.data.class_list import Spec
from segmentation.data.folders import PART_WORDS, data_folder, find_folder, folders, stem_below
from segmentation.data.image.labels.per_class import painting
from segmentation.data.image.labels.regions import MaskFile, Region, painted_labels
from segmentation.data.image.layouts.pairing import finished, pictures
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource
from segmentation.errors import UserError

FILE_COLUMNS, CLASS_COLUMNS = ("file", "file_name", "mask", "id"), ("class", "class_name", "label", "category")
EXPECTED = "expected a table with columns file and class, a folder for each class, or CLASS_NUMBER.png"
Named = list[tuple[str, Path]]  # the class of a mask file


def objects(
    root: str,
    images: str = "images",
    objects: str = "objects",
    threshold: float = 128,
    group: str | None = None,
    classes: Spec = None,
    background: str | None = "background",
    ignore_index: int = 255,
) -> ImageSource:
    """Images and their objects, painted, the smaller ones on top.

    `images` and `objects` name the two folders. The class of a mask stands in a table in its image's folder of objects
    (`.csv` or `.json`, a row for each mask; SAM's metadata.csv with a column `class` is one), else in the name of the
    sub-folder that it is in, else in its own name before the last `_` (`car_0.png`). A mask is where its value is
    `threshold` or above. The classes are those that occur, by name, after `background` (None: what no object covers is
    ignored). `group` is a regular expression whose first parentheses find in a sample's key what a split keeps
    together. Raises `UserError` with all faults of all folders together.
    """
    folder = data_folder(root)
    image_folder, object_folder = find_folder(folder, images), find_folder(folder, objects)
    if image_folder is None or object_folder is None:
        raise UserError(
            f"dataset.root={root}: looked for {images}/NAME.jpg and {objects}/NAME/*.png, found no folder "
            f"{images if image_folder is None else objects}; name them with dataset.images and dataset.objects"
        )
    found, faults = pictures(image_folder, below=True)
    masks: dict[str, Named] = {}
    tables: dict[str, list[Path]] = {}
    for key, image in found.items():
        place = object_folder / stem_below(image, image_folder)
        if place.is_dir():
            masks[key], tables[key], strange = _named(place)
            faults += strange
        else:
            faults.append(f"{image} has no folder of masks {place}")
    expected = {object_folder / stem_below(image, image_folder) for image in found.values()}
    faults += [f"{place} has no image in {image_folder}" for place in _others(object_folder, expected)]
    names = sorted({name for named in masks.values() for name, _ in named})
    labels = painted_labels(classes, folder, ignore_index, names, background, f"threshold {threshold}")

    def region(name: str, path: Path) -> Region:
        return Region(labels.classes.names.index(name), MaskFile(path, threshold))

    samples = [
        ImageSample(key, key, found[key], painting(region, named, *tables[key]), UNMEASURED, _part_of(key))
        for key, named in masks.items()
    ]
    title = f"{root} ({len(samples)} images, {sum(map(len, masks.values()))} objects)"
    return ImageSource(title, finished(root, samples, group, faults), labels)


def _part_of(key: str) -> str | None:
    return PART_WORDS.get(key.partition("/")[0].lower())


def _others(folder: Path, expected: Collection[Path]) -> Iterator[Path]:
    """The folders in it that are neither expected nor hold an expected one."""
    around = {parent for place in expected for parent in place.parents}
    for inner in folders(folder):
        if inner in around:
            yield from _others(inner, expected)
        elif inner not in expected:
            yield inner


def _named(folder: Path) -> tuple[Named, list[Path], list[str]]:
    """The masks of an image with their classes, the table that tells them if there is one, and what is wrong."""
    found, faults = pictures(folder, below=True)
    tables = sorted({*folder.glob("*.csv"), *folder.glob("*.json")})
    if len(tables) > 1:
        return [], tables, [*faults, f"{folder} holds {' and '.join(table.name for table in tables)}: leave one table"]
    try:
        told = _table(tables[0]) if tables else {key: _told_by_name(key) for key in found}
    except ValueError as error:
        return [], tables, [*faults, f"{tables[0]} is no table of masks and classes ({error})"]
    of_file = {path.name: key for key, path in found.items()}
    classes = {of_file.get(file, file): name for file, name in told.items()}  # in a table with or without its suffix
    faults += [f"{tables[0]}: there is no mask {folder / key}" for key in sorted(classes.keys() - found.keys())]
    faults += [f"{path} has no class: {EXPECTED}" for key, path in found.items() if not classes.get(key)]
    return [(classes[key], path) for key, path in found.items() if classes.get(key)], tables, faults


def _told_by_name(key: str) -> str:
    """`car` of `car/0` and of `car_0`."""
    return key.partition("/")[0] if "/" in key else key.rpartition("_")[0]


def _table(file: Path) -> dict[str, str]:
    """Class by mask file. Raises `ValueError` for anything else."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            content = json.load(text) if file.suffix == ".json" else list(csv.DictReader(text))
    except (OSError, csv.Error) as error:
        raise ValueError(str(error)) from error
    if isinstance(content, dict):
        return {str(name): str(label or "") for name, label in content.items()}
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError("expected rows, or a class for each file")
    return dict(_row(row) for row in content)


def _row(row: Mapping[str, object]) -> tuple[str, str]:
    given = {str(column).strip().lower(): value for column, value in row.items()}
    return _column(given, FILE_COLUMNS), _column(given, CLASS_COLUMNS)


def _column(row: Mapping[str, object], names: Sequence[str]) -> str:
    name = next((name for name in names if name in row), None)
    if name is None:
        raise ValueError(f"it has the columns {', '.join(row)}: expected one of {', '.join(names)}")
    return str("" if row[name] is None else row[name]).strip()
