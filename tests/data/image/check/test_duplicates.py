from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from segmentation.data.image.check.duplicates import duplicate_findings, near_pairs
from segmentation.data.image.check.findings import Finding, Severity
from segmentation.data.image.check.images import ImageScan
from segmentation.data.image.source import ImageSample

NO_DIGEST = np.zeros(16, np.uint8)


def sample(key: str, group: str | None = None, frame: int | None = None) -> ImageSample:
    return ImageSample(key, group or key, Path(f"{key}.png"), None, (4, 4), frame=frame)


def scan(digests: Mapping[str, int], bits: Mapping[str, int] | None = None, flat: Sequence[str] = ()) -> ImageScan:
    """`digests` numbers the contents, `bits` how many bits of the perceptual hash are set (by default far apart)."""
    keys = tuple(digests)
    hashes = [
        np.packbits(np.arange(64) < bits[key])
        if bits and key in bits
        else np.random.default_rng(place).integers(0, 256, 8, dtype=np.uint8)
        for place, key in enumerate(keys)
    ]
    contents = [np.r_[np.uint8(digests[key]), np.zeros(15, np.uint8)] for key in keys]
    sizes = np.full((len(keys), 2), 4)
    return ImageScan(keys, sizes, np.array(contents), np.array(hashes), np.array([key in flat for key in keys]), {})


def findings(images: ImageScan, **parts: Sequence[ImageSample]) -> list[Finding]:
    return list(duplicate_findings(images, parts))


def test_a_copy_is_a_fault_across_splits_and_a_note_within_one() -> None:
    images = scan({"a": 1, "b": 2, "c": 1, "d": 2, "e": 3})
    across, within = findings(images, train=[sample("a"), sample("b"), sample("d")], val=[sample("c"), sample("e")])
    assert (across.kind, across.severity) == ("duplicate across splits", Severity.FAULT)
    assert [(example.text, example.keys) for example in across.examples] == [("a (train) = c (val)", ("a", "c"))]
    assert (within.kind, within.severity) == ("duplicate", Severity.NOTE)
    assert [example.keys for example in within.examples] == [("b", "d")]


def test_a_copy_in_no_part_harms_nobody() -> None:
    (within,) = findings(scan({"a": 1, "unused": 1}), train=[sample("a")], val=[])
    assert within.severity is Severity.NOTE


@pytest.mark.parametrize(("bits", "near"), [(0, True), (6, True), (7, False)])
def test_up_to_six_differing_bits_look_alike(bits: int, near: bool) -> None:
    images = scan({"a": 1, "b": 2}, {"a": 20, "b": 20 + bits})
    told = findings(images, train=[sample("a")], val=[sample("b")])
    assert [(finding.kind, finding.severity) for finding in told] == [
        ("near-duplicate across splits", Severity.WARNING)
    ] * near


def test_of_many_near_copies_the_nearest_is_shown() -> None:
    images = scan({"a": 1, "b": 2, "c": 3}, {"a": 20, "b": 24, "c": 25})
    (finding,) = findings(images, train=[sample("a"), sample("b")], val=[sample("c")])
    assert finding.message.startswith("1 image of the 1 of val like one of train (2 pairs)")
    assert [example.text for example in finding.examples] == ["c ~ b"]


def test_plain_pictures_and_exact_copies_are_no_near_copies() -> None:
    parts = {"train": [sample("a"), sample("b")], "val": [sample("c"), sample("d")]}
    images = scan({"a": 1, "b": 2, "c": 1, "d": 3}, {"a": 10, "b": 40, "c": 10, "d": 40}, flat=["d"])
    assert [finding.kind for finding in findings(images, **parts)] == ["duplicate across splits"]


def test_near_pairs_are_those_of_a_comparison_one_by_one() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 256, (count, 8), dtype=np.uint8) for count in (1500, 40))
    second[:20] = first[1100:1120]
    second[:20, 3] ^= 5
    expected = {
        (row, column, bits)
        for row, one in enumerate(first)
        for column, other in enumerate(second)
        if (bits := int(np.unpackbits(one ^ other).sum())) <= 6
    }
    assert len(expected) >= 20
    assert set(near_pairs(first, second)) == expected


def test_a_video_in_two_splits_is_a_warning_with_its_nearest_frames() -> None:
    train = [sample("train/v0_0010", "v0"), sample("train/v0_0090", "v0"), sample("train/v1_0050", "v1")]
    val = [sample("val/v0_0040", "v0"), sample("val/v0_0097", "v0"), sample("val/v2_0051", "v2")]
    images = scan({each.key: place for place, each in enumerate([*train, *val])})
    (finding,) = findings(images, train=train, val=val)
    assert (finding.kind, finding.severity) == ("group across splits", Severity.WARNING)
    assert "share 1 group" in finding.message
    (example,) = finding.examples
    assert example.text == "v0 (2 in train, 2 in val, 7 frames apart at the nearest)"
    assert example.keys == ("train/v0_0090", "val/v0_0097")


def test_frames_of_one_video_file_have_their_numbers() -> None:
    train, val = [sample("a", "film", frame=3)], [sample("b", "film", frame=4)]
    (finding,) = findings(scan({"a": 1, "b": 2}), train=train, val=val)
    assert "1 frames apart" in finding.examples[0].text
