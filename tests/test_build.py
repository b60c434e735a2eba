"""How the feed of a training run is put together from its options."""

import numpy as np
import torch

from segmentation.build.data import build_source, build_split
from segmentation.build.feed import build_feed, draw_training_samples
from segmentation.build.training import build_options
from segmentation.data.image.dataset import ImageDataset
from segmentation.engine.task import Feed
from tests.conftest import Compose


def feed_of(small: Compose, *overrides: str) -> Feed:
    cfg = small(*overrides)
    source = build_source(cfg.dataset)
    parts = build_split(cfg.dataset, source)
    return build_feed(cfg, source, parts, build_options(cfg, validates=True), None)


def datasets(feed: Feed) -> list[ImageDataset]:
    assert feed.val is not None
    found = [feed.train.dataset, feed.val.dataset]
    assert all(isinstance(dataset, ImageDataset) for dataset in found)
    return found  # type: ignore[return-value]


def test_training_and_validation_share_the_cache_that_is_chosen(small: Compose) -> None:
    assert [dataset._resized.cache for dataset in datasets(feed_of(small))] == [None, None]
    for place in ("ram", "disk"):
        plain, kept = feed_of(small), feed_of(small, f"dataset.cache={place}", "dataset.cache_gb=0.01")
        caches = [dataset._resized.cache for dataset in datasets(kept)]
        assert [None if cache is None else len(cache) for cache in caches] == [4, 2]
        for _ in range(2):
            for one, other in zip(plain.train, kept.train, strict=True):
                assert torch.equal(one.inputs, other.inputs)
                assert torch.equal(one.target, other.target)
        assert caches[0] is not None
        assert all(caches[0].get(index) is not None for index in range(4))


def test_on_the_device_the_batches_get_what_the_workers_leave_out(small: Compose) -> None:
    plain = feed_of(small, "augmentation=none")
    device = feed_of(small, "augmentation=strong", "trainer.device_augmentation=true")
    for number, (one, other) in enumerate(zip(plain.train, device.train, strict=True)):
        assert torch.equal(one.inputs, other.inputs)
        made = device.transform_batch(other, number)
        assert made.keys == one.keys
        assert not torch.equal(made.inputs, one.inputs)
    on_cpu = feed_of(small, "augmentation=strong")
    batch = next(iter(on_cpu.train))
    assert on_cpu.transform_batch(batch, 0) is batch


def test_pictures_of_training_samples_show_them_as_the_device_makes_them(small: Compose) -> None:
    device = feed_of(small, "augmentation=strong", "trainer.device_augmentation=true")
    first, second = draw_training_samples(device), draw_training_samples(device)
    plain = draw_training_samples(feed_of(small, "augmentation=none"))
    assert [name for name, _ in first] == [name for name, _ in plain]
    for (_, one), (_, again), (_, without) in zip(first, second, plain, strict=True):
        np.testing.assert_array_equal(one, again)
        assert one.shape != without.shape or not np.array_equal(one, without)
