from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from segmentation.classes import Classes
from segmentation.data.check.findings import Severity
from segmentation.data.image.check.images import ImageScan, grey_of, image_findings, perceptual_hash, scan_images
from segmentation.data.image.check.sizes import size_findings
from segmentation.data.image.files import PixelFormat
from segmentation.data.image.labels.unlabelled import NoLabels
from segmentation.data.image.layouts.folder import folder
from segmentation.data.image.scan import scan_masks
from segmentation.data.image.source import ImageSample, ImageSource
from tests.data.image.david_files import random_ids, random_image, write_picture

CLASSES = Classes(("a", "b"), ((0, 0, 0), (255, 0, 0)))


def source_of(*images: Path, pixels: PixelFormat | None = None) -> ImageSource:
    samples = tuple(ImageSample(image.stem, image.stem, image, None, (40, 48)) for image in images)
    return ImageSource("pictures", samples, NoLabels(CLASSES), pixels or PixelFormat())


def scene(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (48, 40), interpolation=cv2.INTER_CUBIC))


def differing_bits(scan: ImageScan, first: int, second: int) -> int:
    return int(np.unpackbits(scan.hashes[first] ^ scan.hashes[second]).sum())


def test_the_digest_is_of_the_pixels_and_not_of_the_file(tmp_path: Path) -> None:
    picture = scene(0)
    other = picture.copy()
    other[0, 0, 0] ^= 1
    paths = [write_picture(tmp_path / f"{name}", picture) for name in ("a.png", "b.bmp")]
    scan = scan_images(source_of(*paths, write_picture(tmp_path / "c.png", other)))
    same = (scan.digests == scan.digests[0]).all(axis=1)
    assert same.tolist() == [True, True, False]
    assert scan.sizes.tolist() == [[40, 48]] * 3


def test_samples_that_get_other_images_are_looked_at_anew(tmp_path: Path) -> None:
    first, second = source_of(*(write_picture(tmp_path / f"{name}.png", scene(name)) for name in (0, 1))).samples
    digests = [
        scan_images(ImageSource("pictures", samples, NoLabels(CLASSES))).digests
        for samples in (
            (first, second),
            (replace(first, image=second.image), replace(second, image=first.image)),
        )
    ]
    np.testing.assert_array_equal(digests[0], digests[1][::-1])


def test_pictures_of_other_shapes_with_the_same_bytes_are_not_the_same(tmp_path: Path) -> None:
    paths = [
        write_picture(tmp_path / f"{name}.png", np.zeros(size, np.uint8))
        for name, size in (("a", (40, 48)), ("b", (48, 40)))
    ]
    scan = scan_images(source_of(*paths))
    assert (scan.digests[0] != scan.digests[1]).any()
    assert scan.flat.all()


def test_the_hash_bears_light_size_and_compression_and_tells_scenes_apart(tmp_path: Path) -> None:
    picture = scene(1)
    paths = [
        write_picture(tmp_path / "a.png", picture),
        write_picture(tmp_path / "dark.png", (picture * 0.8).astype(np.uint8)),
        write_picture(tmp_path / "large.png", np.asarray(cv2.resize(picture, (96, 80)))),
        write_picture(tmp_path / "packed.jpg", picture),
        write_picture(tmp_path / "other.png", scene(2)),
    ]
    scan = scan_images(source_of(*paths))
    assert [differing_bits(scan, 0, place) <= 6 for place in range(1, 5)] == [True, True, True, False]
    assert not scan.flat.any()


@pytest.mark.parametrize("bands", [1, 3, 5])
def test_pictures_of_any_bands_have_a_grey(bands: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 48, bands), dtype=np.uint8)
    grey, of_floats = grey_of(image), grey_of(image.astype(np.float32) / 255)
    assert grey.shape == (40, 48)
    assert grey.dtype == of_floats.dtype == np.uint8
    if bands != 3:  # whose weights are those of the eye
        np.testing.assert_allclose(grey, image.mean(axis=2), atol=1)
        np.testing.assert_allclose(of_floats, image.mean(axis=2), atol=1)
    assert perceptual_hash(grey).shape == (8,)


def test_damaged_images_are_told_and_nothing_is_kept_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    jpeg, png, good = (write_picture(tmp_path / name, scene(0)) for name in ("a.jpg", "b.png", "c.png"))
    jpeg.write_bytes(jpeg.read_bytes()[:-300])
    content = bytearray(png.read_bytes())
    content[-20] ^= 255  # in the checksum of the pixels
    png.write_bytes(content)
    scan = scan_images(source_of(jpeg, png, good))
    assert scan.errors.keys() == {"a", "b"}
    (finding,) = image_findings(scan)
    assert finding.severity is Severity.FAULT
    assert all(str(path) in finding.line() for path in (jpeg, png))
    assert not (tmp_path / "cache").exists()


def test_a_second_scan_reads_nothing_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    read: list[int] = []
    source = source_of(*(write_picture(tmp_path / f"{seed}.png", scene(seed)) for seed in range(3)))
    first = scan_images(source, lambda: read.append(1))
    again = scan_images(source, lambda: read.append(1))
    assert len(read) == 3
    for name in ("sizes", "digests", "hashes", "flat"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    write_picture(tmp_path / "0.png", random_image(0, (41, 48)))
    assert scan_images(source).sizes[0].tolist() == [41, 48]


def test_images_that_are_no_files_are_read_each_time(tmp_path: Path) -> None:
    source = ImageSource(
        "made",
        (ImageSample("0", "0", Path("nowhere/0"), None, (40, 48), frame=0),),
        NoLabels(CLASSES),
        reader=lambda sample, pixels, at_least: scene(0),
    )
    read: list[int] = []
    for _ in range(2):
        scan_images(source, lambda: read.append(1))
    assert len(read) == 2


def test_sizes_of_masks_and_small_images(tmp_path: Path) -> None:
    for stem, size in (("a", (100, 120)), ("b", (49, 120)), ("c", (100, 120))):
        write_picture(tmp_path / "images/train" / f"{stem}.png", random_image(0, size))
        write_picture(tmp_path / "masks/train" / f"{stem}.png", random_ids(0, size, 2))
    source = folder(str(tmp_path), classes=["a", "b"])
    write_picture(tmp_path / "masks/train/c.png", random_ids(0, (99, 120), 2))
    findings = list(size_findings(scan_images(source), scan_masks(source), (100, 120)))
    assert [(finding.kind, finding.severity) for finding in findings] == [
        ("size mismatch", Severity.FAULT),
        ("small image", Severity.WARNING),
    ]
    assert findings[0].examples[0].text == "train/c 120x100, mask 120x99"
    assert [example.text for example in findings[1].examples] == ["train/b 120x49"]
    assert [finding.kind for finding in size_findings(scan_images(source), scan_masks(source), None)] == [
        "size mismatch"
    ]
