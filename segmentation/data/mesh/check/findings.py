"""Findings from what the meshes hold."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from segmentation.data.check.classes import missing_classes
from segmentation.data.check.copies import copy_findings
from segmentation.data.check.findings import Example, Finding, Severity, number, samples
from segmentation.data.mesh.check.scan import MeshScan
from segmentation.data.mesh.source import MeshSample, MeshSource

Parts = Mapping[str, Sequence[MeshSample]]


def mesh_findings(source: MeshSource, scan: MeshScan, parts: Parts) -> list[Finding]:
    """Of all meshes, and of the `parts` that they are in."""
    keys = {part: [sample.key for sample in members] for part, members in parts.items()}
    part_of = {key: part for part, members in keys.items() for key in members}
    return [
        *_unusable(scan),
        *_textures(scan),
        *_without_labels(scan),
        *missing_classes(scan.counts[:, :-1], scan.keys, source.classes, keys, "meshes"),
        *copy_findings(scan.contents(), part_of, "mesh"),
        *_shared_groups(parts),
    ]


def _unusable(scan: MeshScan) -> Iterator[Finding]:
    if scan.errors:
        examples = tuple(Example(error, (key,)) for key, error in scan.errors.items())
        yield Finding("unreadable mesh", Severity.FAULT, f"{number(len(examples), 'mesh')} cannot be used", examples)


def _textures(scan: MeshScan) -> Iterator[Finding]:
    if scan.texture_errors:
        message = (
            f"{number(len(scan.texture_errors), 'fault')} of texture images: a model that sees textures cannot be "
            "trained; restore them"
        )
        yield Finding("texture image", Severity.FAULT, message, tuple(map(Example, scan.texture_errors.values())))


def _without_labels(scan: MeshScan) -> Iterator[Finding]:
    usable = scan.counts.sum(axis=1) > 0
    void = usable & (scan.counts[:, :-1].sum(axis=1) == 0)
    if void.any():
        severity = Severity.FAULT if void.sum() == usable.sum() else Severity.WARNING
        message = f"nothing but ignored faces in {number(int(void.sum()), 'mesh')}: nothing to learn or to score"
        yield Finding("void mesh", severity, message, samples(np.array(scan.keys)[void].tolist()))


def _shared_groups(parts: Parts) -> Iterator[Finding]:
    """Groups that `dataset.group` names; a mesh alone is its own."""
    groups = {
        part: {sample.group for sample in members if sample.group != sample.key} for part, members in parts.items()
    }
    for first, second in combinations(parts, 2):
        shared = sorted(groups[first] & groups[second])
        if shared:
            message = f"{first} and {second} share {number(len(shared), 'group')}: scores there are flattered"
            yield Finding("group across splits", Severity.WARNING, message, tuple(map(Example, shared)))
