"""One look at every label picture: how many pixels each class has, and colours that no class has."""

import json
import logging
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation.classes import Classes
from segmentation.data.fingerprint import cache_folder, fingerprint
from segmentation.data.image.source import ImageSample, ImageSource, StoredValue
from segmentation.errors import UserError, gathered
from segmentation.runtime.files import write_atomically

MOST_UNKNOWN = 0.01  # the share of all pixels above which unknown colours stop the run
log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class MaskScan:
    """`counts` `[N, C + 1]` int64: pixels of each class in each sample, the ignored ones last.

    `unknown` holds the pixels of each stored value (a number or a colour) that no class has, `unknown_masks` the number
    of masks with it.
    """

    keys: tuple[str, ...]
    counts: np.ndarray
    unknown: dict[StoredValue, int]
    unknown_masks: dict[StoredValue, int]

    def counts_of(self, keys: set[str]) -> np.ndarray:
        """Pixels by class `[n, C]` of the samples named, for class weights."""
        chosen = np.array([key in keys for key in self.keys])
        return self.counts[chosen, :-1]


def scan_masks(source: ImageSource, advance: Callable[[], None] = lambda: None) -> MaskScan:
    """Read all label pictures, several at a time, or take what an earlier scan of the same files found.

    Raises `UserError` with all unreadable pictures together.
    """
    keys = [sample.key for sample in source.samples]
    files = {path for sample in source.samples for path in source.labels.files(sample)}
    state = fingerprint(files, keys, source.labels)
    kept = cache_folder() / f"masks-{state}.npz"
    scan = _read(kept)
    if scan is None:
        scan = _scan(source, advance)
        _keep(kept, scan)
    return scan


def _scan(source: ImageSource, advance: Callable[[], None]) -> MaskScan:
    classes = source.classes

    def look(sample: ImageSample) -> tuple[np.ndarray, Mapping[StoredValue, int]] | str:
        try:
            ids, unknown = source.labels.look(sample)
        except UserError as error:
            return str(error)
        finally:
            advance()
        counts = np.bincount(ids.reshape(-1), minlength=classes.ignore_index + 1)
        return np.append(counts[: len(classes)], counts[classes.ignore_index]), unknown

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = list(pool.map(look, source.samples))
    faults = [result for result in seen if isinstance(result, str)]
    if faults:
        raise gathered(f"{source.title} has {len(faults)} unreadable masks", faults)
    good = [result for result in seen if not isinstance(result, str)]
    pixels: Counter[StoredValue] = Counter()
    masks: Counter[StoredValue] = Counter()
    for _, unknown in good:
        pixels.update(unknown)
        masks.update(unknown.keys())
    keys = tuple(sample.key for sample in source.samples)
    return MaskScan(keys, np.stack([counts for counts, _ in good]), dict(pixels), dict(masks))


def tell_unknown_values(scan: MaskScan, classes: Classes, most: int = 5) -> None:
    """Warn of colours and numbers that no class has, a colour with the nearest class; stop when they are many."""
    total, unknown = int(scan.counts.sum()), sum(scan.unknown.values())
    if not unknown:
        return
    ranked = sorted(scan.unknown.items(), key=lambda item: -item[1])
    lines = [
        f"{value_text(value)}: {count} pixels in {scan.unknown_masks[value]} masks{nearest_class(value, classes)}"
        for value, count in ranked[:most]
    ]
    share = unknown / total
    kind = "colours" if len(ranked[0][0]) == 3 else "values"
    told = f"{len(ranked)} {kind} of no class, {unknown} pixels ({share:.2%})"
    if share > MOST_UNKNOWN:
        raise gathered(f"{told}, more than {MOST_UNKNOWN:.0%}: mend the masks or dataset.classes", lines, most)
    log.warning("%s; they are ignored: %s", told, "; ".join(lines))


def value_text(value: StoredValue) -> str:
    return str(value if len(value) > 1 else value[0])


def nearest_class(value: StoredValue, classes: Classes) -> str:
    """", nearest class road" for a colour; nothing for a number, whose neighbours mean nothing."""
    if len(value) != 3:
        return ""
    distances = [sum((a - b) ** 2 for a, b in zip(value, known, strict=True)) for known in classes.colors]
    return f", nearest class {classes.names[int(np.argmin(distances))]}"


def _keep(path: Path, scan: MaskScan) -> None:
    """A cache that cannot be written costs time, not the run."""
    unknown = [[list(value), count, scan.unknown_masks[value]] for value, count in scan.unknown.items()]
    arrays = {"keys": np.array(scan.keys), "counts": scan.counts, "unknown": np.array(json.dumps(unknown))}

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:  # a file object: given a name, numpy appends its own suffix
            np.savez(file, allow_pickle=False, **arrays)

    try:
        write_atomically(path, write)
    except OSError as error:
        log.warning("the class counts could not be kept in %s (%s); they are counted again next time", path, error)


def _read(path: Path) -> MaskScan | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            unknown = [(tuple(value), pixels, masks) for value, pixels, masks in json.loads(str(kept["unknown"]))]
            return MaskScan(
                tuple(kept["keys"].tolist()),
                kept["counts"],
                {value: pixels for value, pixels, _ in unknown},
                {value: masks for value, _, masks in unknown},
            )
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):  # none yet, not ours to read, or damaged
        return None
