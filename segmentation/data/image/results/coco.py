"""Areas as COCO json: a file for each picture, and one of all of them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.files import Size
from segmentation.data.image.results.polygons import Area
from segmentation.data.patch import Patch
from segmentation.data.run_lengths import RunLengths
from segmentation.runtime.files import read_json, write_atomically, write_json


def write_coco(path: Path, file_name: str, size: Size, areas: Iterable[Area], classes: Classes) -> None:
    """Of one picture, whose id is 1. Category ids are those of the classes plus 1.

    An area without holes is a polygon along the edges of its pixels, one with holes compressed run lengths, which are
    not simplified: COCO's polygons know no holes. `area` is in pixels, `score` the mean confidence where it is known.
    """
    image = {"id": 1, "file_name": file_name, "height": size[0], "width": size[1]}
    annotations = [_annotation(number, area, size) for number, area in enumerate(areas, start=1)]
    content = {"images": [image], "categories": _categories(classes), "annotations": annotations}
    write_json(path, content, indent=None)


def join_coco(path: Path, parts: Sequence[Path], classes: Classes) -> None:
    """One file of those of many pictures, in their order, with one of them in the memory."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(f'{{"categories": {_text(_categories(classes))},\n"images": [')
            file.writelines(_listed(_images(parts)))
            file.write('],\n"annotations": [')
            file.writelines(_listed(_annotations(parts)))
            file.write("]}\n")

    write_atomically(path, write)


def _images(parts: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for number, part in enumerate(parts, start=1):
        yield read_json(part)["images"][0] | {"id": number}


def _annotations(parts: Sequence[Path]) -> Iterator[dict[str, Any]]:
    numbers = count(1)
    for image, part in enumerate(parts, start=1):
        for annotation in read_json(part)["annotations"]:
            yield annotation | {"id": next(numbers), "image_id": image}


def _listed(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line each, with commas between them."""
    for number, entry in enumerate(entries):
        yield f"{',' if number else ''}\n{_text(entry)}"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _categories(classes: Classes) -> list[dict[str, Any]]:
    return [
        {"id": entry["id"] + 1, "name": entry["name"], "supercategory": "", "color": entry["color"]}
        for entry in classes.to_entries()
    ]


def _annotation(number: int, area: Area, size: Size) -> dict[str, Any]:
    mask, top, left = area.patch
    has_holes = len(area.rings) > 1
    annotation = {
        "id": number,
        "image_id": 1,
        "category_id": area.class_id + 1,
        "segmentation": _run_lengths(area.patch, size) if has_holes else [area.rings[0].ravel().tolist()],
        "area": area.pixels,
        "bbox": [left, top, mask.shape[1], mask.shape[0]],
        "iscrowd": 0,
    }
    return annotation if area.confidence is None else annotation | {"score": round(area.confidence, 4)}


def _run_lengths(patch: Patch, size: Size) -> dict[str, Any]:
    """Of the picture in which the patch is, column by column, without making that picture."""
    edges = np.diff(np.pad(patch.mask, ((1, 1), (0, 0))).view(np.int8), axis=0)  # 1 where a run begins, -1 below it
    columns, rows = np.nonzero(edges.T)
    ends = (patch.left + columns) * size[0] + patch.top + rows
    where, times = np.unique(ends, return_counts=True)  # a run from the bottom goes on at the next column's top
    runs = np.diff(where[times == 1], prepend=0, append=size[0] * size[1])
    return {"size": list(size), "counts": RunLengths.of(runs.tolist(), size).counts.decode()}
