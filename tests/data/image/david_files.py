"""Small data sets in the DAVID layout, written as files."""

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segmentation.classes import Classes
from segmentation.data.image.source import ImageSource

ENTRIES: list[dict[str, Any]] = [
    {"name": "road", "color": [128, 64, 128]},
    {"name": "car", "color": [0, 0, 142]},
    {"name": "pole", "color": [153, 153, 153]},
    {"name": "void", "color": [0, 0, 0]},
]
CLASSES = Classes.from_entries(ENTRIES)
SHARED_DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
CONF = Path(__file__).resolve().parents[3] / "conf"


def write_picture(path: Path, pixels: np.ndarray) -> Path:
    """`pixels` `[H, W]`, `[H, W, 3]` RGB or `[H, W, 4]` RGBA, uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def jpeg(pixels: np.ndarray, quality: int) -> bytes:
    content = BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=quality)
    return content.getvalue()


def decoded(content: bytes) -> np.ndarray:
    """A JPEG or PNG as RGB `[H, W, 3]`."""
    return np.asarray(Image.open(BytesIO(content)).convert("RGB"))


def random_image(seed: int, size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def random_ids(seed: int, size: tuple[int, int], classes: int = len(CLASSES)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, size, dtype=np.uint8)


def write_frame(root: Path, video: str, stem: str, ids: np.ndarray, seed: int = 0, suffix: str = ".png") -> None:
    """A noise image and the mask of these ids, painted in `CLASSES`."""
    write_picture(root / "Images" / video / f"{stem}{suffix}", random_image(seed, (ids.shape[0], ids.shape[1])))
    write_picture(root / "Labels" / video / f"{stem}.png", CLASSES.paint(ids))


def write_david(root: Path, videos: Mapping[str, int], size: tuple[int, int] = (6, 8), suffix: str = ".png") -> Path:
    """`videos` says how many frames each has: random pixels, named 0000, 0001, ..."""
    for place, (video, frames) in enumerate(videos.items()):
        for frame in range(frames):
            seed = 1000 * place + frame
            write_frame(root, video, f"{frame:04d}", random_ids(seed, size), seed, suffix)
    return root


def with_swapped_masks(source: ImageSource) -> ImageSource:
    """The first two samples have each other's masks."""
    first, second, *others = source.samples
    swapped = replace(first, mask=second.mask), replace(second, mask=first.mask)
    return replace(source, samples=(*swapped, *others))
