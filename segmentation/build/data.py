"""The samples of a data set and their split."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.build.kinds import kind_of, shared_options
from segmentation.build.make import make, plain
from segmentation.build.sets import Parts, Source
from segmentation.data.splits import Split, assign, read_split, split_samples, write_split
from segmentation.errors import UserError


def build_source(dataset: DictConfig) -> Any:
    """The samples that the configured reader finds, an `ImageSource` or its like; what every data set shares is not the
    reader's.
    """
    given = plain(dataset)
    shared = shared_options(given)
    reader = {key: value for key, value in given.items() if key not in shared}
    source = make(reader)
    are_set = frozenset(key for key, value in reader.items() if value is not None)
    return kind_of(source).with_shared(source, dataset, are_set)


def build_split(dataset: DictConfig, source: Source, must_train: bool = True) -> dict[str, list[Any]]:
    """By dataset.split_file where it exists, else the data's own parts or made from dataset.split."""
    if must_train and not kind_of(source).is_labelled(source):
        raise UserError(f"{source.title} has no labels, so there is nothing to train on: set dataset.labels")
    parts = assign(
        source.samples, read_split(Path(dataset.split_file)) if _is_read(dataset) else _made(dataset, source)
    )
    if must_train and not parts["train"]:
        raise UserError(f"the training split of {source.title} is empty: give dataset.split.train more")
    return parts


def write_split_file(dataset: DictConfig, source: Source) -> None:
    """dataset.split_file, where one is named that does not exist or that dataset.force_resplit replaces."""
    if dataset.split_file and not _is_read(dataset):
        write_split(Path(dataset.split_file), _made(dataset, source))


def _is_read(dataset: DictConfig) -> bool:
    return bool(dataset.split_file) and Path(dataset.split_file).is_file() and not dataset.force_resplit


def _made(dataset: DictConfig, source: Source) -> Split:
    return split_samples(source.samples, plain(dataset.split), int(dataset.split_seed))


def sample_keys(parts: Parts) -> Split:
    return {part: [sample.key for sample in samples] for part, samples in parts.items()}
