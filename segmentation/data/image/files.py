"""Reading picture files as they are stored."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from segmentation.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg")
EXIF_ORIENTATION = 0x0112
Size = tuple[int, int]

cv2.setNumThreads(0)  # OpenCV's own threads fight with the loader's workers and do not survive a fork


def read_image(path: Path) -> np.ndarray:
    """RGB `[H, W, 3]` uint8; transparency is dropped, grey becomes three equal channels, EXIF rotation is applied."""
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_stored(path: Path) -> np.ndarray:
    """As stored, channels in OpenCV's order: `[H, W]`, `[H, W, 3]` (BGR) or `[H, W, 4]` (BGRA); for label pictures."""
    return _decode(path, cv2.IMREAD_UNCHANGED)


def _decode(path: Path, flags: int) -> np.ndarray:
    try:
        encoded = np.fromfile(path, np.uint8)  # not cv2.imread: it cannot open names beyond ASCII on Windows
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    decoded = cv2.imdecode(encoded, flags) if encoded.size else None
    if decoded is None:
        raise UserError(f"{path} is no readable picture: it is damaged or cut short; restore or remove it")
    return decoded


def stored_size(path: Path, rotate: bool) -> Size:
    """(height, width) from the file's header, with EXIF rotation applied where `rotate`. Raises `UserError`."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            # not image.getexif(): of a PNG it decodes all pixels, 600 times the time
            turned = rotate and Image.Image.getexif(image).get(EXIF_ORIENTATION, 1) >= 5
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"{path} is no readable picture") from error
    return (width, height) if turned else (height, width)
