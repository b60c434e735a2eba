"""Findings from images that are the same or look alike: across splits they are scored on what was learnt."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from segmentation.data.image.check.findings import Example, Finding, Severity, number
from segmentation.data.image.check.images import ImageScan
from segmentation.data.image.source import ImageSample

MOST_BITS = 6  # of 64: pairs of the magnetic tiles that differ in up to 6 are the same tile, those in 8 not always
BLOCK = 256
SHOWN = 6  # of many copies of one picture
Parts = Mapping[str, Sequence[ImageSample]]


def duplicate_findings(scan: ImageScan, parts: Parts) -> Iterator[Finding]:
    """Copies are a fault across parts and a note within one; near copies are a warning: data sets are published so,
    and their scores compared.
    """
    part_of = {sample.key: part for part, samples in parts.items() for sample in samples}
    yield from _copies(scan, part_of)
    group_of = {sample.key: sample.group for samples in parts.values() for sample in samples}
    for first, second in combinations(parts, 2):
        yield from _near_copies(scan, part_of, group_of, first, second)


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
    return tuple(_example(keys, part_of) for keys in groups)


def _example(keys: Sequence[str], part_of: Mapping[str, str]) -> Example:
    """With the first of each part among those that are shown."""
    firsts = {part_of.get(key): key for key in reversed(keys)}.values()
    shown = [*(key for key in keys if key in firsts), *(key for key in keys if key not in firsts)][:SHOWN]
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return Example(" = ".join(_placed(key, part_of) for key in shown) + more, tuple(shown))


def _placed(key: str, part_of: Mapping[str, str]) -> str:
    """The key with its part, which keys do not always tell."""
    return f"{key} ({part_of[key]})" if key in part_of else key


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
