"""Pictures of the samples that a finding speaks of."""

from pathlib import Path

import cv2
import numpy as np

from segmentation.data.image.dataset import ImageItem, collate
from segmentation.data.image.draw import ImageDrawing
from segmentation.data.image.files import read_indices
from segmentation.data.image.pixels import as_rgb
from segmentation.data.image.resized import resize_image
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.data.panels import PANEL_WIDTH
from segmentation.errors import UserError


def sample_picture(source: ImageSource, sample: ImageSample) -> np.ndarray | None:
    """RGB `[h, w, 3]` uint8: image, mask and both with the legend, or what can be read of them; None for nothing."""
    image, mask = _read_image(source, sample), _read_mask(source, sample)
    if image is not None and mask is not None:
        ((_, picture),) = ImageDrawing(source.classes)(collate([ImageItem(image, mask, sample.key)]))
        return picture
    if mask is not None:
        return _to_panel(source.classes.paint(mask))
    return None if image is None else _to_panel(as_rgb(image))


def image_picture(source: ImageSource, sample: ImageSample) -> np.ndarray | None:
    """The image alone, to be shown beside others."""
    image = _read_image(source, sample)
    return None if image is None else _to_panel(as_rgb(image))


def file_picture(path: Path) -> np.ndarray | None:
    """A file that belongs to no sample, ids spread over the greys; None where it cannot be read."""
    try:
        stored = read_indices(path)
    except UserError:
        return None
    if stored.ndim == 2:
        return _to_panel(as_rgb(stored[..., None].astype(np.float32)))
    return _to_panel(as_rgb(stored[..., 2::-1]))


def _read_image(source: ImageSource, sample: ImageSample) -> np.ndarray | None:
    try:
        return source.read_image(sample)
    except UserError:
        return None


def _read_mask(source: ImageSource, sample: ImageSample) -> np.ndarray | None:
    try:
        return source.read_mask(sample)
    except UserError:
        return None


def _to_panel(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    size = (max(round(height * PANEL_WIDTH / width), 1), PANEL_WIDTH)
    if width < PANEL_WIDTH:
        return np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_NEAREST))
    return resize_image(picture, size)
