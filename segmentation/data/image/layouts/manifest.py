"""A table of images, masks and splits, as `grocery` reads it."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from segmentation.data.image.source import ImageSample
from segmentation.errors import UserError
from segmentation.runtime.files import write_atomically


def write_manifest(path: Path, parts: Mapping[str, Sequence[ImageSample]]) -> None:
    """CSV with image, mask, split and group; the files' paths start at the manifest's folder.

    Raises `UserError` where masks are no files of their own, or no file can be written.
    """
    samples = [(part, sample) for part, members in parts.items() for sample in members]
    if any(not isinstance(sample.mask, Path) or sample.frame is not None for _, sample in samples):
        raise UserError(f"write_split={path}: this data has no image and mask file for each sample; give a .json")

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("image", "mask", "split", "group"))
            for part, sample in samples:
                places = (Path(os.path.relpath(place, path.parent)).as_posix() for place in (sample.image, sample.mask))
                table.writerow((*places, part, sample.group))

    try:
        write_atomically(path, write)
    except OSError as error:
        raise UserError(f"the split cannot be written to {path} ({error.strerror})") from error
