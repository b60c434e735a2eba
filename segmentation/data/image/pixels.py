"""What the numbers of an image mean: uint8 of 0-255, or float32 in [0, 1]."""

from collections.abc import Sequence

import cv2
import numpy as np

from segmentation.errors import UserError

ROUNDING = 1e-4  # how far floats may leave [0, 1]
COLORS = (3, 4)  # bands of a picture in colour, without and with transparency


def in_range(stored: np.ndarray, max_value: float | None) -> np.ndarray:
    """uint8 as it is, everything else as float32 in [0, 1], of which the stored `max_value` is 1; what is outside is
    clipped to it. Without one it is the largest number of the type, and 1 for floats.

    Raises `UserError` for NaN and infinity, and for what is outside where there is no `max_value`.
    """
    if stored.dtype == np.uint8 and max_value is None:
        return stored
    whole = np.issubdtype(stored.dtype, np.integer)
    one = max_value or (float(np.iinfo(stored.dtype).max) if whole else 1.0)
    scaled = stored.astype(np.float32) / np.float32(one)
    least, most = scaled.min(), scaled.max()
    if not np.isfinite(least + most):
        raise UserError("holds values that are no numbers (NaN, infinity): fill them")
    if max_value is None and (least < -ROUNDING or most > 1 + ROUNDING):
        kind = "numbers" if whole else "floats"
        raise UserError(
            f"holds {kind} from {stored.min():g} to {stored.max():g}: set dataset.max_value to the value that means 1 "
            "(what is below 0 or above it is then clipped)"
        )
    return np.clip(scaled, 0, 1)


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """`[H, W, bands]` as `in_range` makes it -> `[H, W, channels]` where grey and colours can become each other:
    transparency is dropped. Else as it is.
    """
    bands = image.shape[2]
    if channels == 3 and bands == 1:
        return np.repeat(image, 3, axis=2)
    if channels == 3 and bands in COLORS:
        return np.ascontiguousarray(image[..., :3])
    if channels == 1 and bands in COLORS:
        return cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY)[..., None]
    return image


def of_one_kind(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """All float32 in [0, 1] where only some are, so that they can be put together."""
    if len({image.dtype for image in images}) == 1:
        return list(images)
    return [in_range(image, 255) if image.dtype == np.uint8 else image for image in images]


def as_rgb(image: np.ndarray) -> np.ndarray:
    """`[H, W, 3]` uint8 of an image `[H, W, bands]` uint8 or float32 in [0, 1]: its first three bands, or the first.

    Floats, which mostly come from sensors that use little of their range, are spread from their 2nd to their 98th
    percentile.
    """
    shown = image[..., :3] if image.shape[2] >= 3 else image[..., :1].repeat(3, axis=2)
    if shown.dtype != np.uint8:
        low, high = np.percentile(shown, (2, 98))
        spread = (shown - low) / (high - low) if high > low else shown
        shown = (np.clip(spread, 0, 1) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(shown)
