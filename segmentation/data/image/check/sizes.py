"""Findings from the sizes of images and masks."""

from collections.abc import Iterator

import numpy as np

from segmentation.data.check.findings import Example, Finding, Severity, number
from segmentation.data.image.check.images import ImageScan
from segmentation.data.image.files import Size
from segmentation.data.image.scan import MaskScan

DIVISOR = 32  # encoders halve a picture five times


def size_findings(images: ImageScan, masks: MaskScan, image_size: Size | None) -> Iterator[Finding]:
    """`image_size` is what images are resized to, None as stored."""
    both = (images.sizes[:, 0] > 0) & (masks.sizes[:, 0] > 0)
    unequal = np.flatnonzero(both & (images.sizes != masks.sizes).any(axis=1))
    if len(unequal):
        examples = tuple(
            Example(
                f"{images.keys[row]} {_text(images.sizes[row])}, mask {_text(masks.sizes[row])}", (images.keys[row],)
            )
            for row in unequal
        )
        yield Finding(
            "size mismatch",
            Severity.FAULT,
            f"another size than the image's in {number(len(unequal), 'mask')}",
            examples,
        )
    least = np.maximum(np.array(image_size or (0, 0)) // 2, DIVISOR)
    small = np.flatnonzero((images.sizes[:, 0] > 0) & (images.sizes < least).any(axis=1))
    if len(small):
        examples = tuple(
            Example(f"{images.keys[row]} {_text(images.sizes[row])}", (images.keys[row],)) for row in small
        )
        message = (
            f"{number(len(small), 'image')} below {_text(least)} pixels, half of dataset.image_size and at least "
            f"{DIVISOR}: enlarged, they hold little to learn"
        )
        yield Finding("small image", Severity.WARNING, message, examples)


def _text(size: np.ndarray) -> str:
    return f"{size[1]}x{size[0]}"
