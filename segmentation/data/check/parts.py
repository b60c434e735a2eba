"""Findings from how the samples are split."""

from collections.abc import Iterator, Mapping, Sequence

from segmentation.data.check.findings import Finding, Severity, number, samples
from segmentation.data.splits import Grouped


def part_findings(everything: Sequence[Grouped], parts: Mapping[str, Sequence[Grouped]]) -> Iterator[Finding]:
    """Warnings where nothing is for validation, and of the samples that no part has."""
    if parts.get("train") and not parts.get("val"):
        message = "no validation split: training goes without, and best.pt follows train/loss; give dataset.split.val"
        yield Finding("no validation split", Severity.WARNING, message)
    used = {sample.key for members in parts.values() for sample in members}
    unused = [sample.key for sample in everything if sample.key not in used]
    if unused:
        message = f"{number(len(unused), 'sample')} in no part, used for nothing"
        yield Finding("unused sample", Severity.WARNING, message, samples(unused))
