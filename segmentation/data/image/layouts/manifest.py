"""A table of images, masks and splits, as `grocery` reads it."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from segmentation.data.image.source import ImageSample
from segmentation.errors import UserError
from segmentation.runtime.files import write_atomically


def can_be_listed(samples: Sequence[ImageSample]) -> bool:
    """Whether each has an image and a mask file of its own."""
    return all(isinstance(sample.mask, Path) and sample.frame is None for sample in samples)


def write_manifest(path: Path, parts: Mapping[str, Sequence[ImageSample]]) -> None:
    """CSV with image, mask, split and group of samples that `can_be_listed`; the files' paths start at the manifest's
    folder. Raises `UserError` where no file can be written.
    """
    samples = [(part, sample) for part, members in parts.items() for sample in members]

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
