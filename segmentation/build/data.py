"""The samples of a data set and their split."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from segmentation.build.make import make, plain
from segmentation.data.image.files import PixelFormat, Size
from segmentation.data.image.labels.unlabelled import NoLabels
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.data.splits import Split, assign, read_split, split_samples, write_split
from segmentation.errors import UserError

DATASET_SHARED = (
    *("in_channels", "max_value", "image_size", "mean", "std", "cache", "cache_gb"),
    *("split", "split_seed", "split_file", "force_resplit"),
)
Parts = Mapping[str, list[ImageSample]]


def build_source(dataset: DictConfig) -> ImageSource:
    """The samples that the configured reader finds; what every data set shares is not the reader's."""
    reader = {key: value for key, value in plain(dataset).items() if key not in DATASET_SHARED}
    source: ImageSource = make(reader)
    return replace(source, pixels=PixelFormat(int(dataset.in_channels), dataset.max_value))


def build_split(dataset: DictConfig, source: ImageSource, must_train: bool = True) -> dict[str, list[ImageSample]]:
    """By dataset.split_file where it exists, else the data's own parts or made from dataset.split (and written to the
    file that is named).
    """
    if must_train and isinstance(source.labels, NoLabels):
        raise UserError(f"{source.title} has no labels, so there is nothing to train on: set dataset.labels")
    path = Path(dataset.split_file) if dataset.split_file else None
    reads = path is not None and path.is_file() and not dataset.force_resplit
    if path is not None and reads:
        split = read_split(path)
    else:
        split = split_samples(source.samples, plain(dataset.split), int(dataset.split_seed))
    parts = assign(source.samples, split)
    if must_train and not parts["train"]:
        raise UserError(f"the training split of {source.title} is empty: give dataset.split.train more")
    if path is not None and not reads:
        write_split(path, split)
    return parts


def sample_keys(parts: Parts) -> Split:
    return {part: [sample.key for sample in samples] for part, samples in parts.items()}


def image_size(dataset: DictConfig) -> Size | None:
    size = dataset.image_size
    return None if size is None else (int(size[0]), int(size[1]))
