"""Reading picture files: as pixels for a model, or as they are stored, for masks."""

import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError
from tifffile import TiffFileError

from segmentation.data.image.pixels import COLORS, in_range, with_channels
from segmentation.errors import UserError

JPEG, TIFF, NUMPY = (".jpg", ".jpeg", ".jfif"), (".tif", ".tiff"), ".npy"
SUFFIXES = (".png", *JPEG, ".bmp", ".webp", *TIFF, NUMPY, ".gif", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm")
WITH_PALETTE = (".png", ".bmp", ".gif", *TIFF)
EXIF_ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)  # orientations with height and width exchanged
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"  # how a file begins; byte 24 is its number of bits, byte 25 its kind:
PNG_GREY, PNG_PALETTE = 0, 3
Size = tuple[int, int]

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong is told in one line of ours
cv2.setNumThreads(0)  # OpenCV's own threads fight with the loader's workers and do not survive a fork
Image.MAX_IMAGE_PIXELS = None  # microscopy and aerial pictures are large; only headers are read with Pillow


@dataclass(frozen=True)
class PixelFormat:
    """How many bands pictures have, and the stored value that means 1.

    `max_value` None: 8-bit pictures stay uint8 of 0-255, 16-bit ones are divided by 65535, floats are in [0, 1] as is.
    """

    channels: int = 3
    max_value: float | None = None


RGB = PixelFormat()


def read_image(path: Path, pixels: PixelFormat = RGB, at_least: Size | None = None) -> np.ndarray:
    """`[H, W, channels]`, uint8 of 0-255 or float32 in [0, 1]; colours in the order RGB(A), EXIF rotation applied.

    Three channels: transparency is dropped, grey becomes three equal channels. One channel: colours become grey. Any
    other number must be that of the file. Values are as `in_range` makes them. A JPEG of at least twice the height and
    width of `at_least` is decoded at a half, quarter or eighth of its size, never below `at_least`. Raises `UserError`
    naming the file.
    """
    suffix = path.suffix.lower()
    if suffix == NUMPY:
        stored = _bands_last(_load_numpy(path))
    elif suffix in TIFF and pixels.channels not in (1, 3):  # OpenCV multiplies colours by their alpha
        stored = _load_tiff(path)
    else:
        try:
            stored = _read_colors(path, pixels.channels, at_least)
        except UserError as error:
            raise _why_undecoded(path, error) from error
    return in_format(stored if stored.ndim > 2 else stored[..., None], pixels, path)


def in_format(stored: np.ndarray, pixels: PixelFormat, path: Path) -> np.ndarray:
    """`[h, w, bands]` as stored in `path`, or a part of it -> what `read_image` gives. Raises `UserError` naming it."""
    try:
        image = in_range(stored, pixels.max_value)
    except UserError as error:
        raise UserError(f"{path} {error}") from error
    if image.ndim == 3:
        image = with_channels(image, pixels.channels)
    if image.ndim != 3 or image.shape[2] != pixels.channels:
        raise UserError(
            f"{path} is of shape {'x'.join(map(str, image.shape))}: expected {pixels.channels} channels "
            "(dataset.in_channels)"
        )
    return image


def _read_colors(path: Path, channels: int, at_least: Size | None) -> np.ndarray:
    if channels == 3:
        flags = cv2.IMREAD_ANYDEPTH
        if at_least is not None and path.suffix.lower() in JPEG:
            flags = _REDUCED.get(_reduction(stored_size(path, rotate=True), at_least), flags)
        return _decode(path, flags | cv2.IMREAD_COLOR_RGB)
    if channels == 1:
        return _decode(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    stored = upright(_decode(path, cv2.IMREAD_UNCHANGED), _header(path)[1])  # unchanged means not turned either
    return cv2.cvtColor(stored, cv2.COLOR_BGRA2RGBA) if stored.ndim == 3 and stored.shape[2] == 4 else stored


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """`[H, W, ...]` as EXIF's orientation, 1 to 8, says that it is looked at."""
    turned = stored.swapaxes(0, 1) if orientation in TURNED else stored
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    return np.ascontiguousarray(turned[::rows, ::columns])


_REDUCED = {
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,  # grey but for the colour flag it is joined with
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def _reduction(size: Size, at_least: Size) -> int:
    """The largest of 8, 4, 2 by which `size` may be divided and still hold `at_least`; else 1."""
    return next((by for by in (8, 4, 2) if size[0] // by >= at_least[0] and size[1] // by >= at_least[1]), 1)


def _bands_last(stored: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(stored, 0, 2)) if _bands_first(stored.shape) else stored


def _bands_first(shape: tuple[int, ...]) -> bool:
    """`[bands, H, W]`, as remote sensing has it: there are fewer bands than rows and columns."""
    return len(shape) == 3 and shape[0] < min(shape[1:])


def read_stored(path: Path) -> np.ndarray:
    """As stored, channels in OpenCV's order: `[H, W]`, `[H, W, 3]` (BGR) or `[H, W, 4]` (BGRA); for label pictures.

    The colours of a PNG with a palette; `read_indices` gives its numbers.
    """
    return _load_numpy(path) if path.suffix.lower() == NUMPY else _decode(path, cv2.IMREAD_UNCHANGED)


def read_indices(path: Path) -> np.ndarray:
    """Like `read_stored`, but of a picture with a palette, and of a grey PNG of 1, 2 or 4 bits, the numbers
    themselves: OpenCV makes 0-255 of the greys.
    """
    suffix = path.suffix.lower()
    if suffix not in WITH_PALETTE:
        return read_stored(path)
    if suffix == ".png":  # its header is looked at here: Pillow would take an eighth of the time of reading a mask
        encoded = _read_bytes(path)
        header = encoded[:26].tobytes()
        if header.startswith(PNG) and len(header) == 26 and header[25] != PNG_PALETTE:
            stored, bits = _decoded(path, encoded, cv2.IMREAD_UNCHANGED), header[24]
            return stored // (255 // (2**bits - 1)) if header[25] == PNG_GREY and bits < 8 else stored
    try:
        with Image.open(path) as image:
            if image.mode == "P":
                return np.asarray(image)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise _unreadable(path, error) from error
    return read_stored(path)


def _decode(path: Path, flags: int) -> np.ndarray:
    return _decoded(path, _read_bytes(path), flags)


def _read_bytes(path: Path) -> np.ndarray:
    try:
        return np.frombuffer(path.read_bytes(), np.uint8)  # cv2.imread cannot open names beyond ASCII on Windows
    except OSError as error:
        raise _unreadable(path, error) from error


def _decoded(path: Path, encoded: np.ndarray, flags: int) -> np.ndarray:
    try:
        decoded = cv2.imdecode(encoded, flags) if encoded.size else None
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise UserError(
                f"{path} is larger than OpenCV decodes at once: save it as a tiled TIFF, or raise the environment's "
                "OPENCV_IO_MAX_IMAGE_PIXELS (now 2**30) where there is the memory"
            ) from error
        raise _damaged(path) from error
    if decoded is None:
        raise _damaged(path)
    return decoded


def _load_numpy(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from error
    return array


def _load_tiff(path: Path) -> np.ndarray:
    with tiff_faults(path), tifffile.TiffFile(path) as tiff:
        array, orientation = tiff.asarray(), tiff_orientation(tiff)
    return upright(_bands_last(array), orientation)


@contextmanager
def tiff_faults(path: Path) -> Iterator[None]:
    """What goes wrong with a TIFF in it is a `UserError` naming the file."""
    try:
        yield
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, IndexError, KeyError, RuntimeError, TiffFileError, zlib.error, lzma.LZMAError) as error:
        if "imagecodecs" in str(error):  # which tifffile needs for most compressions
            told = str(error).strip('"')
            raise UserError(f"{path} cannot be read ({told}): pip install imagecodecs") from error
        raise UserError(f"{path} is no readable TIFF ({error}); restore or remove it") from error


def tiff_orientation(tiff: tifffile.TiffFile) -> int:
    """As EXIF has it, 1 where it is not told."""
    tag = tiff.pages.first.tags.get(EXIF_ORIENTATION)
    return 1 if tag is None else int(tag.value)


def _why_undecoded(path: Path, error: UserError) -> UserError:
    """OpenCV decodes no TIFF of other bands than a picture's, and does not say why."""
    if path.suffix.lower() not in TIFF:
        return error
    try:
        shape = _load_tiff(path).shape
    except UserError as told:
        return told
    if len(shape) != 3 or shape[2] in (1, *COLORS):
        return error
    return UserError(f"{path} has {shape[2]} bands: set dataset.in_channels={shape[2]}")


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = error.strerror if isinstance(error, OSError) else None
    return UserError(f"{path} cannot be read ({reason})") if reason else _damaged(path)


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} is no readable picture: it is damaged or cut short; restore or remove it")


def stored_size(path: Path, rotate: bool) -> Size:
    """(height, width) from the file's header, with EXIF rotation applied where `rotate`, and a TIFF's always, as the
    decoder does. Raises `UserError`.
    """
    (height, width), orientation = _header(path)
    turned = orientation in TURNED and (rotate or path.suffix.lower() in TIFF)
    return (width, height) if turned else (height, width)


def _header(path: Path) -> tuple[Size, int]:
    """Height and width as stored, and the orientation, 1 where it is not told."""
    suffix = path.suffix.lower()
    try:
        if suffix == NUMPY:
            return _array_size(np.load(path, mmap_mode="r", allow_pickle=False).shape), 1
        if suffix in TIFF:
            with tifffile.TiffFile(path) as tiff:
                return _array_size(tiff.series[0].shape), tiff_orientation(tiff)
        with Image.open(path) as image:
            # not image.getexif(): of a PNG it decodes all pixels, 600 times the time
            return (image.height, image.width), Image.Image.getexif(image).get(EXIF_ORIENTATION, 1)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, EOFError, IndexError, TiffFileError) as error:
        raise _unreadable(path, error) from error


def _array_size(shape: tuple[int, ...]) -> Size:
    if len(shape) not in (2, 3):
        raise ValueError(f"a picture of shape {shape}")
    return (shape[1], shape[2]) if _bands_first(shape) else (shape[0], shape[1])
