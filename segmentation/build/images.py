"""Images: how their samples are read, augmented, batched and drawn in a run."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from omegaconf import DictConfig

from segmentation.build.make import make
from segmentation.build.sets import Parts, Sets, sample_chances
from segmentation.data.image.augmentation.device import DeviceAugmentation
from segmentation.data.image.augmentation.options import Augmentation
from segmentation.data.image.cached import CacheOptions
from segmentation.data.image.dataset import ImageDataset
from segmentation.data.image.dataset import collate as collate
from segmentation.data.image.draw import ImageDrawing
from segmentation.data.image.files import PixelFormat, Size
from segmentation.data.image.labels.unlabelled import NoLabels
from segmentation.data.image.resized import EVERY_TIME, Reading
from segmentation.data.image.scan import scan_masks
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.data.sampler import DIVISOR, Bucket, Draw, TrainingBatches, buckets_of_like_size
from segmentation.engine.options import TrainerOptions
from segmentation.engine.task import as_it_is
from segmentation.reports.words import Words
from segmentation.runtime.console import progress_bar

WORDS = Words("image", "images", "pixel", "pixels")
HAS_BOUNDARIES = True  # places that are neighbours in a target are neighbours in the sample
IS_TIMED = True  # by evaluate.py benchmark=true
# of dataset, not the reader's
SHARED: tuple[str, ...] = ("in_channels", "max_value", "image_size", "mean", "std", "cache", "cache_gb")


def with_shared(source: ImageSource, dataset: DictConfig, given: frozenset[str]) -> ImageSource:
    """With what every image data set is told; `given` are the reader's own options that are set."""
    return replace(source, pixels=PixelFormat(int(dataset.in_channels), dataset.max_value), options=given)


def is_labelled(source: ImageSource) -> bool:
    return not isinstance(source.labels, NoLabels)


def drawing(dataset: DictConfig, source: ImageSource) -> ImageDrawing:
    return ImageDrawing(source.classes)


def class_counts(cfg: DictConfig, source: ImageSource, samples: Sequence[ImageSample]) -> np.ndarray:
    """Pixels of each class in each sample, `[n, C]`: every mask is read once, from the cache where the files are as
    they were.
    """
    with progress_bar("reading the masks once", len(source.samples)) as bar:
        return scan_masks(source, bar.advance).counts_of(sample.key for sample in samples)


def training_sets(
    cfg: DictConfig, source: ImageSource, parts: Parts, options: TrainerOptions, counts: np.ndarray | None
) -> Sets:
    """`counts` `[N, C]` are the pixels of each class in each training sample; None where nothing `asks_for_counts`."""
    augmentation: Augmentation = make(cfg.augmentation)
    reading = Reading(cache_options(cfg.dataset), skip_bad=options.max_bad_samples > 0)
    transform_batch = as_it_is
    if options.device_augmentation:
        transform_batch = DeviceAugmentation(augmentation.for_training(), int(cfg.seed))
        augmentation = replace(augmentation, transforms=())
    multiple = DIVISOR if options.batch_by_size else 1
    size = image_size(cfg.dataset)
    training = ImageDataset(source, parts["train"], size, augmentation, counts, multiple, reading=reading)
    batches = training_batches(training.sizes(), int(cfg.seed), options, counts, augmentation.crop.size or size)
    _try_batch(training, batches)
    validation = evaluation_set(cfg, source, parts["val"], reading)
    shown = validation if parts["val"] else evaluation_set(cfg, source, parts["train"], replace(reading, cache=None))
    return Sets(training, batches, validation, shown, transform_batch)


def training_batches(
    sizes: Sequence[Size], seed: int, options: TrainerOptions, counts: np.ndarray | None, usual_size: Size | None
) -> TrainingBatches:
    """`sizes` are those of the images as stored, `usual_size` is that of a batch while multi_scale is off."""
    if options.batch_by_size:
        buckets = buckets_of_like_size(sizes, options.batch_size, options.batch_pixels)
    else:
        buckets = [Bucket(range(len(sizes)), options.batch_size)]
    drop_last = not options.batch_by_size  # it could be all that there is of a size
    return TrainingBatches(buckets, seed, drop_last, sample_chances(options, counts), options.multi_scale, usual_size)


def epoch_length(cfg: DictConfig, source: ImageSource, samples: Sequence[ImageSample], options: TrainerOptions) -> int:
    """Batches in an epoch of these training samples; nothing is read."""
    sizes = [sample.size for sample in samples]
    return len(training_batches(sizes, 0, replace(options, sampling="uniform"), None, None))


def _try_batch(training: ImageDataset, batches: TrainingBatches) -> None:
    """Two samples of different sizes, if there are: what cannot be transformed or does not make a batch is told before
    the run and not in the middle of it.
    """
    bucket, size = batches.buckets[0], next(batches.of(0))[0].size
    of_each_size = {training.samples[index].size: Draw(index, 0, size) for index in bucket.indices}
    collate([training[draw] for draw in list(of_each_size.values())[: min(bucket.batch_size, 2)]])


def evaluation_set(
    cfg: DictConfig, source: ImageSource, samples: Sequence[ImageSample], reading: Reading = EVERY_TIME
) -> ImageDataset:
    """As validation and evaluation see them; of the augmentation only `val` counts."""
    augmentation: Augmentation = make(cfg.augmentation)
    before = augmentation.for_validation() if augmentation.val else None
    return ImageDataset(source, samples, image_size(cfg.dataset), before=before, reading=reading)


def cache_options(dataset: DictConfig) -> CacheOptions | None:
    return None if dataset.cache == "none" else CacheOptions(dataset.cache, float(dataset.cache_gb))


def image_size(dataset: DictConfig) -> Size | None:
    size = dataset.image_size
    return None if size is None else (int(size[0]), int(size[1]))
