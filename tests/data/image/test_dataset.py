from collections.abc import Sequence
from multiprocessing import get_all_start_methods
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from segmentation.data.batch import Batch
from segmentation.data.image.augmentation.transforms import Entry, transforms_of
from segmentation.data.image.dataset import ImageDataset, ImageItem, collate, start_worker
from segmentation.data.image.files import Size, read_image
from segmentation.data.image.layouts.david import david
from segmentation.data.image.resized import resize_image
from segmentation.data.image.source import ImageSource
from segmentation.data.sampler import Bucket, Draw, TrainingBatches, batches_of_like_size, buckets_of_like_size
from segmentation.errors import UserError
from tests.data.image.augmentation.presets import augmentation, transforms
from tests.data.image.david_files import CLASSES, ENTRIES, random_ids, random_image, write_david, write_frame

SIZE = (20, 28)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ImageSource:
    """Five frames of one size."""
    root = write_david(tmp_path_factory.mktemp("data"), {"Video_000": 3, "Video_001": 2}, size=SIZE)
    return david(str(root), ENTRIES)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> ImageSource:
    """Four frames of two sizes."""
    root = write_david(tmp_path_factory.mktemp("data"), {"Video_000": 2}, size=(4, 6))
    for stem in ("a", "b"):
        write_frame(root, "Video_001", stem, random_ids(0, (8, 6)))
    return david(str(root), ENTRIES)


def whole(source: ImageSource, size: Size | None = None, name: str | None = None) -> ImageDataset:
    return ImageDataset(source, source.samples, size, None if name is None else augmentation(name))


def test_images_of_bytes_and_of_floats_make_a_batch_of_floats() -> None:
    mask = np.zeros((2, 2), np.uint8)
    images = np.full((2, 2, 3), 51, np.uint8), np.full((2, 2, 3), 0.5, np.float32)
    batch = collate([ImageItem(image, mask, "") for image in images])
    assert batch.inputs.dtype == torch.float32
    np.testing.assert_allclose(batch.inputs[:, 0, 0, 0], [0.2, 0.5])


# Single samples.


def test_in_evaluation_the_image_is_resized_and_the_mask_is_not(source: ImageSource) -> None:
    dataset = whole(source, size=(10, 14))
    assert len(dataset) == 5
    for index, sample in enumerate(source.samples):
        image, mask, key, _ = dataset[Draw(index, 0)]
        np.testing.assert_array_equal(image, resize_image(read_image(sample.image), (10, 14)))
        np.testing.assert_array_equal(mask, source.read_mask(sample))
        assert image.shape == (10, 14, 3)
        assert image.dtype == mask.dtype == np.uint8
        assert key == sample.key


@pytest.mark.parametrize("name", [None, "none"])
def test_without_a_size_samples_are_as_stored(source: ImageSource, name: str | None) -> None:
    item = whole(source, None, name)[Draw(1, 7)]
    np.testing.assert_array_equal(item.image, random_image(1, SIZE))
    np.testing.assert_array_equal(item.mask, random_ids(1, SIZE))


@pytest.mark.parametrize("size", [(10, 14), (33, 17), (64, 96)])
def test_in_training_image_and_mask_are_resized(source: ImageSource, size: Size) -> None:
    for name in ("none", "strong"):
        item = whole(source, size, name)[Draw(0, 3)]
        assert item.image.shape == (*size, 3)
        assert item.mask.shape == size
        assert set(np.unique(item.mask)) <= {*range(len(CLASSES)), 255}


def test_the_augmentation_is_that_of_the_seed(source: ImageSource) -> None:
    plain, augmented = whole(source, None, "none"), whole(source, None, "strong")
    for seed in range(5):
        image, mask = transforms("strong")(plain[Draw(0, 0)].image, plain[Draw(0, 0)].mask, seed)
        np.testing.assert_array_equal(augmented[Draw(0, seed)].image, image)
        np.testing.assert_array_equal(augmented[Draw(0, seed)].mask, mask)
    assert not np.array_equal(augmented[Draw(0, 0)].image, augmented[Draw(0, 1)].image)


def test_sizes_are_those_of_the_masks(mixed: ImageSource) -> None:
    assert whole(mixed, size=(10, 14)).sizes() == [(4, 6), (4, 6), (8, 6), (8, 6)]


def test_sizes_are_padded_to_multiples_with_ignored_pixels(source: ImageSource) -> None:
    dataset = ImageDataset(source, source.samples, None, augmentation("none"), multiple=16)
    image, mask, *_ = dataset[Draw(1, 7)]
    assert image.shape == (32, 32, 3)
    np.testing.assert_array_equal(image[:20, :28], random_image(1, SIZE))
    np.testing.assert_array_equal(mask[:20, :28], random_ids(1, SIZE))
    assert (mask[20:] == 255).all()
    assert (mask[:, 28:] == 255).all()
    assert not image[20:].any()


def test_mixed_sizes_share_batches_of_like_size(mixed: ImageSource) -> None:
    dataset = ImageDataset(mixed, mixed.samples, None, augmentation("light"), multiple=32)
    batches = TrainingBatches(buckets_of_like_size(dataset.sizes(), 4), 0, drop_last=False)
    (batch,) = loader_of(dataset, batch_sampler=batches)
    assert batch.target.shape == (4, 32, 32)


def validated(source: ImageSource, size: Size | None, *entries: Entry) -> ImageDataset:
    return ImageDataset(source, source.samples, size, before=transforms_of(entries, 255))


def test_validation_transforms_come_before_resizing_and_masks_follow(source: ImageSource) -> None:
    dataset = validated(source, (10, 14), {"HorizontalFlip": {"p": 1}}, {"CenterCrop": {"height": 16, "width": 24}})
    for index in range(len(dataset)):
        image, mask, *_ = dataset[Draw(index, 0)]
        window = np.s_[2:18, 2:26]
        np.testing.assert_array_equal(mask, source.read_mask(source.samples[index])[:, ::-1][window])
        stored = read_image(source.samples[index].image)[:, ::-1][window]
        np.testing.assert_array_equal(image, resize_image(np.ascontiguousarray(stored), (10, 14)))


def test_random_validation_transforms_are_the_same_every_time(source: ImageSource) -> None:
    dataset = validated(source, None, {"GaussNoise": {"p": 1}})
    first = [dataset[Draw(index, 0)].image for index in range(5)]
    for index in range(5):
        np.testing.assert_array_equal(dataset[Draw(index, 99)].image, first[index])
    assert (
        len({(image - read_image(sample.image)).tobytes() for image, sample in zip(first, source.samples, strict=True)})
        == 5
    )


# Resizing.


def test_shrinking_averages_areas() -> None:
    image = np.array([[[0, 10, 20], [4, 10, 20], [100, 0, 0]], [[8, 10, 60], [4, 10, 60], [200, 0, 0]]], np.uint8)
    assert resize_image(image[:, :2], (1, 1)).tolist() == [[[4, 10, 40]]]
    assert resize_image(image, (1, 3)).tolist() == [[[4, 10, 40], [4, 10, 40], [150, 0, 0]]]


def test_shrinking_loses_no_thin_thing() -> None:
    """A line of one pixel in eight is an eighth of the brightness, wherever it lies."""
    for column in range(8):
        image = np.zeros((8, 16, 3), np.uint8)
        image[:, column::8] = 240
        assert np.unique(resize_image(image, (1, 2))).tolist() == [30]


def test_enlarging_interpolates() -> None:
    """Centres of the four new pixels lie at -1/4, 1/4, 3/4 and 5/4 of the two old ones."""
    image = np.repeat(np.array([[0, 200]], np.uint8)[..., None], 3, axis=2)
    assert resize_image(image, (1, 4))[0, :, 0].tolist() == [0, 50, 150, 200]


def test_its_own_size_changes_nothing() -> None:
    image = random_image(0, (7, 9))
    np.testing.assert_array_equal(resize_image(image, (7, 9)), image)


def write_one(root: Path, image: np.ndarray, ids: np.ndarray) -> ImageSource:
    write_frame(root, "v", "a", ids)
    assert cv2.imwrite(str(root / "Images/v/a.png"), image)
    return david(str(root), ENTRIES)


@pytest.mark.parametrize("factor", [2, 3])
def test_an_enlarged_mask_repeats_its_pixels(tmp_path: Path, factor: int) -> None:
    ids = random_ids(0, (5, 7))
    source = write_one(tmp_path, random_image(0, (5, 7)), ids)
    mask = whole(source, (5 * factor, 7 * factor), "none")[Draw(0, 0)].mask
    np.testing.assert_array_equal(mask, ids.repeat(factor, axis=0).repeat(factor, axis=1))


def test_a_shrunken_mask_takes_the_pixel_in_the_middle(tmp_path: Path) -> None:
    ids = random_ids(0, (15, 21))
    source = write_one(tmp_path, random_image(0, (15, 21)), ids)
    np.testing.assert_array_equal(whole(source, (5, 7), "none")[Draw(0, 0)].mask, ids[1::3, 1::3])


@pytest.mark.parametrize("size", [(20, 30), (31, 47), (60, 80), (90, 200)])
def test_resized_image_and_mask_stay_in_place(tmp_path: Path, size: Size) -> None:
    """The right part is bright and of class 1: the seam is at the same place in both, to half a pixel."""
    ids = np.zeros((40, 60), np.uint8)
    ids[:, 24:] = 1
    image = np.where(ids[..., None] == 1, np.uint8(250), np.zeros((40, 60, 3), np.uint8))
    item = whole(write_one(tmp_path, image, ids), size, "none")[Draw(0, 0)]
    assert abs(int((item.image[0, :, 0] > 125).sum()) - int((item.mask[0] == 1).sum())) <= 1
    assert (item.mask[0] == 1).sum() == pytest.approx(size[1] * 36 / 60, abs=0.51)


# Batches.


def items_of(*sizes: Size) -> list[ImageItem]:
    return [
        ImageItem(random_image(index, size), random_ids(index, size), f"key {index}")
        for index, size in enumerate(sizes)
    ]


def test_a_batch_holds_bytes_by_channel_and_the_keys() -> None:
    items = items_of((4, 6), (4, 6))
    inputs, target, keys, *_ = batch = collate(items)
    assert isinstance(batch, Batch)
    assert (inputs.dtype, target.dtype) == (torch.uint8, torch.uint8)
    assert (inputs.shape, target.shape) == ((2, 3, 4, 6), (2, 4, 6))
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    for index, item in enumerate(items):
        np.testing.assert_array_equal(inputs[index].permute(1, 2, 0).numpy(), item.image)
        np.testing.assert_array_equal(target[index].numpy(), item.mask)
    assert keys == ("key 0", "key 1")


def test_images_of_two_sizes_do_not_stack() -> None:
    with pytest.raises(UserError, match=r"^images of 2 sizes .*dataset\.image_size.*$"):
        collate(items_of((4, 6), (4, 6), (8, 6)))


def test_evaluation_batches_of_like_size_stack_as_stored(mixed: ImageSource) -> None:
    dataset = whole(mixed)
    loader = loader_of(dataset, batch_sampler=batches_of_like_size(dataset.sizes(), 3))
    batches = list(loader)
    assert [batch.target.shape for batch in batches] == [(2, 4, 6), (2, 8, 6)]
    assert [key for batch in batches for key in batch.keys] == [sample.key for sample in mixed.samples]


# Loaders with workers.


def loader_of(dataset: ImageDataset, workers: int = 0, method: str | None = None, **how: object) -> DataLoader[Batch]:
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # its items become batches in collate
        num_workers=workers,
        multiprocessing_context=method if workers else None,
        collate_fn=collate,
        worker_init_fn=start_worker,
        persistent_workers=workers > 0,
        **how,  # type: ignore[arg-type]
    )


def epochs_of(dataset: ImageDataset, workers: int, method: str | None, epochs: Sequence[int]) -> list[list[Batch]]:
    sampler = TrainingBatches([Bucket(range(len(dataset)), 2)], seed=11, drop_last=False)
    loader = loader_of(dataset, workers, method, batch_sampler=sampler)
    passes = []
    for epoch in epochs:
        sampler.epoch = epoch
        passes.append(list(loader))
    return passes


def assert_same(first: list[Batch], second: list[Batch]) -> None:
    assert [batch.keys for batch in first] == [batch.keys for batch in second]
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.target, other.target)


def by_key(batches: list[Batch]) -> dict[str, torch.Tensor]:
    return {key: image for batch in batches for key, image in zip(batch.keys, batch.inputs, strict=True)}


def test_samples_differ_between_epochs_and_come_again_for_the_same_epoch(source: ImageSource) -> None:
    first, second, again = epochs_of(whole(source, (16, 24), "strong"), 0, None, epochs=(0, 1, 0))
    assert_same(first, again)
    before, after = by_key(first), by_key(second)
    assert before.keys() == after.keys() == {sample.key for sample in source.samples}
    assert sum(not torch.equal(before[key], after[key]) for key in before) >= 4


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("workers", [1, 2])
def test_samples_are_the_same_with_any_number_of_workers(source: ImageSource, workers: int, method: str) -> None:
    if method not in get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    mixing = [f"augmentation.mixing.{name}=0.5" for name in ("mosaic", "cutmix", "classmix")]
    made = augmentation("strong", *mixing, "augmentation.crop.size=[12,20]")
    dataset = ImageDataset(source, source.samples, (16, 24), made)
    expected = epochs_of(dataset, 0, None, epochs=(0, 1))
    passes = epochs_of(dataset, workers, method, epochs=(0, 1, 0))
    for epoch, batches in zip((0, 1, 0), passes, strict=True):
        assert_same(batches, expected[epoch])


def test_mixed_sizes_in_a_worker_come_out_as_one_line(mixed: ImageSource) -> None:
    dataset = whole(mixed, None, "none")
    loader = loader_of(dataset, 1, batch_sampler=TrainingBatches([Bucket(range(len(dataset)), 4)], seed=0))
    with pytest.raises(UserError, match=r"^images of 2 sizes .*dataset\.image_size.*$"):
        list(loader)


def test_a_mask_that_changed_in_a_worker_is_named_in_one_line(tmp_path: Path) -> None:
    """The decoder's error passes through the reader's, both in the worker."""
    source = david(str(write_david(tmp_path, {"Video_000": 1})), ENTRIES)
    mask = source.samples[0].mask
    assert cv2.imwrite(str(mask), np.zeros((6, 8), np.uint8))
    loader = loader_of(whole(source), 1, sampler=[Draw(0, 0)], batch_size=1)
    with pytest.raises(UserError, match=rf"^{mask}: a label picture of 6x8 uint8.*$"):
        list(loader)


def threads_of(_: Sequence[ImageItem]) -> tuple[int, int]:
    return cv2.getNumThreads(), torch.get_num_threads()


@pytest.mark.skipif("fork" not in get_all_start_methods(), reason="this system cannot fork")
def test_a_worker_computes_in_one_thread(source: ImageSource) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        loader: DataLoader[tuple[int, int]] = DataLoader(
            whole(source),  # type: ignore[arg-type]
            sampler=[Draw(0, 0)],
            num_workers=1,
            multiprocessing_context="fork",
            collate_fn=threads_of,
            worker_init_fn=start_worker,
        )
        assert list(loader) == [(1, 1)]
    finally:
        cv2.setNumThreads(before)
