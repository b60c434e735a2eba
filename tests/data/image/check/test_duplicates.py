from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from segmentation.data.check.findings import Finding, Severity
from segmentation.data.image.check.duplicates import duplicate_findings, nearest_rows
from segmentation.data.image.check.images import ImageScan
from segmentation.data.image.source import ImageSample


def sample(key: str, group: str | None = None) -> ImageSample:
    return ImageSample(key, group or key, Path(f"{key}.png"), None, (4, 4))


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
    assert finding.message.startswith("near copies in train of 1 of the 1 image of val")
    assert [example.text for example in finding.examples] == ["c ~ b"]


def test_plain_pictures_and_exact_copies_are_no_near_copies() -> None:
    parts = {"train": [sample("a"), sample("b")], "val": [sample("c"), sample("d")]}
    images = scan({"a": 1, "b": 2, "c": 1, "d": 3}, {"a": 10, "b": 40, "c": 10, "d": 40}, flat=["d"])
    assert [finding.kind for finding in findings(images, **parts)] == ["duplicate across splits"]


def test_the_nearest_row_is_that_of_a_comparison_one_by_one() -> None:
    rng = np.random.default_rng(0)
    hashes, among = (rng.integers(0, 256, (count, 8), dtype=np.uint8) for count in (600, 40))
    hashes[300:320] = among[10:30]
    hashes[300:320, 3] ^= 5
    distances = np.unpackbits(hashes[:, None] ^ among[None], axis=2).sum(axis=2)
    found = list(nearest_rows(hashes, among))
    assert [bits for _, bits in found] == distances.min(axis=1).tolist()
    assert found[300:320] == [(place, 2) for place in range(10, 30)]


def test_near_copies_of_one_video_are_told_as_such() -> None:
    images = scan({"a": 1, "b": 2}, {"a": 20, "b": 21})
    (finding,) = findings(images, train=[sample("a", "v0")], val=[sample("b", "v0")])
    assert finding.line().endswith("b ~ a, both of v0")


@pytest.mark.parametrize("parts", [{"train": [], "val": ["a", "b"]}, {"train": ["a", "b"], "val": []}])
def test_an_empty_part_has_no_copies(parts: Mapping[str, Sequence[str]]) -> None:
    images = scan({"a": 1, "b": 2}, {"a": 20, "b": 21})
    assert findings(images, **{part: [sample(key) for key in keys] for part, keys in parts.items()}) == []


def test_of_many_copies_six_are_told_of_every_part_one() -> None:
    keys = [f"{number:02d}" for number in range(20)]
    (across,) = findings(scan(dict.fromkeys(keys, 1)), train=[sample(key) for key in keys[:-1]], val=[sample(keys[-1])])
    (example,) = across.examples
    assert example.keys == ("00", "19", "01", "02", "03", "04")
    assert example.text.startswith("00 (train) = 19 (val) = 01 (train)")
    assert example.text.endswith("04 (train) and 14 more")
