"""Findings from samples that are the same: across splits they are scored on what was learnt."""

from collections.abc import Iterator, Mapping, Sequence

from segmentation.data.check.findings import Example, Finding, Severity, number

SHOWN = 6  # of many copies of one sample


def copy_findings(digests: Mapping[str, bytes], part_of: Mapping[str, str], noun: str) -> Iterator[Finding]:
    """Copies are a fault across parts and a note within one. `digests` has the same bytes for the keys of samples that
    are the same, `part_of` the part of each key that is in one; `noun` says what a sample is: "image".
    """
    by_digest: dict[bytes, list[str]] = {}
    for key, digest in digests.items():
        by_digest.setdefault(digest, []).append(key)
    same = [keys for keys in by_digest.values() if len(keys) > 1]
    across = [keys for keys in same if len({part_of[key] for key in keys if key in part_of}) > 1]
    within = [keys for keys in same if keys not in across]
    if across:
        message = f"{number(len(across), noun)} in more than one split: keep each in one"
        yield Finding("duplicate across splits", Severity.FAULT, message, _examples(across, part_of))
    if within:
        message = f"{number(len(within), noun)} more than once in one split"
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
