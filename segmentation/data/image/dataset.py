"""Images and their class ids, ready to be batched."""

import signal
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from segmentation.data.batch import Batch
from segmentation.data.image.files import Size
from segmentation.data.image.resized import ResizedSamples
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.data.image.transforms import Augmentation
from segmentation.data.sampler import Draw
from segmentation.errors import UserError


class ImageItem(NamedTuple):
    """`image` `[H, W, channels]` uint8 or float32 in [0, 1], `mask` `[H', W']` uint8 class ids."""

    image: np.ndarray
    mask: np.ndarray
    key: str


class ImageDataset(Dataset[ImageItem]):
    """Samples as training or evaluation wants them; an item is a pure function of (sample, seed, size).

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
        self._resized = ResizedSamples(source, samples, resize_masks=augmentation is not None)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, draw: Draw) -> ImageItem:
        image, mask = self._resized.read(draw.index, draw.size or self.image_size)
        if self.augmentation is not None:
            image, mask = self.augmentation(image, mask, draw.seed)
        return ImageItem(image, mask, self.samples[draw.index].key)

    def sizes(self) -> list[Size]:
        """Where all masks of one size are, images are too: what can be stacked in evaluation."""
        return [sample.size for sample in self.samples]


def collate(items: Sequence[ImageItem]) -> Batch:
    """Inputs `[B, channels, H, W]` in channels_last memory (no copy is needed for it), target `[B, H', W']` uint8."""
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
