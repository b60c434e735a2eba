"""Findings from what the masks hold."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from segmentation.classes import Classes
from segmentation.data.check.classes import missing_classes
from segmentation.data.check.findings import Example, Finding, Severity, number, samples
from segmentation.data.image.files import read_indices
from segmentation.data.image.labels.index import IndexDecoder
from segmentation.data.image.labels.pictures import PictureLabels
from segmentation.data.image.scan import MaskScan, NoClass
from segmentation.data.image.source import ImageSource, StoredValue

MOST_UNKNOWN = 0.01  # the share of a mask's pixels above which unknown values are a fault
LOSSY = re.compile(rb"\xff\xd8\xff|RIFF.{4}WEBPVP8 ", re.DOTALL)  # how a JPEG begins, and a lossy WebP
MANY_VALUES = 8  # more different colours than a mask has by mistake: lossy compression
GREYS = 0.05  # the share of a black and white mask that smooth edges may take
PartKeys = Mapping[str, Sequence[str]]


def mask_findings(source: ImageSource, scan: MaskScan, parts: PartKeys) -> list[Finding]:
    """Of the masks of all samples, and of the classes that each of `parts` (keys of samples) lacks."""
    classes, binary = source.classes, _black_and_white(source, scan)
    return [
        *_lossy(source),
        *_unreadable(scan),
        *_binary(binary, scan, source),
        *_unknown([key for key in scan.unknown if key not in binary], scan, source),
        *_without_content(scan, source),
        *missing_classes(scan.counts[:, :-1], scan.keys, classes, parts, "masks"),
    ]


def _index_decoder(source: ImageSource) -> IndexDecoder | None:
    decode = source.labels.decode if isinstance(source.labels, PictureLabels) else None
    return decode if isinstance(decode, IndexDecoder) else None


def _lossy(source: ImageSource) -> Iterator[Finding]:
    """Numbers that compression changed are mostly those of other classes: nothing else tells."""
    of_ids = _index_decoder(source) is not None
    keys = [sample.key for sample in source.samples if of_ids and _is_lossy(sample.mask)]
    if keys:
        message = f"JPEG or WebP, whose compression changes ids, in {number(len(keys), 'mask')}: store masks as PNG"
        yield Finding("lossy mask", Severity.FAULT, message, samples(keys))


def _is_lossy(path: Path) -> bool:
    """By its first bytes: the name of a file may say something else."""
    try:
        with path.open("rb") as file:
            return LOSSY.match(file.read(16)) is not None
    except OSError:  # told as unreadable
        return False


def _unreadable(scan: MaskScan) -> Iterator[Finding]:
    if scan.errors:
        examples = tuple(Example(error, (key,)) for key, error in scan.errors.items())
        yield Finding("unreadable mask", Severity.FAULT, f"{number(len(examples), 'mask')} cannot be read", examples)


def _black_and_white(source: ImageSource, scan: MaskScan) -> set[str]:
    """The masks of nothing but 0 and 255, and a few greys between them, that are read as class ids or colours."""
    decode = _index_decoder(source)
    if decode is None:
        return _of_black_and_white(scan)
    total, others = scan.counts.sum(axis=1), scan.counts[:, 1:-1].sum(axis=1)
    suspects = (scan.counts[:, 0] > 0) & (scan.counts[:, -1] > 0) & (others <= GREYS * total)
    if len(source.classes) < 2 or 255 in dict(decode.remap):
        return set()
    return {
        sample.key
        for sample, suspect in zip(source.samples, suspects, strict=True)
        if suspect and _is_black_and_white(read_indices(sample.mask))
    }


def _is_black_and_white(stored: np.ndarray) -> bool:
    return bool((stored == 255).any() and np.isin(stored, (0, 255)).mean() >= 1 - GREYS)


def _of_black_and_white(scan: MaskScan) -> set[str]:
    """By colours of which at most one, black or white, is a class."""
    row_of = {key: row for row, key in enumerate(scan.keys)}
    return {
        key
        for key, some in scan.unknown.items()
        if (255, 255, 255) in some.commonest
        and set(some.commonest) <= {(0, 0, 0), (255, 255, 255)}
        and np.count_nonzero(scan.counts[row_of[key], :-1]) <= 1
    }


def _binary(keys: Collection[str], scan: MaskScan, source: ImageSource) -> Iterator[Finding]:
    """With more than two classes none is meant so; with two, in few masks, it may be the ground and what to ignore."""
    classes = source.classes
    if not keys:
        return
    most = len(keys) * 2 > np.count_nonzero(scan.sizes[:, 0])
    spoils = most or len(classes) > 2 or any(share > MOST_UNKNOWN for share in _shares(keys, scan).values())
    yield Finding(
        "binary mask",
        Severity.FAULT if spoils else Severity.WARNING,
        f"0 and 255 are read as class ids or colours in {number(len(keys), 'mask')}: "
        f"{'set dataset.mask_format=binary, or ' if 'mask_format' in source.options else ''}mend them",
        samples(key for key in scan.keys if key in keys),
    )


def _unknown(keys: Sequence[str], scan: MaskScan, source: ImageSource) -> Iterator[Finding]:
    """What is no class, by what it looks like."""
    classes, decode = source.classes, _index_decoder(source)
    outside = f"ids above {len(classes) - 1}, the last class", "mend them or dataset.classes"
    if decode is not None and decode.remap and "remap" in source.options:
        outside = "numbers that dataset.remap does not name", "mend them, or name them there, as a class or ignore"
    by_kind: dict[str, list[str]] = {}
    for key in keys:
        by_kind.setdefault(_kind(scan.unknown[key]), []).append(key)
    advice = {
        "near-miss colours": (
            "colours near the classes', as lossy compression (JPEG) leaves them",
            "store masks as PNG, from the originals",
        ),
        "unknown colours": ("colours of no class", "mend them or dataset.classes"),
        "ids outside the classes": outside,
    }
    for kind, (told, what_to_do) in advice.items():
        of_kind = by_kind.get(kind, [])
        if of_kind:
            severity, values, examples = _ranked(of_kind, scan, classes)
            message = f"{told}, in {number(len(of_kind), 'mask')}: {what_to_do}; most are {values}"
            yield Finding(kind, severity, message, examples)


def _ranked(keys: Sequence[str], scan: MaskScan, classes: Classes) -> tuple[Severity, str, tuple[Example, ...]]:
    """How bad it is, the commonest values, and the masks, the worst first."""
    shares = _shares(keys, scan)
    ranked = sorted(keys, key=lambda key: -shares[key])
    pixels: Counter[StoredValue] = Counter()
    for key in keys:
        pixels.update(scan.unknown[key].commonest)
    values = ", ".join(f"{_text(value)} ({n} pixels{_nearest(value, classes)})" for value, n in pixels.most_common(3))
    severity = Severity.FAULT if shares[ranked[0]] > MOST_UNKNOWN else Severity.WARNING
    return severity, values, tuple(Example(f"{key} {shares[key]:.2%}", (key,)) for key in ranked)


def _shares(keys: Collection[str], scan: MaskScan) -> dict[str, float]:
    """Of the pixels of each mask those that have no class and are not known to be ignored."""
    totals = dict(zip(scan.keys, scan.counts.sum(axis=1).tolist(), strict=True))
    return {key: scan.unknown[key].pixels / totals[key] if key in scan.unknown else 0.0 for key in keys}


def _kind(some: NoClass) -> str:
    is_color = len(next(iter(some.commonest))) == 3
    if is_color and some.values >= MANY_VALUES and some.near * 2 >= some.pixels:
        return "near-miss colours"
    return "unknown colours" if is_color else "ids outside the classes"


def _text(value: StoredValue) -> str:
    return str(value if len(value) > 1 else value[0])


def _nearest(value: StoredValue, classes: Classes) -> str:
    """ ", nearest class road" for a colour; nothing for a number, whose neighbours mean nothing."""
    if len(value) != 3:
        return ""
    distances = [sum((a - b) ** 2 for a, b in zip(value, known, strict=True)) for known in classes.colors]
    return f", nearest class {classes.names[int(np.argmin(distances))]}"


def _without_content(scan: MaskScan, source: ImageSource) -> Iterator[Finding]:
    classes = source.classes
    readable = scan.sizes[:, 0] > 0
    labelled = scan.counts[:, :-1] > 0
    void = readable & ~labelled.any(axis=1)
    single = readable & (labelled.sum(axis=1) == 1) & (scan.counts[:, -1] == 0)
    keys = np.array(scan.keys)
    if void.any():
        severity = Severity.FAULT if void.sum() == readable.sum() else Severity.WARNING
        message = f"nothing but void in {number(int(void.sum()), 'mask')}: nothing to learn or to score"
        yield Finding("void mask", severity, message, samples(keys[void].tolist()))
    if single.any() and len(classes) > 1:
        severity = Severity.FAULT if single.sum() == readable.sum() else Severity.WARNING
        which = Counter(classes.names[int(index)] for index in labelled[single].argmax(axis=1))
        told = ", ".join(f"{count} {name}" for name, count in which.most_common(3))
        message = f"one class from edge to edge in {number(int(single.sum()), 'mask')} ({told})"
        if severity is Severity.FAULT:
            message += ", which is all there are: "
            message += (
                "dataset.mask_format or dataset.threshold do not fit them"
                if "mask_format" in source.options
                else "nothing to tell classes apart by"
            )
        yield Finding("empty mask", severity, message, samples(keys[single].tolist()))
