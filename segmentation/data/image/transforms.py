"""Augmentation: albumentations transforms whose draw is a pure function of a seed."""

import os
import random
from collections.abc import Sequence

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # before the import: it would ask the network for news
import albumentations


class Augmentation:
    """Random transforms of an image and its mask together.

    Every call is seeded: albumentations' own state repeats itself in every worker and every epoch. All transforms draw
    from the same two generators: `Compose.set_random_seed` would give each its own of the same seed, and those of equal
    probability would then happen together or not at all.
    """

    def __init__(self, transforms: Sequence[albumentations.BasicTransform]) -> None:
        self._compose = albumentations.Compose(list(transforms), strict=True)

    def __call__(self, image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """`image` `[H, W, 3]` uint8 and `mask` `[H, W]` uint8 -> the same, of a size that the transforms decide."""
        self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        result = self._compose(image=image, mask=mask)
        return result["image"], result["mask"]
