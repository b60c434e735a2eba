"""Pictures in memory that are asked about, with a note of what was read of them."""

from dataclasses import dataclass, field

import numpy as np

from segmentation.data.image.resized import resize_image
from segmentation.inference.windows import Size


@dataclass
class Held:
    image: np.ndarray
    is_large: bool = False
    reads: list[tuple[int, int, int, int]] = field(default_factory=list)

    @property
    def size(self) -> Size:
        return self.image.shape[0], self.image.shape[1]

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        self.reads.append((rows.start, rows.stop, columns.start, columns.stop))
        return self.image[rows, columns]

    def resized(self, size: Size | None) -> np.ndarray:
        assert not self.is_large, "a large picture is not held as a whole"
        return self.image if size is None else resize_image(self.image, size)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
