"""Images and their class ids, ready to be batched."""

import signal
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from segmentation.data.batch import Batch
from segmentation.data.image.augmentation.crops import padded
from segmentation.data.image.augmentation.options import Augmentation
from segmentation.data.image.augmentation.training import TrainingSamples
from segmentation.data.image.augmentation.transforms import Transforms
from segmentation.data.image.files import Size
from segmentation.data.image.pixels import of_one_kind
from segmentation.data.image.resized import EVERY_TIME, Reading, ResizedSamples, resize_image
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.data.sampler import Draw, rounded_up
from segmentation.errors import UserError


class ImageItem(NamedTuple):
    """`image` `[H, W, channels]` uint8 or float32 in [0, 1], `mask` `[H', W']` uint8 class ids; `bad` tells what could
    not be read.
    """

    image: np.ndarray
    mask: np.ndarray
    key: str
    bad: tuple[str, ...] = ()


class ImageDataset(Dataset[ImageItem]):
    """Samples as training or evaluation wants them; an item is a pure function of (sample, seed, size).

    With an augmentation (training) image and mask are resized to `image_size` (height, width; None: as stored) and
    augmented together; `counts` `[N, C]` are the pixels by class, `multiple` what height and width are padded to a
    multiple of. Without one (evaluation) the mask keeps its stored size: that is where scores are taken. What
    `before` (transforms of validation) does to the stored image it does to the mask. `reading` says what is cached and
    what becomes of samples that cannot be read.
    """

    def __init__(
        self,
        source: ImageSource,
        samples: Sequence[ImageSample],
        image_size: Size | None,
        augmentation: Augmentation | None = None,
        counts: np.ndarray | None = None,
        multiple: int = 1,
        before: Transforms | None = None,
        reading: Reading = EVERY_TIME,
    ) -> None:
        self.source, self.samples, self.image_size = source, list(samples), image_size
        self.multiple, self.before = multiple, before
        read_size = None if before is not None else image_size
        self._resized = ResizedSamples(source, samples, augmentation is not None, read_size, reading)
        self._training = (
            None
            if augmentation is None
            else TrainingSamples(self._resized, image_size, augmentation, source.classes, counts)
        )

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, draw: Draw) -> ImageItem:
        image, mask = self._evaluated(draw) if self._training is None else self._trained(draw, self._training)
        return ImageItem(image, mask, self.samples[draw.index].key, self._resized.take_bad())

    def _trained(self, draw: Draw, training: TrainingSamples) -> tuple[np.ndarray, np.ndarray]:
        image, mask = training(draw)
        size = rounded_up((mask.shape[0], mask.shape[1]), self.multiple)
        return padded(image, mask, size, self.source.classes.ignore_index)

    def _evaluated(self, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
        size = draw.size or self.image_size
        if self.before is None:
            return self._resized.read(draw.index, size)
        image, mask = self.before(*self._resized.read(draw.index, None), draw.index)
        return image if size is None else resize_image(image, size), mask

    def sizes(self) -> list[Size]:
        """Where all masks of one size are, images are too: what can be stacked in evaluation."""
        return [sample.size for sample in self.samples]


def collate(items: Sequence[ImageItem]) -> Batch:
    """Inputs `[B, channels, H, W]` in channels_last memory (no copy is needed for it), target `[B, H', W']` uint8.

    Inputs are float32 in [0, 1] where not all images are uint8. Raises `UserError` for images of several sizes.
    """
    sizes = {item.image.shape[:2] for item in items}
    if len(sizes) > 1:
        raise UserError(
            f"images of {len(sizes)} sizes meet in one batch: set dataset.image_size, augmentation.crop.size or "
            "trainer.batch_by_size=true"
        )
    images = torch.from_numpy(np.stack(of_one_kind([item.image for item in items])))
    masks = torch.from_numpy(np.stack([item.mask for item in items]))
    bad = tuple(told for item in items for told in item.bad)
    return Batch(images.permute(0, 3, 1, 2), masks, tuple(item.key for item in items), bad)


def start_worker(_: int) -> None:
    """In every loader worker: one thread each, or the workers take the cores from each other; Ctrl-C, which reaches all
    processes of a terminal, is for the training process, which ends its workers itself.
    """
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
