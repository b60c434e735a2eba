"""The pixels of texture images inside each face. F faces, up to K pixels each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.errors import UserError

AT_ONCE = 2**16  # faces
PLASTIC = 1.32471795724474602596  # of Roberts' sequence in two dimensions

Image.MAX_IMAGE_PIXELS = None  # the atlas of a tile of a city is large


def sample_pixels(
    uv: np.ndarray, image: np.ndarray, images: Sequence[np.ndarray], most: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels `[F, most, 3]` uint8 and how many each face has, `[F]` uint16: as many as it covers, at least one, up to
    `most`; none without an image. What is beyond the count is 0 and means nothing.

    `uv` `[F, 3, 2]`, `image` `[F]`: which of `images` (`[H, W, 3]` uint8) it is, -1 none. Images repeat: each sample's
    u and v are taken modulo 1, v pointing up. The places are stratified: the first n points of Roberts' R2 sequence
    (http://extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences) cover a face evenly for any n,
    shifted by a random amount for each face.
    """
    pixels, counts = np.zeros((len(uv), most, 3), np.uint8), np.zeros(len(uv), np.uint16)
    shifts = np.random.default_rng(seed).random((len(uv), 1, 2), np.float32)
    for number, picture in enumerate(images):
        shown = np.flatnonzero(image == number)
        counts[shown] = np.clip(np.ceil(_covered(uv[shown], picture)), 1, most)
        for faces in np.split(shown, range(AT_ONCE, len(shown), AT_ONCE)):
            pixels[faces] = _at(picture, _places(uv[faces], shifts[faces], most))
    pixels[np.arange(most) >= counts[:, None]] = 0
    return pixels, counts


def read_texture(path: Path) -> np.ndarray:
    """`[H, W, 3]` uint8. Raises `UserError` naming the file."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # of a damaged PNG Pillow says the second
        raise UserError(f"the texture image {path} cannot be read ({' '.join(str(error).split())})") from error


def _covered(uv: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Pixels under each face, `[n]`, repeats of the image counted."""
    first, second = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2 * picture.shape[0] * picture.shape[1]


def _places(uv: np.ndarray, shifts: np.ndarray, most: int) -> np.ndarray:
    """u and v of the samples, `[n, most, 2]`."""
    sequence = np.arange(1, most + 1)[:, None] / np.array([PLASTIC, PLASTIC**2]) % 1
    square = (sequence.astype(np.float32) + shifts) % 1
    inside = np.where(square.sum(axis=2, keepdims=True) > 1, 1 - square, square)  # the upper half folded onto the lower
    corners = np.concatenate([1 - inside.sum(axis=2, keepdims=True), inside], axis=2)
    return corners @ uv.astype(np.float64)


def _at(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """`[n, most, 3]`."""
    height, width = picture.shape[:2]
    column = np.minimum((places[..., 0] % 1 * width).astype(np.int64), width - 1)
    row = np.minimum(((1 - places[..., 1] % 1) * height).astype(np.int64), height - 1)
    return picture[row, column]
