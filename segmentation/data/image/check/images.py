"""One look at every image: whether it can be read, its size, and what tells copies of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import cv2
import numpy as np
from PIL import Image

from segmentation.data.check.findings import Example, Finding, Severity, number
from segmentation.data.fingerprint import fingerprint
from segmentation.data.image.check.intact import check_sums
from segmentation.data.image.files import Size
from segmentation.data.image.scan import look_at_all
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.data.kept import keep_arrays, read_arrays

DIGEST_BYTES = 16
HASH_BYTES = 8
FLAT = 2.0  # of 255, standard deviation of grey: of a plain picture a perceptual hash is noise


@dataclass(frozen=True)
class ImageScan:
    """Of each sample: `sizes` `[N, 2]` height and width, 0 where the image is unreadable, which `errors` tells by key;
    `digests` `[N, 16]` uint8, the same for the same pixels; `hashes` `[N, 8]` uint8, 64 bits of which few differ
    between pictures that look alike (of no use where `flat` `[N]` bool).
    """

    keys: tuple[str, ...]
    sizes: np.ndarray
    digests: np.ndarray
    hashes: np.ndarray
    flat: np.ndarray
    errors: Mapping[str, str]

    def contents(self) -> dict[str, bytes]:
        """By key, of the images that can be read: the same bytes for the same pixels."""
        digests = zip(self.keys, self.digests, strict=True)
        return {key: digest.tobytes() for key, digest in digests if key not in self.errors}


Look = tuple[Size, bytes, np.ndarray, bool]
UNREADABLE: Look = ((0, 0), bytes(DIGEST_BYTES), np.zeros(HASH_BYTES, np.uint8), True)


def scan_images(source: ImageSource, advance: Callable[[], None] = lambda: None) -> ImageScan:
    """Read all images, several at a time, or take what an earlier scan of the same files found."""
    keys = tuple(sample.key for sample in source.samples)
    name = _name(source)
    kept = None if name is None else read_arrays(name)
    if kept is not None and kept.keys() == {"sizes", "digests", "hashes", "flat"}:
        return ImageScan(keys, **kept, errors={})
    scan = _scan(source, keys, advance)
    if name is not None and not scan.errors:  # they may be of the moment
        arrays = {"sizes": scan.sizes, "digests": scan.digests, "hashes": scan.hashes, "flat": scan.flat}
        keep_arrays(name, arrays)
    return scan


def _name(source: ImageSource) -> str | None:
    """What the scan is kept under; None where images are no files, of which nothing tells when they change."""
    files = {sample.image for sample in source.samples}
    if not all(file.is_file() for file in files):
        return None
    wanted = [(sample.key, sample.image) for sample in source.samples]
    return f"images-{fingerprint(files, wanted, source.pixels)}"


def _scan(source: ImageSource, keys: tuple[str, ...], advance: Callable[[], None]) -> ImageScan:
    def look(sample: ImageSample) -> Look:
        if sample.frame is None:
            check_sums(sample.image)
        return _look(source.read_image(sample))

    looks, errors = look_at_all(source.samples, look, UNREADABLE, advance)
    return ImageScan(
        keys,
        np.array([size for size, _, _, _ in looks], np.int64).reshape(len(keys), 2),
        np.array([np.frombuffer(digest, np.uint8) for _, digest, _, _ in looks]).reshape(len(keys), DIGEST_BYTES),
        np.array([bits for _, _, bits, _ in looks]).reshape(len(keys), HASH_BYTES),
        np.array([flat for _, _, _, flat in looks], bool),
        errors,
    )


def _look(image: np.ndarray) -> Look:
    digest = blake2b(
        np.ascontiguousarray(image).data, digest_size=DIGEST_BYTES, key=repr(image.shape).encode()
    ).digest()
    grey = grey_of(image)
    return (image.shape[0], image.shape[1]), digest, perceptual_hash(grey), float(cv2.meanStdDev(grey)[1][0, 0]) < FLAT


def grey_of(image: np.ndarray) -> np.ndarray:
    """`[H, W]` uint8 of an image `[H, W, channels]`, uint8 or float32 in [0, 1]; the mean of bands other than RGB."""
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    mean = image.mean(axis=2, dtype=np.float32)
    return (mean if image.dtype == np.uint8 else mean * 255).astype(np.uint8)


def perceptual_hash(grey: np.ndarray) -> np.ndarray:
    """64 bits `[8]` uint8: the signs of the lowest frequencies (phash; Zauner 2010)."""
    import imagehash  # brings SciPy, a third of a second that training should not wait for

    return np.packbits(imagehash.phash(Image.fromarray(grey)).hash)


def image_findings(scan: ImageScan) -> Iterator[Finding]:
    if scan.errors:
        examples = tuple(Example(error, (key,)) for key, error in scan.errors.items())
        yield Finding("unreadable image", Severity.FAULT, f"{number(len(examples), 'image')} cannot be read", examples)
