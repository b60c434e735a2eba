"""The page that a check leaves, and what the console has of it."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from segmentation.apps.dataset.seen import Seen, Shares, share_text
from segmentation.build.sets import Parts
from segmentation.classes import Classes
from segmentation.data.check.findings import Finding, Severity
from segmentation.reports.blocks import Bar, Bars, Heading, Listing, Table, Text
from segmentation.reports.page import Block, Section, page
from segmentation.reports.pictures import Pictures
from segmentation.runtime.console import progress_bar, table_text

SHOWN_OF_PART = 3  # samples
SHOWN_OF_FINDING = {Severity.FAULT: 5, Severity.WARNING: 3, Severity.NOTE: 1}  # examples with a picture


def check_page(seen: Seen, parts: Parts, findings: Sequence[Finding]) -> str:
    """HTML: what there is, what was found, each with pictures, and samples of each split."""
    return page(
        f"Check of {seen.source.title}",
        [
            Section("Data", [Table(*seen.summary(parts))]),
            Section("Findings", list(_findings(seen, findings)) or [Text("Nothing was found.")]),
            Section("Class shares by split", list(_class_shares(seen, parts))),
            *seen.sections(parts),
            Section("Samples", _samples(seen, parts)),
        ],
    )


def share_tables(seen: Seen, parts: Parts) -> Iterator[str]:
    """The share that each class has in each part, the summary above the first of these tables."""
    header, above = seen.summary(parts)
    for shares in seen.shares(parts):
        rows = [
            [name, *(share_text(counts[:, index].sum(), counts.sum()) for counts in shares.counts.values())]
            for index, name in enumerate(seen.source.classes.names)
        ]
        yield table_text(f"shares of the labelled {shares.of}", header, [*above, *rows])
        above = []


def _findings(seen: Seen, findings: Sequence[Finding]) -> Iterator[Block]:
    for severity in Severity:
        for finding in findings:
            if finding.severity is not severity:
                continue
            yield Text(finding.message, finding.severity)
            if finding.examples:
                yield Listing([example.text for example in finding.examples])
            examples = finding.examples[: SHOWN_OF_FINDING[severity]]
            shown = [picture for example in examples for picture in seen.pictures(example)]
            if shown:
                yield Pictures(shown)


def _class_shares(seen: Seen, parts: Parts) -> Iterator[Block]:
    kinds = seen.shares(parts)
    for shares in kinds:
        if len(kinds) > 1:
            yield Heading(f"Of the {shares.of}")
        yield _class_bars(seen.source.classes, shares)


def _class_bars(classes: Classes, shares: Shares) -> Bars:
    rows = []
    for index, name in enumerate(classes.names):
        values = {}
        for part, counts in shares.counts.items():
            count, total = int(counts[:, index].sum()), int(counts.sum())
            told = f"{share_text(count, total)} in {(counts[:, index] > 0).sum()} of {len(counts)} {shares.samples}"
            values[part] = Bar(count / max(total, 1), told)
        rows.append((name, values))
    return Bars(rows, dict(zip(classes.names, classes.colors, strict=True)))


def _samples(seen: Seen, parts: Parts) -> list[Block]:
    """Evenly spread over each part."""
    shown = {part: _some(samples) for part, samples in parts.items()}
    blocks: list[Block] = []
    with progress_bar("drawing samples", sum(map(len, shown.values()))) as bar:
        for part, samples in shown.items():
            pictures = []
            for sample in samples:
                picture = seen.picture(sample)
                pictures += [] if picture is None else [(sample.key, picture)]
                bar.advance()
            if pictures:
                blocks.append(Pictures(pictures, part))
    return blocks


def _some(samples: Sequence[Any]) -> list[Any]:
    places = sorted({round(place) for place in np.linspace(0, len(samples) - 1, SHOWN_OF_PART)}) if samples else []
    return [samples[place] for place in places]
