"""Training samples, from files: what is asked for happens as often as asked, and a draw decides all of it."""

from collections import Counter
from multiprocessing import get_all_start_methods
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

from segmentation.data.batch import Batch
from segmentation.data.image.augmentation.crops import Crop
from segmentation.data.image.augmentation.mixing import Mixing
from segmentation.data.image.augmentation.options import Augmentation
from segmentation.data.image.augmentation.training import TrainingSamples
from segmentation.data.image.dataset import ImageDataset, collate, start_worker
from segmentation.data.image.files import Size
from segmentation.data.image.layouts.david import david
from segmentation.data.image.resized import ResizedSamples
from segmentation.data.image.source import ImageSource
from segmentation.data.rarity import class_balanced_chances
from segmentation.data.sampler import Bucket, Draw, MultiScale, TrainingBatches, sample_seed
from segmentation.errors import UserError
from tests.data.image.augmentation.presets import away_from_borders, entries_of
from tests.data.image.david_files import CLASSES, ENTRIES, random_ids, write_picture

SIZE = (40, 60)
ROAD, CAR, POLE = 0, 1, 2
SEEDS = [sample_seed(0, 0, position) for position in range(150)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ImageSource:
    """Frame i is all road, of brightness 10 * i; a car of 5x6 pixels in frames 2 and 3, in 3 a pole as well. Cars are
    of brightness 200, poles 250.
    """
    root = tmp_path_factory.mktemp("data")
    for index in range(6):
        mask = np.full(SIZE, ROAD, np.uint8)
        if index in (2, 3):
            mask[4:9, 7:13] = CAR
        if index == 3:
            mask[20:39, 50:52] = POLE
        levels = np.array([10 * index, 200, 250], np.uint8)
        write_picture(root / f"Images/v/{index}.png", levels[mask][..., None].repeat(3, axis=2))
        write_picture(root / f"Labels/v/{index}.png", CLASSES.paint(mask))
    return david(str(root), ENTRIES)


def counts_of(source: ImageSource) -> np.ndarray:
    masks = [source.read_mask(sample) for sample in source.samples]
    classes = len(source.classes)
    return np.stack([np.bincount(mask[mask < classes], minlength=classes) for mask in masks])


def samples_of(source: ImageSource, image_size: Size | None = None, **augmentation: object) -> TrainingSamples:
    made = Augmentation(**{"transforms": [], "ignore_index": 255, **augmentation})  # type: ignore[arg-type]
    resized = ResizedSamples(source, source.samples, resize_masks=True)
    return TrainingSamples(resized, image_size, made, source.classes, counts_of(source))


def share_with(samples: TrainingSamples, class_id: int, index: int) -> float:
    return float(np.mean([(samples(Draw(index, seed))[1] == class_id).any() for seed in SEEDS]))


def test_whole_images_without_options(source: ImageSource) -> None:
    image, mask = samples_of(source)(Draw(3, 1))
    np.testing.assert_array_equal(mask, source.read_mask(source.samples[3]))
    np.testing.assert_array_equal(image, source.read_image(source.samples[3]))


# Crops.


def test_crops_hold_a_rare_class_as_often_as_asked(source: ImageSource) -> None:
    """By chance a window of 10x10 meets the 5x6 car in about (14 * 15) of 31 * 51 places, some more at the border."""
    shares = [
        share_with(samples_of(source, crop=Crop((10, 10), probability)), CAR, 2) for probability in (0.0, 0.5, 1.0)
    ]
    by_chance = (9 + 4) * (12 + 1) / (31 * 51)
    assert shares[0] == pytest.approx(by_chance, abs=0.08)
    assert shares[1] == pytest.approx((1 + by_chance) / 2, abs=0.1)
    assert shares[2] == 1


def test_rarer_classes_are_favoured_or_those_that_are_named(source: ImageSource) -> None:
    """Frame 3 has a car and a pole, too far apart for one window of 10x10."""
    assert counts_of(source).sum(axis=0)[[CAR, POLE]].tolist() == [60, 38]
    by_counts = samples_of(source, crop=Crop((10, 10), 1.0))
    assert by_counts.chances[[CAR, POLE]] == pytest.approx([np.exp(-22 / 144), 1])
    named = samples_of(source, crop=Crop((10, 10), 1.0), rare_classes=["car"])
    assert share_with(named, CAR, 3) == 1
    assert share_with(named, POLE, 3) == 0


def test_without_a_rare_class_any_window_will_do(source: ImageSource) -> None:
    image, mask = samples_of(source, crop=Crop((10, 12), 1.0))(Draw(1, 0))
    assert mask.shape == (10, 12)
    assert (image == 10).all()


def test_images_are_resized_before_they_are_cropped(source: ImageSource) -> None:
    """At twice the size the car has 10x12 pixels, all of them in windows of this size as often as asked."""
    samples = samples_of(source, (80, 120), crop=Crop((30, 30), 1.0), rare_classes=["car"])
    most = max(int((samples(Draw(2, seed))[1] == CAR).sum()) for seed in SEEDS[:50])
    assert most == 10 * 12


def test_a_larger_crop_shows_as_much_of_a_larger_image(source: ImageSource) -> None:
    """Half of each side, whatever the size of the draw."""
    samples = samples_of(source, crop=Crop((20, 30)), rare_classes=["car"])
    for size in (None, (20, 30), (40, 60), (60, 60)):
        for seed in SEEDS[:20]:
            assert samples(Draw(2, seed, size))[1].shape == (size or (20, 30))
        whole = max(float((samples(Draw(2, seed, size))[1] == CAR).mean()) for seed in SEEDS[:40])
        assert whole == pytest.approx(5 * 6 / (20 * 30), rel=0.1)
    assert samples_of(source)(Draw(2, 0, (64, 96)))[1].shape == (64, 96)


# Mixing.


def frames_in(image: np.ndarray) -> set[int]:
    return {int(level) // 10 for level in np.unique(image) if level < 200}


@pytest.mark.parametrize("name", ["mosaic", "cutmix", "classmix", "copy_paste"])
def test_samples_are_mixed_as_often_as_asked(source: ImageSource, name: str) -> None:
    """Mosaic and CutMix show road of other frames (unless the same is drawn), the others what is on it."""

    def share(probability: float) -> float:
        samples = samples_of(source, mixing=Mixing(**{name: probability}))
        made = [samples(Draw(0, seed)) for seed in SEEDS]
        return float(np.mean([len(frames_in(image)) > 1 or bool((mask > 0).any()) for image, mask in made]))

    always = share(1.0)
    assert share(0.0) == 0
    assert always > (0.1 if name == "classmix" else 0.6)
    assert share(0.5) == pytest.approx(always / 2, abs=0.12)


def test_partners_are_any_of_the_samples(source: ImageSource) -> None:
    samples = samples_of(source, mixing=Mixing(mosaic=1.0))
    seen = Counter(frame for seed in SEEDS for frame in frames_in(samples(Draw(0, seed))[0]))
    assert set(seen) == set(range(6))


def test_copy_paste_takes_rare_classes_from_samples_that_have_them(source: ImageSource) -> None:
    samples = samples_of(source, mixing=Mixing(copy_paste=1.0))
    for seed in SEEDS:
        image, mask = samples(Draw(0, seed))
        assert frames_in(image) == {0}
        assert (image[mask == CAR] == 200).all()
        assert (image[mask == POLE] == 250).all()
        assert (image[mask == ROAD] == 0).all()
    assert share_with(samples, CAR, 0) > 0.6
    assert share_with(samples, POLE, 0) > 0.4


def test_copy_paste_finds_the_class_in_crops(source: ImageSource) -> None:
    """Moved by up to a quarter, a good part of it stays in windows of 20x20, which by chance would rarely hold it."""
    samples = samples_of(source, crop=Crop((20, 20)), mixing=Mixing(copy_paste=1.0), rare_classes=["car"])
    assert share_with(samples, CAR, 0) > 0.8
    assert share_with(samples, POLE, 0) == 0


def test_partners_of_other_sizes_are_cropped_and_padded(tmp_path: Path) -> None:
    for index, size in enumerate([(20, 30), (40, 16)]):
        mask = np.full(size, index, np.uint8)
        write_picture(tmp_path / f"Images/v/{index}.png", np.full((*size, 3), 100, np.uint8))
        write_picture(tmp_path / f"Labels/v/{index}.png", CLASSES.paint(mask))
    mixed = david(str(tmp_path), ENTRIES)
    samples = samples_of(mixed, mixing=Mixing(mosaic=1.0, cutmix=1.0, classmix=1.0, copy_paste=1.0))
    seen = set()
    for seed in SEEDS:
        for index, size in enumerate([(20, 30), (40, 16)]):
            image, mask = samples(Draw(index, seed))
            assert mask.shape == size
            assert (image[mask != 255] == 100).all()
            assert not image[mask == 255].any()
            seen |= set(np.unique(mask))
    assert seen == {0, 1, 255}


# All of it.

EVERYTHING: dict[str, Any] = {
    "transforms": entries_of("strong"),
    "crop": Crop((24, 32), 0.5),
    "mixing": Mixing(mosaic=0.3, cutmix=0.3, classmix=0.3, copy_paste=0.5),
}


def test_a_draw_decides_whatever_came_before(source: ImageSource) -> None:
    draws = [Draw(index, seed) for index in range(6) for seed in SEEDS[:6]]
    samples = samples_of(source, **EVERYTHING)
    expected = [samples(draw) for draw in draws]
    for again in (samples, samples_of(source, **EVERYTHING)):
        for draw, pair in reversed(list(zip(draws, expected, strict=True))):
            for made, before in zip(again(draw), pair, strict=True):
                np.testing.assert_array_equal(made, before)
    assert len({image.tobytes() for image, _ in expected}) == len(draws)


def test_no_class_comes_from_nowhere(source: ImageSource) -> None:
    samples = samples_of(source, (30, 44), **EVERYTHING)
    for seed in SEEDS[:60]:
        image, mask = samples(Draw(3, seed))
        assert image.shape == (24, 32, 3)
        assert set(np.unique(mask)) <= {ROAD, CAR, POLE, 255}


LEVELS = np.array([80, 160, 240, 0], np.uint8)  # of road, car, pole and what is ignored


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> ImageSource:
    """Six pictures of 96x128 pixels in blocks of 16x16 that say what their masks say; what is ignored is black."""
    root = tmp_path_factory.mktemp("data")
    for index in range(6):
        ids = random_ids(index, (6, 8)).repeat(16, axis=0).repeat(16, axis=1)
        write_picture(root / f"Images/v/{index}.png", LEVELS[ids][..., None].repeat(3, axis=2))
        write_picture(root / f"Labels/v/{index}.png", CLASSES.paint(ids))
    return david(str(root), ENTRIES, ignore_void=True)


def test_images_say_what_their_masks_say_through_all_of_it(telling: ImageSource) -> None:
    """Resized, padded, cropped, mixed, mirrored, turned and at other sizes: what was ignored or comes from outside is
    black and in no class, and every class has its own brightness.
    """
    moves = [entry for entry in entries_of("strong") + entries_of("aerial") if {*entry} & {"Affine", "SquareSymmetry"}]
    assert len(moves) == 3
    samples = samples_of(telling, (88, 192), **{**EVERYTHING, "crop": Crop((96, 128), 0.5), "transforms": moves})
    seen = np.zeros(256, int)
    for place, seed in enumerate(SEEDS):
        size = (None, (64, 96), (160, 192))[place % 3]
        image, mask = samples(Draw(place % 6, seed, size))
        assert mask.shape == (size or (96, 128))
        assert set(np.unique(mask)) <= {ROAD, CAR, POLE, 255}
        inner = away_from_borders(mask)
        expected = np.append(LEVELS, np.zeros(252, np.uint8))[mask].astype(int)
        assert (np.abs(image[..., 0].astype(int) - expected) < 40)[inner].mean() > 0.98
        seen += np.bincount(mask[inner], minlength=256)
    assert set(np.flatnonzero(seen)) == {ROAD, CAR, POLE, 255}


@pytest.mark.skipif("fork" not in get_all_start_methods(), reason="this system cannot fork")
def test_batches_are_the_same_with_any_number_of_workers_and_after_resuming(telling: ImageSource) -> None:
    counts = counts_of(telling)
    made = Augmentation(ignore_index=255, **EVERYTHING)
    dataset = ImageDataset(telling, telling.samples, (80, 112), made, counts)

    def epochs(workers: int, *numbers: int) -> list[list[tuple[Any, ...]]]:
        chances, scale = class_balanced_chances(counts), MultiScale(range=[0.5, 2], every=1)
        batches = TrainingBatches([Bucket(range(6), 2)], 0, True, chances, scale, made.crop.size)
        loader: DataLoader[Batch] = DataLoader(
            dataset,  # type: ignore[arg-type]  # its items become batches in collate
            num_workers=workers,
            multiprocessing_context="fork" if workers else None,
            batch_sampler=batches,
            collate_fn=collate,
            worker_init_fn=start_worker,
            persistent_workers=workers > 0,
        )
        passes = []
        for batches.epoch in numbers:
            passes.append(
                [(b.keys, b.inputs.shape, b.inputs.numpy().tobytes(), b.target.numpy().tobytes()) for b in loader]
            )
        return passes

    first, second = epochs(0, 0, 1)
    assert len({shape for _, shape, *_ in first + second}) > 1
    assert not {image for *_, image, _ in first} & {image for *_, image, _ in second}
    assert epochs(0, 1) == [second]
    for workers in (1, 2):
        assert epochs(workers, 0, 1) == [first, second]


def test_rare_classes_that_no_sample_has_are_told(source: ImageSource) -> None:
    with pytest.raises(UserError, match=r"^augmentation\.rare_classes=\['void'\]: no training sample has .*$"):
        samples_of(source, crop=Crop((10, 10), 0.5), rare_classes=["void"])
    assert samples_of(source, rare_classes=["void"])(Draw(0, 0))[1].shape == SIZE  # nothing asks for them
    with pytest.raises(UserError, match=r"^augmentation\.rare_classes names lorry, which is no class; the classes are"):
        samples_of(source, rare_classes=["lorry"])
