"""Label errors made on purpose: regions of a label picture painted as another class, for tests of what finds them."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

FEWEST = 400  # pixels of a planted region
LARGEST_WHOLE = 4000  # pixels: of larger regions a part is painted
RADII = (14, 40)  # pixels: of the disc that cuts a part out of a region


@dataclass(frozen=True)
class Planted:
    """`where` `[H, W]` bool are the pixels of sample `key` that showed class `shown` and are now labelled `painted`."""

    key: str
    where: np.ndarray
    shown: int
    painted: int


def planted(masks: Mapping[str, np.ndarray], num_classes: int, count: int, seed: int) -> list[Planted]:
    """`count` regions in as many samples, chosen at random as the seed says; `masks` are class ids `[H, W]`.

    In a sample a class is drawn among those with a connected region of enough pixels, then a region of it, whole or a
    disc's part of it, then the class it is painted as, among the others that the sample shows.
    """
    random = np.random.default_rng(seed)
    regions: list[Planted] = []
    for key in random.permutation(sorted(masks)):
        region = _planted_in(masks[key], num_classes, random)
        if region is not None:
            regions.append(Planted(str(key), *region))
        if len(regions) == count:
            return regions
    raise ValueError(f"only {len(regions)} of {count} samples have a region of {FEWEST} pixels")


def _planted_in(mask: np.ndarray, num_classes: int, random: np.random.Generator) -> tuple[np.ndarray, int, int] | None:
    present = [index for index in range(num_classes) if (mask == index).sum() >= FEWEST]
    by_class = {index: _large_regions(mask == index) for index in present}
    shown = [index for index, found in by_class.items() if found]
    if not shown or len(present) < 2:
        return None
    chosen = int(random.choice(shown))
    region = by_class[chosen][random.integers(len(by_class[chosen]))]
    where = region if region.sum() <= LARGEST_WHOLE else _part_of(region, random)
    return where, chosen, int(random.choice([index for index in present if index != chosen]))


def _large_regions(pixels: np.ndarray) -> list[np.ndarray]:
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(pixels.astype(np.uint8))
    return [numbers == number for number in range(1, count) if stats[number, cv2.CC_STAT_AREA] >= FEWEST]


def _part_of(region: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What a disc around one of its pixels covers of a region and hangs together there."""
    rows, columns = np.nonzero(region)
    while True:
        place = random.integers(len(rows))
        disc = np.zeros(region.shape, np.uint8)
        cv2.circle(disc, (int(columns[place]), int(rows[place])), int(random.integers(*RADII)), 1, cv2.FILLED)
        parts = _large_regions(region & (disc > 0))
        if parts:
            return parts[0]
