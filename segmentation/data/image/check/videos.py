"""Findings from videos, specimens and the like of which there are samples in several splits."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations, pairwise

import numpy as np

from segmentation.data.check.findings import Example, Finding, Severity, number
from segmentation.data.image.check.images import ImageScan
from segmentation.data.image.source import ImageSample

LEAST_FRAMES = 5  # of fewer the middle distance says little
VIDEO_BITS = 16  # of 64, from frame to frame: 10 to 20 in CamVid at 1 Hz; 24 and more in numbered pictures of no video
NUMBER = re.compile(r"(\d+)\D*$")
Parts = Mapping[str, Sequence[ImageSample]]
Groups = Mapping[str, str]  # by key


def video_findings(scan: ImageScan, parts: Parts) -> Iterator[Finding]:
    """A warning for each two parts that share a group, whether the reader knows of it or only the pictures tell: data
    sets are published so, and their scores compared.
    """
    known = {sample.key: sample.group for sample in chain(*parts.values()) if sample.group != sample.key}
    seen = videos_by_looks(scan, [sample for sample in chain(*parts.values()) if sample.key not in known])
    for first, second in combinations(parts, 2):
        told = ": samples of one video or specimen are near copies, and scores there are flattered"
        yield from _shared("group across splits", "group", told, known, parts, first, second)
        told = ", by the names and looks of its frames: set dataset.group and write_split for a split by video"
        yield from _shared("neighbouring frames across splits", "video", told, seen, parts, first, second)


def videos_by_looks(scan: ImageScan, samples: Sequence[ImageSample]) -> dict[str, str]:
    """By the sample's key, the video that it seems to be a frame of: files whose names are the same but for the number
    at the end, where most that follow each other look alike.
    """
    row_of = {key: row for row, key in enumerate(scan.keys)}
    series: dict[str, list[tuple[int, ImageSample]]] = {}
    for sample in samples:
        match = NUMBER.search(sample.image.stem)
        if match and not scan.flat[row_of[sample.key]]:
            series.setdefault(sample.image.stem[: match.start()], []).append((int(match[1]), sample))
    videos = {}
    for name, frames in series.items():
        frames.sort(key=lambda frame: frame[0])
        numbers, rows = {frame for frame, _ in frames}, [row_of[sample.key] for _, sample in frames]
        if len(numbers) < max(LEAST_FRAMES, len(frames)):  # numbers that come twice are of no one video
            continue
        bits = np.bitwise_count(scan.hashes[rows[1:]] ^ scan.hashes[rows[:-1]]).sum(axis=1)
        if np.median(bits) <= VIDEO_BITS:
            videos.update({sample.key: f"{name}{'#' * len(str(max(numbers)))}" for _, sample in frames})
    return videos


def _shared(
    kind: str, noun: str, told: str, groups: Groups, parts: Parts, first: str, second: str
) -> Iterator[Finding]:
    in_first, in_second = _members(parts[first], groups), _members(parts[second], groups)
    examples = []
    for group in sorted(in_first.keys() & in_second.keys()):
        gap, keys = _nearest_frames((in_first[group], in_second[group]))
        counts = f"{len(in_first[group])} in {first}, {len(in_second[group])} in {second}"
        apart = f", {number(gap, 'frame')} apart at the nearest" if gap else ""
        examples.append(Example(f"{group} ({counts}{apart})", keys))
    if examples:
        message = f"{first} and {second} share {number(len(examples), noun)}{told}"
        yield Finding(kind, Severity.WARNING, message, tuple(examples))


def _members(samples: Sequence[ImageSample], groups: Groups) -> dict[str, list[ImageSample]]:
    members: dict[str, list[ImageSample]] = {}
    for sample in samples:
        if sample.key in groups:
            members.setdefault(groups[sample.key], []).append(sample)
    return members


def _nearest_frames(parts: Sequence[Sequence[ImageSample]]) -> tuple[int | None, tuple[str, ...]]:
    """How many frames lie between the nearest two of different parts, where they are numbered, and their keys."""
    frames = sorted(
        (frame, part, sample.key)
        for part, samples in enumerate(parts)
        for sample in samples
        if (frame := _frame_number(sample)) is not None
    )
    neighbours = [
        (after[0] - before[0], (before[2], after[2])) for before, after in pairwise(frames) if before[1] != after[1]
    ]
    return min(neighbours, key=lambda found: found[0], default=(None, tuple(samples[0].key for samples in parts)))


def _frame_number(sample: ImageSample) -> int | None:
    if sample.frame is not None:
        return sample.frame
    match = NUMBER.search(sample.image.stem)
    return int(match[1]) if match else None
