"""One look at every mask: how many pixels each class has, and what stands for no class."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from segmentation.classes import Classes
from segmentation.data.fingerprint import fingerprint
from segmentation.data.image.check.intact import check_sums
from segmentation.data.image.files import Size
from segmentation.data.image.source import ImageSample, ImageSource, StoredValue
from segmentation.data.kept import keep_arrays, read_arrays
from segmentation.errors import UserError

NEAR = 24  # of 255 in the channel that differs most: how far lossy compression moves most of a colour's pixels
COMMONEST = 32  # stored values that are kept of a mask; a JPEG has thousands


@dataclass(frozen=True)
class NoClass:
    """What stands for no class in a mask and is not known to be ignored: `pixels` of `values` different stored values,
    `near` of them in a colour close to a class's, and the commonest values with their pixels.
    """

    pixels: int
    near: int
    values: int
    commonest: Mapping[StoredValue, int]


@dataclass(frozen=True)
class MaskScan:
    """`counts` `[N, C + 1]` int64: pixels of each class in each sample, the ignored ones last; `sizes` `[N, 2]` the
    masks' height and width. Both are 0 where the mask is unreadable, which `errors` tells by key; `unknown` has the
    masks with something that is no class.
    """

    keys: tuple[str, ...]
    counts: np.ndarray
    sizes: np.ndarray
    unknown: Mapping[str, NoClass]
    errors: Mapping[str, str]

    def counts_of(self, keys: Iterable[str]) -> np.ndarray:
        """Pixels by class `[n, C]` of the samples named, in the order of the scan: for class weights and sampling."""
        return self.counts[self.rows_of(keys), :-1]

    def rows_of(self, keys: Iterable[str]) -> np.ndarray:
        """`[N]` bool."""
        chosen = set(keys)
        return np.array([key in chosen for key in self.keys], bool)


def scan_masks(source: ImageSource, advance: Callable[[], None] = lambda: None) -> MaskScan:
    """Read all masks, several at a time, or take what an earlier scan of the same files found."""
    keys = tuple(sample.key for sample in source.samples)
    files = {path for sample in source.samples for path in source.labels.files(sample)}
    wanted = [(sample.key, source.labels.files(sample)) for sample in source.samples]
    name = f"masks-{fingerprint(files, wanted, source.labels)}"
    scan = _read(name, keys)
    if scan is None:
        scan = _scan(source, keys, advance)
        if not scan.errors:  # they may be of the moment
            _keep(name, scan)
    return scan


Look = tuple[np.ndarray, Size, NoClass | None]
Seen = TypeVar("Seen")


def _scan(source: ImageSource, keys: tuple[str, ...], advance: Callable[[], None]) -> MaskScan:
    nothing: Look = (np.zeros(len(source.classes) + 1, np.int64), (0, 0), None)
    looks, errors = look_at_all(source.samples, lambda sample: _look(source, sample), nothing, advance)
    return MaskScan(
        keys,
        np.array([counts for counts, _, _ in looks], np.int64).reshape(len(keys), len(source.classes) + 1),
        np.array([size for _, size, _ in looks], np.int64).reshape(len(keys), 2),
        {key: unknown for key, (_, _, unknown) in zip(keys, looks, strict=True) if unknown is not None},
        errors,
    )


def look_at_all(
    samples: Sequence[ImageSample], look: Callable[[ImageSample], Seen], nothing: Seen, advance: Callable[[], None]
) -> tuple[list[Seen], dict[str, str]]:
    """What `look` gives of each sample, several at a time; `nothing` of those that cannot be read, and why, by key."""
    errors: dict[str, str] = {}

    def look_at(sample: ImageSample) -> Seen:
        try:
            return look(sample)
        except UserError as error:
            errors[sample.key] = str(error)
            return nothing
        finally:
            advance()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = list(pool.map(look_at, samples))
    return seen, {sample.key: errors[sample.key] for sample in samples if sample.key in errors}


def _look(source: ImageSource, sample: ImageSample) -> Look:
    classes = source.classes
    for path in source.labels.files(sample):
        check_sums(path)
    ids, unknown = source.labels.look(sample)
    counts = np.bincount(ids.reshape(-1), minlength=classes.ignore_index + 1)
    counts = np.append(counts[: len(classes)], counts[classes.ignore_index])
    return counts, (ids.shape[0], ids.shape[1]), _no_class(unknown, classes) if unknown else None


def _no_class(unknown: Mapping[StoredValue, int], classes: Classes) -> NoClass:
    ranked = sorted(unknown.items(), key=lambda item: -item[1])
    values, pixels = np.array([value for value, _ in ranked]), np.array([count for _, count in ranked])
    near = 0
    if values.shape[1] == 3:
        known = np.array(classes.colors)
        distance = np.min([np.abs(values - color).max(axis=1) for color in known], axis=0)
        near = int(pixels[distance <= NEAR].sum())
    return NoClass(int(pixels.sum()), near, len(ranked), dict(ranked[:COMMONEST]))


def _keep(name: str, scan: MaskScan) -> None:
    unknown = {
        key: [some.pixels, some.near, some.values, [[list(value), count] for value, count in some.commonest.items()]]
        for key, some in scan.unknown.items()
    }
    keep_arrays(name, {"counts": scan.counts, "sizes": scan.sizes, "unknown": np.array(json.dumps(unknown))})


def _read(name: str, keys: tuple[str, ...]) -> MaskScan | None:
    kept = read_arrays(name)
    try:
        if kept is None:
            return None
        unknown = {
            key: NoClass(pixels, near, values, {tuple(value): count for value, count in commonest})
            for key, (pixels, near, values, commonest) in json.loads(str(kept["unknown"])).items()
        }
        return MaskScan(keys, kept["counts"], kept["sizes"], unknown, {})
    except (KeyError, ValueError, TypeError):  # of another version
        return None
