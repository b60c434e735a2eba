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
    options = frozenset(key for key, value in reader.items() if value is not None)
    return replace(source, pixels=PixelFormat(int(dataset.in_channels), dataset.max_value), options=options)


def build_split(dataset: DictConfig, source: ImageSource, must_train: bool = True) -> dict[str, list[ImageSample]]:
    """By dataset.split_file where it exists, else the data's own parts or made from dataset.split."""
    if must_train and isinstance(source.labels, NoLabels):
        raise UserError(f"{source.title} has no labels, so there is nothing to train on: set dataset.labels")
    parts = assign(
        source.samples, read_split(Path(dataset.split_file)) if _is_read(dataset) else _made(dataset, source)
    )
    if must_train and not parts["train"]:
        raise UserError(f"the training split of {source.title} is empty: give dataset.split.train more")
    return parts


def write_split_file(dataset: DictConfig, source: ImageSource) -> None:
    """dataset.split_file, where one is named that does not exist or that dataset.force_resplit replaces."""
    if dataset.split_file and not _is_read(dataset):
        write_split(Path(dataset.split_file), _made(dataset, source))


def _is_read(dataset: DictConfig) -> bool:
    return bool(dataset.split_file) and Path(dataset.split_file).is_file() and not dataset.force_resplit


def _made(dataset: DictConfig, source: ImageSource) -> Split:
    return split_samples(source.samples, plain(dataset.split), int(dataset.split_seed))


def sample_keys(parts: Parts) -> Split:
    return {part: [sample.key for sample in samples] for part, samples in parts.items()}


def image_size(dataset: DictConfig) -> Size | None:
    size = dataset.image_size
    return None if size is None else (int(size[0]), int(size[1]))
