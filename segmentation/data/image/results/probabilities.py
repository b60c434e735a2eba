"""How sure a model is: of every class, or of the one that it says."""

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from segmentation.data.image.georeference import MapPlace
from segmentation.data.image.results.colour import write_png
from segmentation.data.image.results.strips import Strips, write_tiff
from segmentation.runtime.files import write_atomically

NAME = "probabilities"


def write_probabilities(path: Path, probabilities: np.ndarray) -> None:
    """`[C, H, W]` in [0, 1] as .npz, `probabilities` in it being `[C, H, W]` float16."""
    halves = (np.ascontiguousarray(of_class, np.float16) for of_class in probabilities)
    _write(path, probabilities.shape, halves)


def write_large_probabilities(path: Path, probabilities: Sequence[Strips]) -> None:
    """The same from a `Strips` of float16 for each class."""
    height, width = probabilities[0].size
    _write(path, (len(probabilities), height, width), (strip for of_class in probabilities for strip in of_class))


def write_confidence(path: Path, confidence: np.ndarray) -> None:
    """`[H, W]` in [0, 1] as grey PNG, 255 being 1."""
    write_png(path, as_bytes(confidence))


def write_large_confidence(path: Path, confidence: Strips, place: MapPlace | None = None) -> None:
    """The same as a tiled TIFF, of what `as_bytes` made."""
    write_tiff(path, confidence, confidence.size, np.uint8, place)


def as_bytes(confidence: np.ndarray) -> np.ndarray:
    """[0, 1] -> 0-255, uint8."""
    return np.clip(np.rint(confidence * np.float32(255)), 0, 255).astype(np.uint8)


def _write(path: Path, shape: tuple[int, ...], parts: Iterable[np.ndarray]) -> None:
    """What `numpy.savez` writes, which wants the array as a whole. Deflating would take half a second of a picture of
    720 x 960 pixels, and gain little.
    """

    def write(temporary: Path) -> None:
        with (
            zipfile.ZipFile(temporary, "w") as archive,
            archive.open(f"{NAME}.npy", "w", force_zip64=True) as file,
        ):
            header = {"descr": "<f2", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(file, header)
            for part in parts:
                file.write(part.astype("<f2", copy=False).data)

    write_atomically(path, write)
