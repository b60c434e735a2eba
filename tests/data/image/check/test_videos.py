from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from segmentation.data.check.findings import Finding, Severity
from segmentation.data.image.check.images import ImageScan
from segmentation.data.image.check.videos import video_findings, videos_by_looks
from segmentation.data.image.source import ImageSample


def sample(key: str, group: str | None = None, frame: int | None = None) -> ImageSample:
    return ImageSample(key, group or key, Path(f"{key}.png"), None, (4, 4), frame=frame)


def scan(samples: Sequence[ImageSample], bits: int = 64, flat: bool = False) -> ImageScan:
    """Pictures each of which differs from the one before in `bits` of the 64 of its hash."""
    hashes = [np.packbits(np.arange(64) < bits * (place % 2)) for place in range(len(samples))]
    keys = tuple(each.key for each in samples)
    sizes, digests = np.full((len(keys), 2), 4), np.arange(16 * len(keys), dtype=np.uint8).reshape(-1, 16)
    return ImageScan(keys, sizes, digests, np.array(hashes), np.full(len(keys), flat), {})


def findings(**parts: Sequence[ImageSample]) -> list[Finding]:
    return list(video_findings(scan([each for samples in parts.values() for each in samples]), parts))


def test_a_video_in_two_splits_is_a_warning_with_its_nearest_frames() -> None:
    train = [sample("train/v0_0010", "v0"), sample("train/v0_0090", "v0"), sample("train/v1_0050", "v1")]
    val = [sample("val/v0_0040", "v0"), sample("val/v0_0097", "v0"), sample("val/v2_0051", "v2")]
    (finding,) = findings(train=train, val=val)
    assert (finding.kind, finding.severity) == ("group across splits", Severity.WARNING)
    assert "share 1 group" in finding.message
    (example,) = finding.examples
    assert example.text == "v0 (2 in train, 2 in val, 7 frames apart at the nearest)"
    assert example.keys == ("train/v0_0090", "val/v0_0097")


def test_frames_of_one_video_file_have_their_numbers() -> None:
    train, val = [sample("a", "film", frame=3)], [sample("b", "film", frame=4)]
    (finding,) = findings(train=train, val=val)
    assert "1 frame apart" in finding.examples[0].text


def test_a_group_without_numbers_is_told_by_its_first_samples() -> None:
    (finding,) = findings(train=[sample("a", "tile")], val=[sample("b", "tile")])
    assert [(example.text, example.keys) for example in finding.examples] == [
        ("tile (1 in train, 1 in val)", ("a", "b"))
    ]


@pytest.mark.parametrize(("bits", "is_video"), [(0, True), (16, True), (17, False)])
def test_files_with_numbers_whose_pictures_follow_each_other_are_a_video(bits: int, is_video: bool) -> None:
    """Eight frames of two folders, every fourth in val."""
    parts = {
        "train": [sample(f"train/drive_{number:03d}") for number in range(8, 16) if number % 4],
        "val": [sample("val/drive_008"), sample("val/drive_012")],
    }
    in_order = sorted([*parts["train"], *parts["val"]], key=lambda each: each.image.stem)
    told = list(video_findings(scan(in_order, bits), parts))
    assert [finding.kind for finding in told] == ["neighbouring frames across splits"] * is_video
    if is_video:
        assert told[0].severity is Severity.WARNING
        (example,) = told[0].examples
        assert example.text == "drive_## (6 in train, 2 in val, 1 frame apart at the nearest)"
        assert example.keys == ("val/drive_008", "train/drive_009")


@pytest.mark.parametrize(
    ("keys", "flat"),
    [
        (["a_1", "a_2", "a_3", "a_4"], False),
        (["x/a_1", "x/a_2", "x/a_3", "y/a_1", "y/a_2", "y/a_3"], False),
        (["a_1", "b_2", "c_3", "d_4", "e_5", "f_6"], False),
        (["a", "b", "c", "d", "e", "f"], False),
        (["a_1", "a_2", "a_3", "a_4", "a_5", "a_6"], True),
    ],
    ids=["few", "numbers that come twice", "other names", "no numbers", "plain pictures"],
)
def test_what_is_no_video_although_it_looks_alike(keys: list[str], flat: bool) -> None:
    samples = [sample(key) for key in keys]
    assert videos_by_looks(scan(samples, 0, flat), samples) == {}


def test_the_middle_distance_decides() -> None:
    """Of six frames two cuts, three pairs alike."""
    samples = [sample(f"a_{number}") for number in range(1, 7)]
    images = scan(samples, 0)
    images.hashes[2:] = 255
    images.hashes[4:] = np.packbits(np.arange(64) % 2)
    assert set(videos_by_looks(images, samples).values()) == {"a_#"}
