"""The page that a check leaves."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from segmentation.build.sets import Parts
from segmentation.data.check.findings import Example, Finding, Severity
from segmentation.data.image.check.pictures import file_picture, image_picture, sample_picture
from segmentation.data.image.scan import MaskScan
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.reports.blocks import Bar, Bars, Listing, Table, Text
from segmentation.reports.page import Block, Section, page
from segmentation.reports.pictures import Pictures

SHOWN_OF_FINDING = {Severity.FAULT: 5, Severity.WARNING: 3, Severity.NOTE: 1}  # examples with a picture
SHOWN_OF_PART = 3  # samples
MOST_SIZES = 12  # different sizes that get a bar each


def check_page(source: ImageSource, parts: Parts, masks: MaskScan, findings: Sequence[Finding]) -> str:
    """HTML: what there is, what was found, each with pictures, and samples of each split."""
    return page(
        f"Check of {source.title}",
        [
            Section("Data", [Table(*_counts(parts, masks))]),
            Section("Findings", list(_findings(source, findings)) or [Text("Nothing was found.")]),
            Section("Class shares by split", [_class_bars(source, parts, masks)]),
            Section("Sizes", [_size_bars(source)]),
            Section("Samples", list(_samples(source, parts))),
        ],
    )


def share_table(source: ImageSource, parts: Parts, masks: MaskScan) -> tuple[list[str], list[list[str]]]:
    """Header and rows: images, groups, and the share of the labelled pixels that each class has in each part."""
    header, rows = _counts(parts, masks)
    pixels = [masks.counts_of(_keys(parts[part])).sum(axis=0) for part in header[1:]]
    shares = [
        [name, *(_share(counts[index], counts.sum()) for counts in pixels)]
        for index, name in enumerate(source.classes.names)
    ]
    return header, [*rows, *shares]


def _counts(parts: Parts, masks: MaskScan) -> tuple[list[str], list[list[str]]]:
    used = {part: samples for part, samples in parts.items() if samples}
    pixels = [masks.counts[masks.rows_of(_keys(samples))].sum(axis=0) for samples in used.values()]
    return ["", *used], [
        ["images", *(str(len(samples)) for samples in used.values())],
        ["groups", *(str(len({sample.group for sample in samples})) for samples in used.values())],
        ["ignored pixels", *(_share(counts[-1], counts.sum()) for counts in pixels)],
    ]


def _keys(samples: Sequence[ImageSample]) -> list[str]:
    return [sample.key for sample in samples]


def _share(count: int, total: int) -> str:
    """Two decimals, or the first digit that is not zero."""
    if not total:
        return "-"
    return f"{count / total:.2%}" if count * 10_000 >= total or not count else f"{100 * count / total:.1g}%"


def _findings(source: ImageSource, findings: Sequence[Finding]) -> Iterator[Block]:
    by_key = {sample.key: sample for sample in source.samples}
    for severity in Severity:
        for finding in findings:
            if finding.severity is not severity:
                continue
            yield Text(finding.message, finding.severity)
            if finding.examples:
                yield Listing([example.text for example in finding.examples])
            shown = [
                picture
                for example in finding.examples[: SHOWN_OF_FINDING[severity]]
                for picture in _shown(source, by_key, example)
            ]
            if shown:
                yield Pictures(shown)


def _shown(
    source: ImageSource, by_key: Mapping[str, ImageSample], example: Example
) -> Iterator[tuple[str, np.ndarray]]:
    """One sample with its mask, several by their images, files of no sample as they are."""
    draw = sample_picture if len(example.keys) == 1 else image_picture
    pictures = [(key, draw(source, by_key[key])) for key in example.keys]
    pictures += [(str(path), file_picture(path)) for path in example.files]
    yield from ((caption, picture) for caption, picture in pictures if picture is not None)


def _class_bars(source: ImageSource, parts: Parts, masks: MaskScan) -> Bars:
    counts = {part: masks.counts_of(_keys(samples)) for part, samples in parts.items() if samples}
    rows = []
    for index, name in enumerate(source.classes.names):
        values = {}
        for part, pixels in counts.items():
            count, total = int(pixels[:, index].sum()), int(pixels.sum())
            told = f"{_share(count, total)} in {(pixels[:, index] > 0).sum()} of {len(pixels)} images"
            values[part] = Bar(count / max(total, 1), told)
        rows.append((name, values))
    return Bars(rows, dict(zip(source.classes.names, source.classes.colors, strict=True)))


def _size_bars(source: ImageSource) -> Bars:
    """By size where there are few, else by the longer side in ten steps."""
    sizes = Counter(sample.size for sample in source.samples)
    if len(sizes) <= MOST_SIZES:
        told = {f"{width}x{height}": count for (height, width), count in sorted(sizes.items())}
    else:
        counts, edges = np.histogram([max(sample.size) for sample in source.samples])
        told = {
            f"longer side {low:.0f} to {high:.0f}": int(count)
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
        }
    return Bars([(label, {"images": Bar(count, f"{count} images")}) for label, count in told.items()])


def _samples(source: ImageSource, parts: Parts) -> Iterator[Block]:
    """Evenly spread over each part."""
    for part, samples in parts.items():
        places = sorted({round(place) for place in np.linspace(0, len(samples) - 1, SHOWN_OF_PART)}) if samples else []
        drawn = [(samples[place].key, sample_picture(source, samples[place])) for place in places]
        pictures = [(key, picture) for key, picture in drawn if picture is not None]
        if pictures:
            yield Pictures(pictures, part)
