"""Training samples: resized, cropped, mixed with others and transformed, as a draw says."""

import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.augmentation.crops import Pair, class_in, crop_with_class, random_crop
from segmentation.data.image.augmentation.mixing import classmix, copy_paste, cutmix, mosaic
from segmentation.data.image.augmentation.options import Augmentation
from segmentation.data.image.files import Size
from segmentation.data.image.resized import ResizedSamples
from segmentation.data.rarity import named_class_chances, rare_class_chances
from segmentation.data.sampler import Draw
from segmentation.errors import UserError


class TrainingSamples:
    """`samples(draw)` is the image `[H, W, channels]` and the mask `[H, W]` of a draw, and a pure function of it.

    `counts` `[N, C]` are the pixels of each class in each sample. Where crops or copy-paste ask for rare classes, they
    say which these are and who has them.
    """

    def __init__(
        self,
        resized: ResizedSamples,
        image_size: Size | None,
        augmentation: Augmentation,
        classes: Classes,
        counts: np.ndarray | None,
    ) -> None:
        self.resized, self.image_size, self.ignore_index = resized, image_size, classes.ignore_index
        self.crop, self.mixing = augmentation.crop, augmentation.mixing
        self.transforms = augmentation.for_training()
        asked = self.crop.rare_probability > 0 or self.mixing.copy_paste > 0
        counts = counts if asked and counts is not None else np.zeros((len(resized), len(classes)), np.int64)
        names = augmentation.rare_classes
        chances = rare_class_chances(counts) if names is None else named_class_chances(names, classes.names)
        self.chances = chances * (counts > 0).any(axis=0)
        self.holders = [np.flatnonzero(counts[:, class_id]) for class_id in range(len(classes))]
        if asked and not self.chances.any():
            raise UserError(
                f"augmentation.rare_classes={names}: no training sample has a rare class; name others, or turn "
                "augmentation.crop.rare_probability and augmentation.mixing.copy_paste off"
            )

    def __call__(self, draw: Draw) -> Pair:
        """Raises `UserError` for a file that cannot be read and for an image that a transform cannot deal with."""
        rng = np.random.default_rng((draw.seed, 1))  # the transforms have the seed for themselves
        pair = self._mixed(self._cropped(draw, rng), draw.size, rng)
        return self.transforms(*pair, draw.seed)

    def _read(self, index: int, size: Size | None) -> Pair:
        """Resized so that a crop of another `size` than crop.size shows as much as one of crop.size."""
        if self.crop.size is None:
            return self.resized.read(index, size or self.image_size)
        if size in (None, self.crop.size):
            return self.resized.read(index, self.image_size)
        height, width = self.image_size or self.resized.samples[index].size
        scales = size[0] / self.crop.size[0], size[1] / self.crop.size[1]
        return self.resized.read(index, (round(height * scales[0]), round(width * scales[1])))

    def _cropped(self, draw: Draw, rng: np.random.Generator) -> Pair:
        pair = self._read(draw.index, draw.size)
        if self.crop.size is None:
            return pair
        rare = class_in(pair[1], self.chances, rng) if rng.random() < self.crop.rare_probability else None
        window = draw.size or self.crop.size
        if rare is None:
            return random_crop(pair, window, self.ignore_index, rng)
        return crop_with_class(pair, window, rare, self.ignore_index, rng)

    def _mixed(self, pair: Pair, size: Size | None, rng: np.random.Generator) -> Pair:
        """`size` is that of the draw; all pairs that are mixed are as large as the first."""
        window = (pair[1].shape[0], pair[1].shape[1])

        def partner() -> Pair:
            index = int(rng.integers(len(self.resized)))
            return random_crop(self._read(index, size), window, self.ignore_index, rng)

        if rng.random() < self.mixing.mosaic:
            pair = mosaic([pair, partner(), partner(), partner()], self.ignore_index, rng)
        if rng.random() < self.mixing.cutmix:
            pair = cutmix(pair, partner(), rng)
        if rng.random() < self.mixing.classmix:
            pair = classmix(pair, partner(), self.ignore_index, rng)
        if rng.random() < self.mixing.copy_paste:
            pair = copy_paste(pair, self._partner_with_rare_class(size, window, rng), np.flatnonzero(self.chances), rng)
        return pair

    def _partner_with_rare_class(self, size: Size | None, window: Size, rng: np.random.Generator) -> Pair:
        rare = int(rng.choice(len(self.chances), p=self.chances / self.chances.sum()))
        pair = self._read(int(rng.choice(self.holders[rare])), size)
        if not (pair[1] == rare).any():  # lost when the mask was made smaller
            return random_crop(pair, window, self.ignore_index, rng)
        return crop_with_class(pair, window, rare, self.ignore_index, rng)
