"""Meshes: what a check sees of them. The same functions as of images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from omegaconf import DictConfig

from segmentation.apps.dataset.seen import Shares, share_text, used
from segmentation.build.data import sample_keys
from segmentation.build.meshes import prepared
from segmentation.build.sets import Parts
from segmentation.data.check.classes import missing_classes
from segmentation.data.check.findings import Example, Finding, Severity, number
from segmentation.data.mesh.check.findings import mesh_findings
from segmentation.data.mesh.check.pictures import sample_picture
from segmentation.data.mesh.check.scan import MeshScan, scan_meshes
from segmentation.data.mesh.condition import Condition, told
from segmentation.data.mesh.prepared import MM2
from segmentation.data.mesh.source import MeshSample, MeshSource
from segmentation.reports.blocks import Bar, Bars, Number, Table
from segmentation.reports.page import Section
from segmentation.runtime.console import progress_bar

__all__ = ["can_be_listed", "look_at_all", "look_quickly"]
STEPS = 10  # bars of faces in a mesh
LISTED = 100  # meshes that the page tells one by one
ODD = {  # numbers of a condition, in words
    "parts": "connected parts",
    "isolated": "faces outside of the largest part",
    "degenerate": "faces without area",
    "duplicated": "repeated faces",
    "border_edges": "edges of one face",
    "non_manifold_edges": "edges of more than two faces",
    "unused_vertices": "vertices of no face",
}


def can_be_listed(samples: Sequence[MeshSample]) -> bool:
    """A manifest is of images and masks."""
    return False


def look_at_all(source: MeshSource, dataset: DictConfig) -> "MeshesSeen":
    """Every mesh with its labels and textures, read once; from the cache where the files are as they were."""
    with progress_bar("reading the meshes", len(source.samples)) as bar:
        return MeshesSeen(source, scan_meshes(source, bar.advance))


def look_quickly(cfg: DictConfig, source: MeshSource, parts: Parts) -> list[Finding]:
    """What is known of the meshes that are prepared for training. Raises `UserError` with the faults of all files."""
    meshes = prepared(cfg.dataset, source)
    keys = [sample.key for sample in meshes.samples]
    return [
        *missing_classes(meshes.counts[:, :-1], keys, source.classes, sample_keys(parts), "meshes"),
        Finding("condition", Severity.NOTE, told(meshes.conditions)),
    ]


@dataclass(frozen=True)
class MeshesSeen:
    source: MeshSource
    scan: MeshScan

    @property
    def counts(self) -> np.ndarray:
        return self.scan.counts[:, :-1]

    def contents(self) -> Mapping[str, bytes]:
        return self.scan.contents()

    def findings(self, parts: Parts) -> list[Finding]:
        return mesh_findings(self.source, self.scan, parts)

    def summary(self, parts: Parts) -> tuple[list[str], list[list[str]]]:
        columns = [self._told(self._rows(keys)) for keys in used(parts).values()]
        return ["", *used(parts)], [[name, *(column[name] for column in columns)] for name in columns[0]]

    def shares(self, parts: Parts) -> list[Shares]:
        rows = {part: self._rows(keys) for part, keys in used(parts).items()}
        return [
            Shares("faces", "meshes", {part: self.scan.counts[chosen, :-1] for part, chosen in rows.items()}),
            Shares("area", "meshes", {part: self.scan.areas[chosen, :-1] for part, chosen in rows.items()}),
        ]

    def sections(self, parts: Parts) -> list[Section]:
        return [Section("Faces in a mesh", [self._size_bars(parts)]), Section("Meshes", [self._each(parts)])]

    def picture(self, sample: MeshSample) -> np.ndarray | None:
        return sample_picture(self.source, sample)

    def pictures(self, example: Example) -> Iterator[tuple[str, np.ndarray]]:
        """The meshes that can be used among its samples."""
        pictures = [(sample.key, self.picture(sample)) for sample in self.source.samples if sample.key in example.keys]
        yield from ((key, picture) for key, picture in pictures if picture is not None)

    def _rows(self, keys: Sequence[str]) -> np.ndarray:
        """Where they are in the scan."""
        chosen = set(keys)
        return np.flatnonzero([key in chosen for key in self.scan.keys])

    def _told(self, rows: np.ndarray) -> dict[str, str]:
        """Of one part, by what it is."""
        counts, areas = self.scan.counts[rows], self.scan.areas[rows]
        faces, area = counts.sum(axis=1), int(areas.sum())
        of_usable = faces[faces > 0]
        sizes = f"{of_usable.min()} to {of_usable.max()}, median {np.median(of_usable):.0f}" if len(of_usable) else "-"
        odd = Condition(*self.scan.conditions[rows].sum(axis=0).tolist())
        return {
            "meshes": str(len(rows)),
            "groups": str(len({self.source.samples[row].group for row in rows})),
            "faces": str(faces.sum()),
            "faces in a mesh": sizes,
            "area": f"{area / MM2:.1f} m2",
            "ignored faces": share_text(int(counts[:, -1].sum()), int(faces.sum())),
            "ignored area": share_text(int(areas[:, -1].sum()), area),
            "textured faces": share_text(int(self.scan.textured[rows].sum()), int(faces.sum())),
            "texture images": self._images(rows),
            **{words: str(getattr(odd, name)) for name, words in ODD.items()},
        }

    def _images(self, rows: np.ndarray) -> str:
        named = [(self.source.samples[row], name) for row in rows for name in self.scan.images[row]]
        found = [self.source.texture_file(sample, name) for sample, name in named]
        missing = {name for (_, name), path in zip(named, found, strict=True) if path is None}
        return f"{len(set(found) - {None})}{f', {len(missing)} missing' if missing else ''}"

    def _size_bars(self, parts: Parts) -> Bars:
        """In steps that grow with the number of faces: a factor, not a difference, is what tells meshes apart."""
        faces = {part: self.scan.conditions[self._rows(keys), 0] for part, keys in used(parts).items()}
        every = np.concatenate([of_part[of_part > 0] for of_part in faces.values()])
        if not len(every):
            return Bars([])
        edges = np.unique(np.geomspace(every.min(), every.max() + 1, STEPS + 1).astype(int))
        counts = {part: np.histogram(of_part, edges)[0] for part, of_part in faces.items()}
        rows = []
        for step, (low, high) in enumerate(pairwise(edges.tolist())):
            meshes = {part: int(of_part[step]) for part, of_part in counts.items()}
            bars = {part: Bar(count, number(count, "mesh")) for part, count in meshes.items()}
            rows.append((f"{low} to {high - 1}", bars))
        return Bars(rows)

    def _each(self, parts: Parts) -> Table:
        """The largest."""
        part_of = {key: part for part, keys in used(parts).items() for key in keys}
        rows = np.argsort(-self.scan.conditions[:, 0], kind="stable")[:LISTED]
        header = ["", "split", "faces", "area", "textured", *ODD.values()]
        caption = f"the {LISTED} with the most faces" if len(rows) < len(self.scan.keys) else ""
        return Table(header, [self._row(row, part_of) for row in rows.tolist()], caption, sortable=True)

    def _row(self, row: int, part_of: Mapping[str, str]) -> list[str | Number]:
        key, odd = self.scan.keys[row], Condition(*self.scan.conditions[row].tolist())
        area, textured = int(self.scan.areas[row].sum()) / MM2, int(self.scan.textured[row])
        return [
            key,
            part_of.get(key, ""),
            Number(odd.faces, str(odd.faces)),
            Number(area, f"{area:.1f} m2"),
            Number(textured / max(odd.faces, 1), share_text(textured, odd.faces)),
            *(Number(getattr(odd, name), str(getattr(odd, name))) for name in ODD),
        ]
