"""Labels that are pictures: one file a mask, whose colours or numbers stand for classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.files import read_indices, read_stored
from segmentation.data.image.source import ImageSample, StoredValue
from segmentation.errors import UserError


class Decoder(Protocol):
    """From a picture as stored to class ids `[H, W]` uint8. Raises `UserError` for a picture of another kind."""

    @property
    def classes(self) -> Classes: ...

    @property
    def of_indices(self) -> bool:
        """Whether a picture with a palette is decoded by its numbers rather than by its colours."""
        ...

    def __call__(self, stored: np.ndarray) -> np.ndarray: ...

    def unknown(self, stored: np.ndarray, ids: np.ndarray) -> Mapping[StoredValue, int]:
        """Pixels by stored value, of the values that are neither a class nor known to be ignored."""
        ...


@dataclass(frozen=True)
class PictureLabels:
    """`sample.mask` is the path of a picture that `decode` understands."""

    decode: Decoder

    @property
    def classes(self) -> Classes:
        return self.decode.classes

    def read(self, sample: ImageSample) -> np.ndarray:
        return self._decoded(sample.mask)[1]

    def look(self, sample: ImageSample) -> tuple[np.ndarray, Mapping[StoredValue, int]]:
        stored, ids = self._decoded(sample.mask)
        ignores = bool((ids == self.classes.ignore_index).any())
        return ids, self.decode.unknown(stored, ids) if ignores else {}

    def files(self, sample: ImageSample) -> tuple[Path, ...]:
        return (sample.mask,)

    def _decoded(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        stored = read_indices(path) if self.decode.of_indices else read_stored(path)
        try:
            return stored, self.decode(stored)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
