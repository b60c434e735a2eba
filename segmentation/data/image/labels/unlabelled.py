"""Labels of images that have none: for prediction and for looking at them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.source import ImageSample, StoredValue


@dataclass(frozen=True)
class NoLabels:
    """Everything is ignored; there is nothing to train on."""

    classes: Classes

    def read(self, sample: ImageSample) -> np.ndarray:
        return np.full(sample.size, self.classes.ignore_index, np.uint8)

    def look(self, sample: ImageSample) -> tuple[np.ndarray, Mapping[StoredValue, int]]:
        return self.read(sample), {}

    def files(self, sample: ImageSample) -> tuple[Path, ...]:
        return ()
