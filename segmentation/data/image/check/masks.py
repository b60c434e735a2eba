"""Findings from what the masks hold."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.check.findings import Example, Finding, Severity, number, samples
from segmentation.data.image.files import read_indices
from segmentation.data.image.labels.index import IndexDecoder
from segmentation.data.image.labels.pictures import PictureLabels
from segmentation.data.image.scan import MaskScan, NoClass
from segmentation.data.image.source import ImageSource, StoredValue

MOST_UNKNOWN = 0.01  # the share of a mask's pixels above which unknown values are a fault
LOSSY = (".jpg", ".jpeg")
MANY_VALUES = 8  # more different colours than a mask has by mistake: lossy compression
PartKeys = Mapping[str, Sequence[str]]


def mask_findings(source: ImageSource, scan: MaskScan, parts: PartKeys) -> list[Finding]:
    """Of the masks of all samples, and of the classes that each of `parts` (keys of samples) lacks."""
    classes = source.classes
    return [
        *_lossy(source),
        *_unreadable(scan),
        *_unknown(scan, classes),
        *_binary_with_ignored(source, scan),
        *_without_content(scan, classes),
        *_missing_classes(scan, classes, parts),
    ]


def _lossy(source: ImageSource) -> Iterator[Finding]:
    """Numbers that compression changed are mostly those of other classes: nothing else tells."""
    keys = [sample.key for sample in source.samples if _are_indices(source) and sample.mask.suffix.lower() in LOSSY]
    if keys:
        message = f"JPEG, whose compression changes ids, in {number(len(keys), 'mask')}: store masks as PNG"
        yield Finding("lossy mask", Severity.FAULT, message, samples(keys))


def _unreadable(scan: MaskScan) -> Iterator[Finding]:
    if scan.errors:
        examples = tuple(Example(error, (key,)) for key, error in scan.errors.items())
        yield Finding("unreadable mask", Severity.FAULT, f"{number(len(examples), 'mask')} cannot be read", examples)


def _unknown(scan: MaskScan, classes: Classes) -> Iterator[Finding]:
    """What is no class, by what it looks like."""
    by_kind: dict[str, list[str]] = {}
    for key, some in scan.unknown.items():
        present = np.flatnonzero(scan.counts[scan.keys.index(key), :-1])
        by_kind.setdefault(_kind(some, present), []).append(key)
    advice = {
        "binary mask": ("0 and 255 are read as class ids or colours", "set dataset.mask_format=binary"),
        "near-miss colours": (
            "colours near the classes', as lossy compression (JPEG) leaves them",
            "store masks as PNG, from the originals",
        ),
        "unknown colours": ("colours of no class", "mend them or dataset.classes"),
        "ids outside the classes": (f"ids above {len(classes) - 1}, the last class", "mend them or dataset.classes"),
    }
    for kind, (told, what_to_do) in advice.items():
        keys = by_kind.get(kind, [])
        if keys:
            severity, values, examples = _ranked(keys, scan, classes)
            message = f"{told} in {number(len(keys), 'mask')}: {what_to_do}; most are {values}"
            yield Finding(kind, severity, message, examples)


def _ranked(keys: Sequence[str], scan: MaskScan, classes: Classes) -> tuple[Severity, str, tuple[Example, ...]]:
    """How bad it is, the commonest values, and the masks, the worst first."""
    row_of = {key: row for row, key in enumerate(scan.keys)}
    shares = {key: scan.unknown[key].pixels / int(scan.counts[row_of[key]].sum()) for key in keys}
    ranked = sorted(keys, key=lambda key: -shares[key])
    pixels: Counter[StoredValue] = Counter()
    for key in keys:
        pixels.update(scan.unknown[key].commonest)
    values = ", ".join(f"{_text(value)} ({n} pixels{_nearest(value, classes)})" for value, n in pixels.most_common(3))
    severity = Severity.FAULT if shares[ranked[0]] > MOST_UNKNOWN else Severity.WARNING
    return severity, values, tuple(Example(f"{key} {shares[key]:.2%}", (key,)) for key in ranked)


def _kind(some: NoClass, present: np.ndarray) -> str:
    is_color = len(next(iter(some.commonest))) == 3
    extremes = {(0, 0, 0), (255, 255, 255)} if is_color else {(0,), (255,)}
    white = (255, 255, 255) if is_color else (255,)
    if white in some.commonest and set(some.commonest) <= extremes and len(present) <= 1:
        return "binary mask"
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


def _binary_with_ignored(source: ImageSource, scan: MaskScan) -> Iterator[Finding]:
    """Masks of 0 and 255 where 255 is the ignore index: class 0, and nothing else to learn.

    With more than two classes none is meant so; with two it may be the ground and a region to ignore, in few masks.
    """
    classes = source.classes
    if classes.ignore_index != 255 or len(classes) < 2 or not _are_indices(source):
        return
    suspects = (scan.counts[:, 0] > 0) & (scan.counts[:, -1] > 0) & (scan.counts[:, 1:-1].sum(axis=1) == 0)
    of_extremes = [
        sample.key
        for sample, suspect in zip(source.samples, suspects, strict=True)
        if suspect and np.isin(read_indices(sample.mask), (0, 255)).all()
    ]
    if of_extremes:
        most = len(of_extremes) * 2 > np.count_nonzero(scan.sizes[:, 0])
        yield Finding(
            "binary mask",
            Severity.FAULT if most or len(classes) > 2 else Severity.WARNING,
            f"nothing but 0 and 255 in {number(len(of_extremes), 'mask')}, read as {classes.names[0]} and ignored: set "
            "dataset.mask_format=binary, or mend them",
            samples(of_extremes),
        )


def _are_indices(source: ImageSource) -> bool:
    return isinstance(source.labels, PictureLabels) and isinstance(source.labels.decode, IndexDecoder)


def _without_content(scan: MaskScan, classes: Classes) -> Iterator[Finding]:
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
        yield Finding("empty mask", severity, message, samples(keys[single].tolist()))


def _missing_classes(scan: MaskScan, classes: Classes, parts: PartKeys) -> Iterator[Finding]:
    anywhere = scan.counts[:, :-1].sum(axis=0) > 0
    nowhere = [name for name, occurs in zip(classes.names, anywhere, strict=True) if not occurs]
    if nowhere and scan.keys:
        message = (
            f"{number(len(nowhere), 'class')} in none of the masks, so nothing learns or scores them: leave them out "
            "of dataset.classes unless other data has them"
        )
        yield Finding("missing class", Severity.WARNING, message, tuple(map(Example, nowhere)))
    for part, keys in parts.items():
        occurs = scan.counts_of(keys).sum(axis=0) > 0
        lacks = [name for name, here, there in zip(classes.names, occurs, anywhere, strict=True) if there and not here]
        if not lacks or not keys:
            continue
        severity, told = Severity.WARNING, "they have no score there"
        if part == "train":
            severity, told = Severity.FAULT, "they cannot be learnt, and other splits are scored on them"
        message = f"{number(len(lacks), 'class')} never in {part}: {told}; choose another split"
        yield Finding("missing class", severity, message, tuple(map(Example, lacks)))
