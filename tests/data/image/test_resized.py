"""What becomes of samples that cannot be read, and what a cache of samples changes: nothing."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from segmentation.data.cache import Place
from segmentation.data.image.cached import CacheOptions
from segmentation.data.image.files import PixelFormat
from segmentation.data.image.layouts.david import david
from segmentation.data.image.resized import Reading, ResizedSamples
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.errors import UserError
from tests.data.image.david_files import ENTRIES, random_ids, with_swapped_masks, write_david, write_frame

SIZE = (20, 28)
GB = 1.0


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("segmentation.data.cache._ram_folder", lambda: tmp_path / "ram")
    return tmp_path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_david(tmp_path / "data", {"Video_000": 3, "Video_001": 2}, size=SIZE)


def source_of(root: Path) -> ImageSource:
    return david(str(root), ENTRIES)


def cut(sample: ImageSample) -> None:
    sample.image.write_bytes(sample.image.read_bytes()[:200])


def samples_of(source: ImageSource, reading: Reading, for_training: bool = True) -> ResizedSamples:
    return ResizedSamples(source, source.samples, for_training, (10, 14), reading)


# Samples that cannot be read.


def test_a_sample_that_cannot_be_read_is_an_error_that_names_it(root: Path) -> None:
    source = source_of(root)
    cut(source.samples[1])
    with pytest.raises(UserError, match=f"^{source.samples[1].image} "):
        samples_of(source, Reading()).read(1, (10, 14))


def test_in_training_the_next_one_that_can_be_read_takes_its_place(root: Path) -> None:
    source = source_of(root)
    cut(source.samples[3])
    cut(source.samples[4])
    resized = samples_of(source, Reading(skip_bad=True))
    for got, expected in zip(resized.read(3, (10, 14)), resized.read(0, (10, 14)), strict=True):
        np.testing.assert_array_equal(got, expected)
    bad = resized.take_bad()
    assert [told.split()[0] for told in bad] == [str(source.samples[index].image) for index in (3, 4)]
    assert resized.take_bad() == ()


def test_as_stored_it_is_the_next_one_of_the_same_size(root: Path) -> None:
    write_frame(root, "Video_000", "z", random_ids(0, (8, 6)))
    write_frame(root, "Video_001", "z", random_ids(1, (8, 6)))
    source = source_of(root)
    places = [index for index, sample in enumerate(source.samples) if sample.size == (8, 6)]
    cut(source.samples[places[0]])
    resized = samples_of(source, Reading(skip_bad=True))
    for got, expected in zip(resized.read(places[0], None), resized.read(places[1], None), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_in_evaluation_nothing_of_it_is_scored(root: Path) -> None:
    source = source_of(root)
    cut(source.samples[1])
    resized = samples_of(source, Reading(skip_bad=True), for_training=False)
    image, mask = resized.read(1, (10, 14))
    assert image.shape == (10, 14, 3)
    assert not image.any()
    assert mask.shape == SIZE
    assert (mask == source.classes.ignore_index).all()
    assert len(resized.take_bad()) == 1


def test_when_none_can_be_read_there_is_nothing_to_learn(root: Path) -> None:
    source = source_of(root)
    for sample in source.samples:
        cut(sample)
    resized = samples_of(source, Reading(skip_bad=True))
    _, mask = resized.read(0, (10, 14))
    assert mask.shape == (10, 14)
    assert (mask == source.classes.ignore_index).all()
    assert len(resized.take_bad()) == len(source.samples)


# A cache.


def cached(
    source: ImageSource, place: Place = "disk", gigabytes: float = GB, for_training: bool = True
) -> ResizedSamples:
    return samples_of(source, Reading(CacheOptions(place, gigabytes)), for_training)


@pytest.mark.parametrize("place", ["ram", "disk"])
@pytest.mark.parametrize("for_training", [True, False])
def test_samples_from_a_cache_are_those_of_the_files(root: Path, place: Place, for_training: bool) -> None:
    source = source_of(root)
    plain, kept = samples_of(source, Reading(), for_training), cached(source, place, for_training=for_training)
    for size in ((10, 14), None, (5, 7)):
        for _ in range(2):
            for index in range(len(plain)):
                for got, expected in zip(kept.read(index, size), plain.read(index, size), strict=True):
                    np.testing.assert_array_equal(got, expected)
                    assert got.dtype == expected.dtype


def test_what_was_read_once_needs_no_file_any_more(root: Path) -> None:
    source = source_of(root)
    kept = cached(source)
    expected = kept.read(2, (10, 14))
    cut(source.samples[2])
    np.testing.assert_array_equal(kept.read(2, (10, 14))[0], expected[0])
    with pytest.raises(UserError):
        kept.read(2, None)


@pytest.mark.parametrize("changed", ["image", "mask"])
def test_files_that_change_are_read_anew_by_the_next_run(root: Path, changed: str) -> None:
    source = source_of(root)
    before = cached(source).read(1, (10, 14))
    sample = source.samples[1]
    path = sample.image if changed == "image" else sample.mask
    other = source.samples[2].image if changed == "image" else source.samples[2].mask
    path.write_bytes(other.read_bytes())
    os.utime(path, (1, 1))
    after = cached(source).read(1, (10, 14))
    for got, expected in zip(after, samples_of(source, Reading()).read(1, (10, 14)), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert not np.array_equal(before[changed == "mask"], after[changed == "mask"])


def test_samples_that_get_other_masks_are_read_anew(root: Path) -> None:
    source = source_of(root)
    expected = [cached(source).read(index, (10, 14))[1] for index in (1, 0)]
    other = with_swapped_masks(source)
    for index in (0, 1):
        np.testing.assert_array_equal(cached(other).read(index, (10, 14))[1], expected[index])


def test_another_preparation_has_a_cache_of_its_own(root: Path) -> None:
    source = source_of(root)
    grey = replace(source, pixels=PixelFormat(1))
    names = {
        made.cache.path.name
        for made in (
            cached(source),
            cached(source, for_training=False),
            cached(grey),
            ResizedSamples(source, source.samples, True, (8, 8), Reading(CacheOptions("disk", GB))),
            ResizedSamples(source, source.samples[:4], True, (10, 14), Reading(CacheOptions("disk", GB))),
        )
        if made.cache is not None
    }
    assert len(names) == 5
    assert cached(grey).read(0, (10, 14))[0].shape == (10, 14, 1)


def test_what_does_not_fit_is_told_once_and_read_as_usual(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = source_of(root)
    with caplog.at_level(logging.INFO, "segmentation"):
        kept = cached(source, gigabytes=1500 / 2**30)
    (record,) = caplog.records
    assert "dataset.cache=disk: 2 of 5 samples fit" in record.getMessage()
    assert "dataset.cache_gb" in record.getMessage()
    plain = samples_of(source, Reading())
    for _ in range(2):
        for index in range(5):
            for got, expected in zip(kept.read(index, (10, 14)), plain.read(index, (10, 14)), strict=True):
                np.testing.assert_array_equal(got, expected)


def test_a_cache_that_cannot_be_costs_time_only(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    source = source_of(root)
    with caplog.at_level(logging.WARNING, "segmentation"):
        kept = cached(source)
    assert kept.cache is None
    assert "there can be no cache" in caplog.text
    np.testing.assert_array_equal(kept.read(0, (10, 14))[0], samples_of(source, Reading()).read(0, (10, 14))[0])


def test_images_of_16_bits_are_kept_as_floats(root: Path) -> None:
    source = source_of(root)
    for sample in source.samples:
        picture = cv2.imread(str(sample.image))
        assert picture is not None
        assert cv2.imwrite(str(sample.image), picture.astype(np.uint16) * 257)
    kept = cached(source)
    plain = samples_of(source, Reading())
    for _ in range(2):
        image = kept.read(0, (10, 14))[0]
        assert image.dtype == np.float32
        np.testing.assert_array_equal(image, plain.read(0, (10, 14))[0])
    assert kept.cache is not None
    assert kept.cache.get(0) is not None
