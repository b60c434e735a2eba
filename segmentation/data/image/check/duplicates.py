"""Findings from images that are the same or look alike: across splits they are scored on what was learnt."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from segmentation.data.image.check.findings import Example, Finding, Severity, number
from segmentation.data.image.check.images import ImageScan
from segmentation.data.image.source import ImageSample

MOST_BITS = 6  # of 64: pairs of the magnetic tiles that differ in up to 6 are the same tile, those in 8 not always
BLOCK = 1024
NUMBER = re.compile(r"(\d+)\D*$")
Parts = Mapping[str, Sequence[ImageSample]]


def duplicate_findings(scan: ImageScan, parts: Parts) -> Iterator[Finding]:
    """Copies are a fault across parts and a note within one; near copies and videos in several parts are a warning:
    data sets are published so, and their scores compared.
    """
    part_of = {sample.key: part for part, samples in parts.items() for sample in samples}
    yield from _copies(scan, part_of)
    for first, second in combinations(parts, 2):
        yield from _near_copies(scan, part_of, first, second)
    for first, second in combinations(parts, 2):
        yield from _shared_groups(parts, first, second)


def _copies(scan: ImageScan, part_of: Mapping[str, str]) -> Iterator[Finding]:
    by_digest: dict[bytes, list[str]] = {}
    for key, digest in zip(scan.keys, scan.digests, strict=True):
        if key not in scan.errors:
            by_digest.setdefault(digest.tobytes(), []).append(key)
    same = [keys for keys in by_digest.values() if len(keys) > 1]
    across = [keys for keys in same if len({part_of[key] for key in keys if key in part_of}) > 1]
    within = [keys for keys in same if keys not in across]
    if across:
        message = f"{number(len(across), 'image')} in more than one split: keep each in one"
        yield Finding("duplicate across splits", Severity.FAULT, message, _examples(across, part_of))
    if within:
        message = f"{number(len(within), 'image')} more than once in one split"
        yield Finding("duplicate", Severity.NOTE, message, _examples(within, part_of))


def _examples(groups: Sequence[Sequence[str]], part_of: Mapping[str, str]) -> tuple[Example, ...]:
    return tuple(Example(" = ".join(_placed(key, part_of) for key in keys), tuple(keys)) for keys in groups)


def _placed(key: str, part_of: Mapping[str, str]) -> str:
    """The key with its part, which keys do not always tell."""
    return f"{key} ({part_of[key]})" if key in part_of else key


def _near_copies(scan: ImageScan, part_of: Mapping[str, str], first: str, second: str) -> Iterator[Finding]:
    rows = {
        part: np.array(
            [row for row, key in enumerate(scan.keys) if part_of.get(key) == part and not scan.flat[row]], np.int64
        )
        for part in (first, second)
    }
    pairs = [
        (bits, rows[first][a], rows[second][b])
        for a, b, bits in near_pairs(scan.hashes[rows[first]], scan.hashes[rows[second]])
        if (scan.digests[rows[first][a]] != scan.digests[rows[second][b]]).any()
    ]
    if not pairs:
        return
    nearest: dict[int, tuple[int, int]] = {}
    for bits, a, b in sorted(pairs):
        nearest.setdefault(b, (bits, a))
    examples = [
        Example(f"{scan.keys[b]} ~ {scan.keys[a]}", (scan.keys[a], scan.keys[b])) for b, (_, a) in nearest.items()
    ]
    total = sum(part == second for part in part_of.values())
    message = (
        f"{number(len(nearest), 'image')} of the {total} of {second} like one of {first} "
        f"({number(len(pairs), 'pair')}): scores there are flattered"
    )
    yield Finding("near-duplicate across splits", Severity.WARNING, message, tuple(examples))


def near_pairs(first: np.ndarray, second: np.ndarray, most: int = MOST_BITS) -> Iterator[tuple[int, int, int]]:
    """(row of `first` `[N, 8]`, row of `second` `[M, 8]`, differing bits) of all pairs that differ in up to `most` of
    their 64 bits; in blocks, a second for 10,000 by 10,000.
    """
    first, second = (np.ascontiguousarray(hashes).view(np.uint64)[:, 0] for hashes in (first, second))
    for start in range(0, len(first), BLOCK):
        bits = np.bitwise_count(first[start : start + BLOCK, None] ^ second[None])
        rows, columns = np.nonzero(bits <= most)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            yield start + row, column, int(bits[row, column])


def _shared_groups(parts: Parts, first: str, second: str) -> Iterator[Finding]:
    """Videos, specimens: whatever the reader says belongs together."""
    counts = {part: Counter(sample.group for sample in parts[part]) for part in (first, second)}
    shared = sorted(counts[first].keys() & counts[second].keys())
    if not shared:
        return
    examples = []
    for group in shared:
        told = f"{group} ({counts[first][group]} in {first}, {counts[second][group]} in {second}"
        gap, keys = _nearest_frames(
            [[sample for sample in parts[part] if sample.group == group] for part in (first, second)]
        )
        examples.append(Example(f"{told}{f', {gap} frames apart at the nearest' if gap else ''})", keys))
    message = (
        f"{first} and {second} share {number(len(shared), 'group')}: samples of one video or specimen are near copies, "
        "and scores there are flattered"
    )
    yield Finding("group across splits", Severity.WARNING, message, tuple(examples))


def _nearest_frames(parts: Sequence[Sequence[ImageSample]]) -> tuple[int | None, tuple[str, ...]]:
    """How many frames lie between the nearest two of different parts, where they are numbered, and their keys."""
    frames = sorted(
        (number, part, sample.key)
        for part, samples in enumerate(parts)
        for sample in samples
        if (number := _frame_number(sample)) is not None
    )
    neighbours = [
        (after[0] - before[0], (before[2], after[2])) for before, after in pairwise(frames) if before[1] != after[1]
    ]
    return min(neighbours, default=(None, tuple(samples[0].key for samples in parts)))


def _frame_number(sample: ImageSample) -> int | None:
    if sample.frame is not None:
        return sample.frame
    match = NUMBER.search(sample.image.stem)
    return int(match[1]) if match else None
