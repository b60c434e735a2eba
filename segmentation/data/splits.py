"""Which samples are for training, validation and test. Whole groups (videos, buildings) go to one side, because
samples of one group are near copies of each other: a split through a group would test on what was trained on.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from segmentation.errors import UserError, gathered
from segmentation.runtime.files import read_json, write_json

SPLITS = ("train", "val", "test")
Share = float | int | Sequence[str] | None
Split = dict[str, list[str]]
Deal = Callable[[Sequence[str], Mapping[str, int]], Split]  # names and how many of them each part gets


class Grouped(Protocol):
    """A sample's own name and the name of the group that it belongs to."""

    @property
    def key(self) -> str: ...

    @property
    def group(self) -> str: ...


class Parted(Grouped, Protocol):
    """`part` is the split that the data set itself puts the sample in, None where it does not say."""

    @property
    def part(self) -> str | None: ...


Sample = TypeVar("Sample", bound=Grouped)
GroupedSample = TypeVar("GroupedSample", bound=Any)  # a dataclass that is `Grouped`


def grouped(samples: Sequence[GroupedSample], pattern: str | None) -> tuple[list[GroupedSample], list[str]]:
    """The samples with the group that the first pair of parentheses in `pattern` finds in their keys, and as faults
    the keys in which it finds nothing. Without a pattern they stay as they are. Raises `UserError` for a bad pattern.
    """
    if pattern is None:
        return list(samples), []
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"dataset.group={pattern} is no regular expression ({error})") from error
    if not expression.groups:
        raise UserError(f"dataset.group={pattern}: put what names the group into parentheses, like (.*)_[0-9]+")
    matches = [(sample, expression.search(sample.key)) for sample in samples]
    faults = [f"{sample.key}: dataset.group={pattern} does not fit" for sample, match in matches if not match]
    return [replace(sample, group=match[1] or sample.key) for sample, match in matches if match], faults


def split_samples(samples: Sequence[Parted], shares: Mapping[str, Share], seed: int) -> Split:
    """The parts that the data set itself declares; where it declares none, whole groups by `split_groups`.

    Where it declares no val, or no test, these get their shares of the groups in train, and train keeps the others.
    """
    declared = {sample.part for sample in samples}
    if declared == {None}:
        return split_groups([sample.group for sample in samples], shares, seed)
    keys = {part: [sample.key for sample in samples if sample.part == part] for part in SPLITS}
    if "val" in declared:
        return keys
    taken = {part: share for part, share in shares.items() if part != "train" and part not in declared}
    rest = None if None not in taken.values() else shares.get("train")
    train = [sample for sample in samples if sample.part == "train"]
    of_groups = split_groups([sample.group for sample in train], {"train": rest, **taken}, seed)
    of_train = {part: set(groups) for part, groups in of_groups.items()}
    for part in ("train", *taken):
        keys[part] = [sample.key for sample in train if sample.group in of_train[part]]
    return keys


def in_order(names: Sequence[str], sizes: Mapping[str, int]) -> Split:
    """The first names for the first part, and so on."""
    rest = iter(names)
    return {part: sorted(islice(rest, count)) for part, count in sizes.items()}


def split_groups(groups: Sequence[str], shares: Mapping[str, Share], seed: int, deal: Deal = in_order) -> Split:
    """A pure function of the group names, the shares, the seed and `deal`, which gets the names in a seeded order; the
    order of `groups` does not matter.

    A share is a fraction (float) or a number (int) of the groups, a list of their names, or None: what the others
    leave. Fractions are rounded, with at least one group for each part as far as they go: first train gets its fraction
    rounded down (or one), then val, then test; so of two groups one is for training and one for validation, and of one
    both train and test on nothing else is left to training. Fractions that add up to one use every group.
    Raises `UserError` for unknown or repeated names and for more groups than there are.
    """
    names = sorted(set(groups))
    listed = {part: list(share) for part, share in shares.items() if isinstance(share, Sequence)}
    _check_names(listed, names)
    taken = {name for part in listed.values() for name in part}
    free = sorted((name for name in names if name not in taken), key=lambda name: _rank(name, seed))
    sizes = _sizes(len(names), len(free), {part: share for part, share in shares.items() if part not in listed})
    # train last: a larger train share then takes nothing from val
    dealt = deal(free, {part: sizes[part] for part in ("val", "test", "train") if part in sizes})
    return {part: sorted(listed[part]) if part in listed else dealt.get(part, []) for part in SPLITS}


def split_folds(groups: Sequence[str], folds: int, test: Share, seed: int, deal: Deal = in_order) -> list[Split]:
    """`folds` splits for cross-validation: every group is in val once, less the share of them that is test in all.

    Raises `UserError` where there are fewer groups than folds.
    """
    held_out = split_groups(groups, {"train": None, "test": test}, seed, deal)
    names = sorted(held_out["train"], key=lambda name: _rank(name, seed))
    if len(names) < folds:
        raise UserError(f"folds={folds}, but there are {len(names)} groups to divide: give folds={len(names)} or less")
    sizes = {str(fold): len(names) // folds + (fold < len(names) % folds) for fold in range(folds)}
    return [
        {"train": sorted(set(names) - set(val)), "val": val, "test": held_out["test"]}
        for val in deal(names, sizes).values()
    ]


def _rank(name: str, seed: int) -> bytes:
    return blake2b(f"{seed}/{name}".encode()).digest()


def _check_names(listed: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    faults = []
    seen: dict[str, str] = {}
    for part, part_names in listed.items():
        for name in part_names:
            if name not in names:
                faults.append(f"dataset.split.{part} names {name}, which the data does not have")
            if name in seen:
                faults.append(f"{name} is in both {seen[name]} and {part}")
            seen[name] = part
    if faults:
        raise gathered(f"the split does not fit the data, which has {_few(names)}", faults)


def _sizes(total: int, free: int, shares: Mapping[str, Share]) -> dict[str, int]:
    """How many of the `free` groups each part gets; fractions are of the `total`."""
    sizes = {part: share for part, share in shares.items() if isinstance(share, int)}
    fractions = {part: share for part, share in shares.items() if isinstance(share, float)}
    rest = [part for part, share in shares.items() if share is None]
    if sum(sizes.values()) > free:
        raise UserError(f"dataset.split asks for {sum(sizes.values())} groups, but {free} are there: ask for fewer")
    left = free - sum(sizes.values())
    uses_all = bool(fractions) and abs(sum(fractions.values()) - 1) < 1e-6
    reserved = max(int(fractions.get("train", 0) * total), int(fractions.get("train", 0) > 0 or "train" in rest))
    for part in ("val", "test"):
        if part in fractions:
            wanted = max(round(fractions[part] * total), int(fractions[part] > 0))
            sizes[part] = max(min(wanted, left - reserved), 0)
            left -= sizes[part]
    if "train" in fractions:
        sizes["train"] = left if uses_all else min(max(round(fractions["train"] * total), reserved), left)
        left -= sizes["train"]
    for part in rest[:1]:
        sizes[part] = left
    return sizes


def assign(samples: Sequence[Sample], split: Mapping[str, Sequence[str]]) -> dict[str, list[Sample]]:
    """The samples of each part; the entries of `split` are groups or single samples.

    Raises `UserError` when an entry names neither or a sample would be in two parts.
    """
    of_entry = {entry: part for part, entries in split.items() for entry in entries}
    known = {sample.key for sample in samples} | {sample.group for sample in samples}
    listed = Counter(entry for part in split.values() for entry in part)
    faults = [f"{entry} is not in the data" for entry in sorted(listed.keys() - known)]
    faults += [f"{entry} is listed twice" for entry in sorted(listed) if listed[entry] > 1]
    parts: dict[str, list[Sample]] = {part: [] for part in SPLITS}
    for sample in samples:
        places = {of_entry[entry] for entry in (sample.key, sample.group) if entry in of_entry}
        if len(places) > 1:
            faults.append(f"{sample.key} is in {' and '.join(sorted(places))}")
        for part in sorted(places)[:1]:
            parts[part].append(sample)
    if faults:
        raise gathered(f"the split names {len(faults)} things that do not fit the data", faults)
    return parts


def read_split(path: Path) -> Split:
    """`{"train": [...], "val": [...], "test": [...]}`, names of groups or samples; a run's splits.json is one too."""
    try:
        content = read_json(path)
        if not isinstance(content, dict) or not set(content) <= set(SPLITS) or not content.get("train"):
            raise ValueError
        if not all(isinstance(entries, list) for entries in content.values()):
            raise TypeError
        split = {part: [str(entry) for entry in content.get(part, [])] for part in SPLITS}
    except (ValueError, TypeError, OSError) as error:
        raise UserError(
            f'dataset.split_file={path} is no split file: expected JSON {{"train": [...], "val": [...], "test": [...]}}'
        ) from error
    return split


def write_split(path: Path, split: Mapping[str, Sequence[str]]) -> None:
    """What `read_split` reads. Raises `UserError` where no file can be written."""
    try:
        write_json(path, {part: list(split.get(part, [])) for part in SPLITS})
    except OSError as error:
        raise UserError(f"the split cannot be written to {path} ({error.strerror})") from error


def _few(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
