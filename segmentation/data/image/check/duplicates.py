"""Findings from images that are the same or look alike: across splits they are scored on what was learnt."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from segmentation.data.check.copies import copy_findings
from segmentation.data.check.findings import Example, Finding, Severity, number
from segmentation.data.image.check.images import ImageScan
from segmentation.data.image.source import ImageSample

MOST_BITS = 6  # of 64: pairs of the magnetic tiles that differ in up to 6 are the same tile, those in 8 not always
BLOCK = 256
Parts = Mapping[str, Sequence[ImageSample]]


def duplicate_findings(scan: ImageScan, parts: Parts) -> Iterator[Finding]:
    """Copies are a fault across parts and a note within one; near copies are a warning: data sets are published so,
    and their scores compared.
    """
    part_of = {sample.key: part for part, samples in parts.items() for sample in samples}
    yield from copy_findings(scan.contents(), part_of, "image")
    group_of = {sample.key: sample.group for samples in parts.values() for sample in samples}
    for first, second in combinations(parts, 2):
        yield from _near_copies(scan, part_of, group_of, first, second)


def _near_copies(
    scan: ImageScan, part_of: Mapping[str, str], group_of: Mapping[str, str], first: str, second: str
) -> Iterator[Finding]:
    rows = {
        part: [row for row, key in enumerate(scan.keys) if part_of.get(key) == part and not scan.flat[row]]
        for part in (first, second)
    }
    copied = {scan.digests[row].tobytes() for row in rows[first]}
    others = [row for row in rows[second] if scan.digests[row].tobytes() not in copied]
    if not rows[first]:
        return
    examples = []
    for row, (nearest, bits) in zip(others, nearest_rows(scan.hashes[others], scan.hashes[rows[first]]), strict=True):
        if bits <= MOST_BITS:
            keys = scan.keys[rows[first][nearest]], scan.keys[row]
            together = f", both of {group_of[keys[0]]}" if group_of[keys[0]] == group_of[keys[1]] else ""
            examples.append((bits, Example(f"{keys[1]} ~ {keys[0]}{together}", keys)))
    if examples:
        examples.sort(key=lambda example: example[0])
        total = sum(part == second for part in part_of.values())
        message = (
            f"near copies in {first} of {len(examples)} of the {number(total, 'image')} of {second}: scores there are "
            "flattered"
        )
        told = tuple(example for _, example in examples)
        yield Finding("near-duplicate across splits", Severity.WARNING, message, told)


def nearest_rows(hashes: np.ndarray, among: np.ndarray) -> Iterator[tuple[int, int]]:
    """For each of `hashes` `[N, 8]` uint8 the row of `among` `[M, 8]`, at least one, that differs in the fewest of the
    64 bits, and in how many; a second for 10,000 by 10,000.
    """
    one, other = (np.ascontiguousarray(bits).view(np.uint64)[:, 0] for bits in (hashes, among))
    for start in range(0, len(one), BLOCK):
        bits = np.bitwise_count(one[start : start + BLOCK, None] ^ other[None])
        nearest = bits.argmin(axis=1)
        yield from zip(nearest.tolist(), bits.min(axis=1).tolist(), strict=True)
