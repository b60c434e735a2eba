"""What an exported file is proven on, and int8 calibrated on: validation images of the run, or noise."""

import logging
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from segmentation.apps.runs.data import locate_data, open_data
from segmentation.build.images import evaluation_set
from segmentation.classes import Classes
from segmentation.data.image.dataset import ImageDataset
from segmentation.data.image.files import Size
from segmentation.data.image.labels.unlabelled import NoLabels
from segmentation.data.sampler import Draw
from segmentation.data.splits import assign, read_split
from segmentation.engine.proof import Picture
from segmentation.inference.deployed import Layout
from segmentation.runtime.run_folder import RunFolder, read_written

log = logging.getLogger("segmentation")
NOISE_SIZES: tuple[Size, ...] = ((256, 256), (189, 251), (97, 160))


def validation_images(run: DictConfig, folder: RunFolder, classes: Classes, root: str | None) -> ImageDataset | None:
    """Those of the run's splits.json (of train, where it has no val), as evaluation shows them to the model.

    `root` is where the data lies now, None where it lay in training; there it may be missing, which is None.
    """
    if not locate_data(run, root):
        told = "the run's data is no longer in %s: the proof is on noise; dataset.root=PATH names it"
        log.warning(told, run.dataset.root)
        return None
    source = open_data(run, classes)
    split = read_written(folder.splits, read_split)
    part = "val" if split["val"] else "train"
    return evaluation_set(run, source, assign(source.samples, {part: split[part]})[part])


class ProofPictures:
    """`max_value` is that of `Deployed`: None where pixels are uint8."""

    def __init__(self, run: DictConfig, images: ImageDataset | None, layout: Layout) -> None:
        self.images, self.layout = images, layout
        self.bands = int(run.dataset.in_channels)
        self.max_value: float | None = run.dataset.max_value
        if self.max_value is None and images is not None and images[Draw(0, 0)].image.dtype != np.uint8:
            self.max_value = 1.0  # of images of 16 bits or floats the reader makes numbers in [0, 1]

    def chosen(self, count: int, without: Sequence[int] = ()) -> list[int]:
        """Indices of `count` images, evenly spread; those of `without` are not among them if there are any others."""
        every = range(len(self.images or ()))
        return evenly([index for index in every if index not in without] or every, count)

    def number(self, indices: Sequence[int]) -> int:
        """How many pictures `of` gives."""
        return len(indices) + 1 if indices else len(NOISE_SIZES)

    def example(self) -> Tensor:
        """An input for exporters: two images, all sides different."""
        return torch.from_numpy(self._laid_out(self._noise((2, 64, 96))))

    def for_calibration(self, indices: Sequence[int], advance: Callable[[int], None]) -> Iterator[np.ndarray]:
        for index in indices:
            yield self._laid_out(self._read(index)[1][None])
            advance(1)

    def of(self, indices: Sequence[int]) -> Iterator[Picture]:
        """These images one by one, then a batch of two crops of the last, of odd height and width; else noise."""
        if not indices:
            for height, width in NOISE_SIZES:
                yield Picture(f"noise of {height}x{width}", self._laid_out(self._noise((1, height, width))))
            return
        for index in indices:
            name, image, mask = self._read(index)
            yield Picture(name, self._laid_out(image[None]), None if mask is None else mask[None])
        height, width = (2 * side // 3 | 1 for side in image.shape[:2])
        crops = np.stack([image[:height, :width], image[-height:, -width:]])
        yield Picture(f"two crops of {name}", self._laid_out(crops))

    def _read(self, index: int) -> tuple[str, np.ndarray, np.ndarray | None]:
        assert self.images is not None
        item = self.images[Draw(index, 0)]
        unlabelled = isinstance(self.images.source.labels, NoLabels)
        stored = item.image if self.max_value is None else item.image * np.float32(self.max_value)
        return item.key, stored, None if unlabelled else item.mask

    def _noise(self, shape: tuple[int, int, int]) -> np.ndarray:
        pixels = np.random.default_rng(0).integers(0, 256, (*shape, self.bands), np.uint8)
        return pixels if self.max_value is None else (pixels / 255 * self.max_value).astype(np.float32)

    def _laid_out(self, pixels: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(pixels if self.layout == "nhwc" else pixels.transpose(0, 3, 1, 2))


def evenly(indices: Sequence[int], count: int) -> list[int]:
    """
    >>> evenly(range(10), 4), evenly(range(2), 4)
    ([0, 3, 6, 9], [0, 1])
    """
    places = np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int)
    return [indices[place] for place in places]
