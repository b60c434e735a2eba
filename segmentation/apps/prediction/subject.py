"""What the model is asked about: a picture that was read ahead, a large one, or a frame of a video."""

from collections.abc import Sequence

import numpy as np

from segmentation.data.image.files import Size
from segmentation.data.image.inputs import Picture
from segmentation.data.image.resized import resize_image


class Subject:
    """As `inference.scoring.Pixels` has it. `image` `[H, W, bands]` is None where it is large; `picture` is None of a
    frame.
    """

    def __init__(
        self, key: str, image: np.ndarray | None, sizes: Sequence[Size | None], picture: Picture | None = None
    ) -> None:
        """Resized here to `sizes`, in the thread that reads."""
        self.key, self.image, self.picture = key, image, picture
        self._resized = {} if image is None else {size: resize_image(image, size) for size in sizes if size}

    @classmethod
    def of(cls, picture: Picture, sizes: Sequence[Size | None]) -> "Subject":
        """A picture that is not large is decoded, and kept here alone. Raises `UserError` naming the file."""
        if picture.is_large:
            return cls(picture.key, None, sizes, picture)
        image = picture.read()
        picture.close()
        return cls(picture.key, image, sizes, picture)

    @property
    def size(self) -> Size:
        if self.image is not None:
            return self.image.shape[0], self.image.shape[1]
        assert self.picture is not None
        return self.picture.size

    @property
    def is_large(self) -> bool:
        return self.image is None

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        if self.image is not None:
            return self.image[rows, columns]
        assert self.picture is not None
        return self.picture.read(rows, columns)

    def resized(self, size: Size | None) -> np.ndarray:
        assert self.image is not None
        return self.image if size is None else self._resized[size]
