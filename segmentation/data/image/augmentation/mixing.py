"""Samples made of several: mosaic, CutMix, ClassMix and copy-paste. Each takes pairs of one size (an image
`[H, W, channels]` and its mask `[H, W]`) and makes a new pair; what is ignored in a mask stays ignored. Where images
of bytes and of floats meet, the new one is of floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from segmentation.data.image.augmentation.crops import Pair, random_crop
from segmentation.data.image.pixels import of_one_kind


@dataclass(frozen=True)
class Mixing:
    """How likely each is; they are drawn independently, in this order. Each reads one sample more, mosaic three."""

    mosaic: float = 0.0
    cutmix: float = 0.0
    classmix: float = 0.0
    copy_paste: float = 0.0


def mosaic(pairs: Sequence[Pair], ignore_index: int, rng: np.random.Generator) -> Pair:
    """Four samples around a random point in the middle half: each fills a quarter with a window of itself, unscaled
    (after Bochkovskiy et al., YOLOv4, 2020, arXiv 2004.10934).
    """
    pairs = _of_one_kind(pairs)
    image, mask = (part.copy() for part in pairs[0])
    height, width = mask.shape
    row = int(rng.integers(height // 4, height - height // 4 + 1))
    column = int(rng.integers(width // 4, width - width // 4 + 1))
    quarters = product((slice(0, row), slice(row, height)), (slice(0, column), slice(column, width)))
    for pair, (rows, columns) in zip(pairs, quarters, strict=True):
        size = (rows.stop - rows.start, columns.stop - columns.start)
        image[rows, columns], mask[rows, columns] = random_crop(pair, size, ignore_index, rng)
    return image, mask


def cutmix(pair: Pair, partner: Pair, rng: np.random.Generator) -> Pair:
    """A rectangle of the partner, in its place, of the image's proportions and a random share of its area (Yun et al.
    2019, arXiv 1905.04899; for segmentation French et al. 2020, arXiv 1906.01916).
    """
    height, width = pair[1].shape
    side = np.sqrt(rng.random())
    rows, columns = _stretch(round(height * side), height, rng), _stretch(round(width * side), width, rng)
    inside = np.zeros((height, width), bool)
    inside[rows, columns] = True
    return _pasted(pair, partner, inside)


def _stretch(length: int, total: int, rng: np.random.Generator) -> slice:
    start = int(rng.integers(total - length + 1))
    return slice(start, start + length)


def classmix(pair: Pair, partner: Pair, ignore_index: int, rng: np.random.Generator) -> Pair:
    """All pixels of half of the partner's classes, rounded down, in their place (Olsson et al. 2021, arXiv
    2007.07936).
    """
    present = np.unique(partner[1])
    present = present[present != ignore_index]
    chosen = rng.permutation(present)[: len(present) // 2]
    return _pasted(pair, partner, _of(chosen, partner[1]))


def copy_paste(pair: Pair, partner: Pair, class_ids: np.ndarray, rng: np.random.Generator) -> Pair:
    """All pixels of these classes in the partner, mirrored at random and moved by up to a quarter of the size (after
    Ghiasi et al. 2021, arXiv 2012.07177).
    """
    pair, partner = _of_one_kind([pair, partner])
    image, mask = (part[:, ::-1] for part in partner) if rng.random() < 0.5 else partner
    height, width = mask.shape
    down, right = (int(rng.integers(-(length // 4), length // 4 + 1)) for length in (height, width))
    (from_rows, to_rows), (from_columns, to_columns) = _moved(down, height), _moved(right, width)
    new_image, new_mask = (part.copy() for part in pair)
    where = _of(class_ids, mask[from_rows, from_columns])
    new_image[to_rows, to_columns][where] = image[from_rows, from_columns][where]
    new_mask[to_rows, to_columns][where] = mask[from_rows, from_columns][where]
    return new_image, new_mask


def _moved(by: int, total: int) -> tuple[slice, slice]:
    """Where the pixels come from that are still inside when all move by `by`, and where they go."""
    return slice(max(-by, 0), total - max(by, 0)), slice(max(by, 0), total - max(-by, 0))


def _of(class_ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    table = np.zeros(256, bool)
    table[class_ids] = True
    return table[mask]


def _of_one_kind(pairs: Sequence[Pair]) -> list[Pair]:
    images = of_one_kind([image for image, _ in pairs])
    return [(image, mask) for image, (_, mask) in zip(images, pairs, strict=True)]


def _pasted(pair: Pair, partner: Pair, where: np.ndarray) -> Pair:
    pair, partner = _of_one_kind([pair, partner])
    image, mask = pair[0].copy(), pair[1].copy()
    image[where], mask[where] = partner[0][where], partner[1][where]
    return image, mask
