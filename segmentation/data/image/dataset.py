"""Images and their class ids, ready to be batched."""

import signal
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from segmentation.data.batch import Batch
from segmentation.data.image.files import Size, read_image
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.data.image.transforms import Augmentation
from segmentation.data.sampler import IndexAndSeed
from segmentation.errors import UserError


class ImageItem(NamedTuple):
    """`image` `[H, W, 3]` uint8 RGB, `mask` `[H', W']` uint8 class ids."""

    image: np.ndarray
    mask: np.ndarray
    key: str


class ImageDataset(Dataset[ImageItem]):
    """Samples as training or evaluation wants them; an item is a pure function of (sample, seed).

    With an augmentation (training) image and mask are resized to `image_size` (height, width; None: as stored) and
    augmented together. Without one (evaluation) the mask keeps its stored size: that is where scores are taken.
    """

    def __init__(
        self,
        source: ImageSource,
        samples: Sequence[ImageSample],
        image_size: Size | None,
        augmentation: Augmentation | None,
    ) -> None:
        self.source, self.samples = source, list(samples)
        self.image_size, self.augmentation = image_size, augmentation

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index_and_seed: IndexAndSeed) -> ImageItem:
        index, seed = index_and_seed
        sample = self.samples[index]
        image, mask = read_image(sample.image), self.source.read_mask(sample.mask)[1]
        if self.image_size is not None:
            image = resize_image(image, self.image_size)
        if self.augmentation is not None:
            if self.image_size is not None:
                mask = _resize_mask(mask, self.image_size)
            image, mask = self.augmentation(image, mask, seed)
        return ImageItem(image, mask, sample.key)

    def sizes(self) -> list[Size]:
        """Where all masks of one size are, images are too: what can be stacked in evaluation."""
        return [sample.size for sample in self.samples]


def resize_image(image: np.ndarray, size: Size) -> np.ndarray:
    """Averages areas when it shrinks, so that thin things do not break up; interpolates when it enlarges."""
    if image.shape[:2] == size:
        return image
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _resize_mask(mask: np.ndarray, size: Size) -> np.ndarray:
    if mask.shape == size:
        return mask
    return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def collate(items: Sequence[ImageItem]) -> Batch:
    """Inputs `[B, 3, H, W]` uint8 in channels_last memory (no copy is needed for it), target `[B, H', W']` uint8."""
    sizes = {item.image.shape[:2] for item in items}
    if len(sizes) > 1:
        raise UserError(
            f"images of {len(sizes)} sizes meet in one batch: set dataset.image_size or add a crop to the augmentation"
        )
    images = torch.from_numpy(np.stack([item.image for item in items]))
    masks = torch.from_numpy(np.stack([item.mask for item in items]))
    return Batch(images.permute(0, 3, 1, 2), masks, tuple(item.key for item in items))


def start_worker(_: int) -> None:
    """In every loader worker: one thread each, or the workers take the cores from each other; Ctrl-C, which reaches all
    processes of a terminal, is for the training process, which ends its workers itself.
    """
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
