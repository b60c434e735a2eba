"""One look at every label picture: how many pixels each class has, and colours that no class has."""

import logging
import os
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import Classes, Color
from segmentation.data.fingerprint import cache_folder, fingerprint
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.errors import UserError, gathered
from segmentation.runtime.files import write_atomically

MOST_UNKNOWN = 0.01  # the share of all pixels above which unknown colours stop the run
log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class MaskScan:
    """`counts` `[N, C + 1]` int64: pixels of each class in each sample, the ignored ones last.

    `unknown` holds the pixels of each colour that no class has, `unknown_masks` the number of pictures with it.
    """

    keys: tuple[str, ...]
    counts: np.ndarray
    unknown: dict[Color, int]
    unknown_masks: dict[Color, int]

    def counts_of(self, keys: set[str]) -> np.ndarray:
        """Pixels by class `[n, C]` of the samples named, for class weights."""
        chosen = np.array([key in keys for key in self.keys])
        return self.counts[chosen, :-1]


def scan_masks(source: ImageSource, advance: Callable[[], None] = lambda: None) -> MaskScan:
    """Read all label pictures, several at a time, or take what an earlier scan of the same files found.

    Raises `UserError` with all unreadable pictures together.
    """
    keys = [sample.key for sample in source.samples]
    state = fingerprint((sample.mask for sample in source.samples), keys, source.classes, source.decode.ignored)
    kept = cache_folder() / f"masks-{state}.npz"
    scan = _read(kept)
    if scan is None:
        scan = _scan(source, advance)
        _keep(kept, scan)
    return scan


def _scan(source: ImageSource, advance: Callable[[], None]) -> MaskScan:
    classes = source.classes

    def look(sample: ImageSample) -> tuple[np.ndarray, dict[Color, int]] | str:
        try:
            stored, ids = source.read_mask(sample.mask)
        except UserError as error:
            return str(error)
        finally:
            advance()
        counts = np.bincount(ids.reshape(-1), minlength=classes.ignore_index + 1)
        ignored = counts[classes.ignore_index]
        unknown = source.decode.unknown_colors(stored, ids) if ignored else {}
        return np.append(counts[: len(classes)], ignored), unknown

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = list(pool.map(look, source.samples))
    faults = [result for result in seen if isinstance(result, str)]
    if faults:
        raise gathered(f"{source.title} has {len(faults)} unreadable label pictures", faults)
    good = [result for result in seen if not isinstance(result, str)]
    pixels: Counter[Color] = Counter()
    masks: Counter[Color] = Counter()
    for _, unknown in good:
        pixels.update(unknown)
        masks.update(unknown.keys())
    keys = tuple(sample.key for sample in source.samples)
    return MaskScan(keys, np.stack([counts for counts, _ in good]), dict(pixels), dict(masks))


def tell_unknown_colors(scan: MaskScan, classes: Classes, most: int = 5) -> None:
    """Warn of colours that no class has, each with the class of the nearest colour; stop when they are many."""
    total, unknown = int(scan.counts.sum()), sum(scan.unknown.values())
    if not unknown:
        return
    ranked = sorted(scan.unknown.items(), key=lambda item: -item[1])
    lines = []
    for color, count in ranked[:most]:
        distances = [sum((a - b) ** 2 for a, b in zip(color, known, strict=True)) for known in classes.colors]
        name = classes.names[int(np.argmin(distances))]
        lines.append(f"{color}: {count} pixels in {scan.unknown_masks[color]} masks, nearest class {name}")
    share = unknown / total
    told = f"{len(ranked)} colours of no class, {unknown} pixels ({share:.2%})"
    if share > MOST_UNKNOWN:
        raise gathered(f"{told}, more than {MOST_UNKNOWN:.0%}: mend the masks or dataset.classes", lines, most)
    log.warning("%s; they are ignored: %s", told, "; ".join(lines))


def _keep(path: Path, scan: MaskScan) -> None:
    """A cache that cannot be written costs time, not the run."""
    colors = np.array(list(scan.unknown), np.int64).reshape(-1, 3)
    arrays: dict[str, Any] = {
        "keys": np.array(scan.keys),
        "counts": scan.counts,
        "colors": colors,
        "pixels": np.array(list(scan.unknown.values()), np.int64),
        "masks": np.array([scan.unknown_masks[color] for color in scan.unknown], np.int64),
    }

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:  # a file object: given a name, numpy appends its own suffix
            np.savez(file, **arrays)

    try:
        write_atomically(path, write)
    except OSError as error:
        log.warning("the class counts could not be kept in %s (%s); they are counted again next time", path, error)


def _read(path: Path) -> MaskScan | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            colors: list[Color] = [(int(r), int(g), int(b)) for r, g, b in kept["colors"]]
            pixels = dict(zip(colors, kept["pixels"].tolist(), strict=True))
            masks = dict(zip(colors, kept["masks"].tolist(), strict=True))
            return MaskScan(tuple(kept["keys"].tolist()), kept["counts"], pixels, masks)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):  # none yet, not ours to read, or damaged
        return None
