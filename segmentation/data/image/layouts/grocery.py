"""Shelf images listed in a manifest, with an index mask for each or with a binary mask for each group of products.

manifest.csv: image,mask,split[,group][,class]   classes.csv or classes.txt beside it: id name
manifest.json: {"classes": [...], "samples": [{"image": ..., "mask": ..., "split": ...}, ...]}
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from segmentation.classes import Classes
from segmentation.data.class_list import Spec
from segmentation.data.faults import counted, refuse
from segmentation.data.folders import PART_WORDS, data_folder, stem_below
from segmentation.data.image.labels.masks import MaskOptions
from segmentation.data.image.labels.per_class import BACKGROUND, painting
from segmentation.data.image.layouts.pairing import finished
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource
from segmentation.errors import UserError

MANIFESTS = ("manifest.csv", "manifest.json")
CLASS_FILES = ("classes.csv", "classes.txt")
NEEDED = ("image", "mask", "split")


@dataclass(frozen=True)
class Row:
    """One mask of one image; `product` is the class that a binary mask shows. `place` is for messages."""

    image: Path
    mask: Path
    part: str | None
    group: str | None
    product: str | None
    place: str


def grocery(
    root: str,
    manifest: str | None = None,
    classes: Spec = None,
    ignore_index: int = 255,
    ignore_void: bool = False,
    mask_format: str = "index",
    threshold: float = 128,
    remap: Mapping[int, int | str] | None = None,
) -> ImageSource:
    """The images of a manifest (None: one of `MANIFESTS`), whose paths start where it lies.

    `split` is train, val, test or empty (used for nothing), `group` what a split keeps together. With a `class` column
    each row is the binary mask of one class, an image may have many, and they are painted, the smaller on top; else
    the mask options are those of `MaskOptions`. The classes are those of the manifest, of a file of `CLASS_FILES`
    beside it, or of the class column; where rows have classes, all lie on a `background`. Raises `UserError` with all
    faults together.
    """
    file = _manifest(data_folder(root), manifest)
    entries, told = _read(file)
    rows, faults = _rows(entries, file)
    refuse(f"{file} has {counted(faults)}: mend its rows", faults)
    products = list(dict.fromkeys(row.product for row in rows if row.product))
    options = MaskOptions("per_class" if products else mask_format, threshold, remap, None, ignore_void)
    stored = options.classes(classes, file.parent, ignore_index, _found(told, file, products))
    if products and classes is None and stored.names[0] in products and BACKGROUND not in stored.names:
        stored = Classes.from_entries([BACKGROUND, *stored.to_entries()], ignore_index)
    samples, faults = _samples(rows, file, options, stored)
    complete = finished(root, samples, None, faults)
    return ImageSource(str(file), complete, options.labels(stored, complete))


def _manifest(data: Path, name: str | None) -> Path:
    names = MANIFESTS if name is None else (name,)
    file = next((data / name for name in names if (data / name).is_file()), None)
    if file is None:
        raise UserError(f"{data} has no {' or '.join(names)}: dataset.manifest names the file that lists the images")
    return file


def _read(file: Path) -> tuple[list[tuple[str, Mapping[str, Any]]], Spec]:
    """Where each row stands and what is in it, and the classes that a JSON tells."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() == ".json":
            content = json.loads(text)
            rows = content["samples"] if isinstance(content, dict) else content
            told = content.get("classes") if isinstance(content, dict) else None
            return [(f"{file.name} sample {number}", dict(row)) for number, row in enumerate(rows)], told
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{file} is no readable manifest ({error!r}): expected {{"classes": [...], "samples": [{{"image": ..., '
            '"mask": ..., "split": ...}, ...]}'
        ) from error
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    table = csv.DictReader(text.splitlines(), delimiter=delimiter)
    return [(f"{file.name} line {table.line_num}", row) for row in table], None


def _rows(entries: Iterable[tuple[str, Mapping[str, Any]]], file: Path) -> tuple[list[Row], list[str]]:
    rows, faults = [], []
    for place, entry in entries:
        row = _row(place, {str(key).strip().lower(): value for key, value in entry.items()}, file.parent)
        if isinstance(row, str):
            faults.append(f"{place}: {row}")
        else:
            rows.append(row)
    if not rows and not faults:
        raise UserError(f"{file} lists no image: expected rows with {', '.join(NEEDED)}")
    without_class = [row for row in rows if not row.product]
    if len(without_class) == len(rows):
        return rows, faults
    faults += [f"{row.place}: {row.mask} has no class" for row in without_class]
    return [row for row in rows if row.product], faults


def _row(place: str, entry: Mapping[str, Any], folder: Path) -> Row | str:
    """Or what is wrong with it."""
    text = {key: str(value).strip() for key, value in entry.items() if value is not None}
    missing = [key for key in NEEDED if key not in text or (key != "split" and not text[key])]
    if missing:
        return f"it has no {' and no '.join(missing)}"
    if text["split"] and text["split"].lower() not in PART_WORDS:
        return f"split {text['split']}: expected train, val or test"
    image, mask = (folder / text[key].replace("\\", "/") for key in ("image", "mask"))
    absent = [path for path in (image, mask) if not path.is_file()]
    if absent:
        return f"there is no {' and no '.join(map(str, absent))}"
    part = PART_WORDS.get(text["split"].lower())
    return Row(image, mask, part, text.get("group") or None, text.get("class") or None, place)


def _found(told: Spec, file: Path, products: Sequence[str]) -> Spec:
    """What the data set tells of its classes; products lie on a background."""
    beside = next((name for name in CLASS_FILES if (file.parent / name).is_file()), None)
    return told or beside or products or None


def _samples(
    rows: Sequence[Row], file: Path, options: MaskOptions, stored: Classes
) -> tuple[list[ImageSample], list[str]]:
    """One for each image, with the masks of all its rows, and what is wrong with others."""
    by_key: dict[str, list[Row]] = {}
    for row in rows:
        by_key.setdefault(_key(row.image, file.parent), []).append(row)
    samples, faults = [], []
    for key, several in by_key.items():
        first = several[0]
        fault = _fault(several, stored)
        if fault:
            faults.append(f"{first.image}: {fault}")
            continue
        files = [(row.product, row.mask) for row in several if row.product]
        mask = painting(partial(options.region, stored), files, file) if files else first.mask
        samples.append(ImageSample(key, first.group or key, first.image, mask, UNMEASURED, first.part))
    return samples, faults


def _key(image: Path, folder: Path) -> str:
    return stem_below(image, folder) if image.is_relative_to(folder) else image.with_suffix("").as_posix()


def _fault(rows: Sequence[Row], stored: Classes) -> str | None:
    """Of the rows of one image."""
    places = ", ".join(row.place for row in rows)
    if len({row.image for row in rows}) > 1:
        return f"two pictures of one name ({places})"
    if len({(row.part, row.group) for row in rows}) > 1:
        return f"its rows are of several splits or groups ({places})"
    if len(rows) > 1 and not all(row.product for row in rows):
        return f"it is listed {len(rows)} times ({places}), and only masks of classes, in a column class, may be many"
    unknown = sorted({row.product for row in rows if row.product and row.product not in stored.names})
    return f"there is no class {', '.join(unknown)}: the classes are {', '.join(stored.names)}" if unknown else None
