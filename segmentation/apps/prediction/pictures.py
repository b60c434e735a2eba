"""A picture on its way: read, shown to the model, and written as whatever is wanted of it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from segmentation.apps.prediction.answer import Decision, Tally, decided, joined
from segmentation.apps.prediction.output import Row
from segmentation.apps.prediction.subject import Subject
from segmentation.apps.prediction.truth import Truth
from segmentation.classes import Classes
from segmentation.data.image.georeference import map_place
from segmentation.data.image.inputs import Picture
from segmentation.data.image.results.coco import write_coco
from segmentation.data.image.results.colour import write_colour
from segmentation.data.image.results.geojson import write_geojson
from segmentation.data.image.results.masks import write_mask
from segmentation.data.image.results.overlay import Overlay, write_overlay
from segmentation.data.image.results.polygons import Area, areas
from segmentation.data.image.results.probabilities import write_confidence, write_probabilities
from segmentation.inference.postprocessing import PostProcessing
from segmentation.inference.scoring import Scorer
from segmentation.runtime.files import link_or_copy

NO_SCORE: Mapping[str, Any] = {}
COCO_PARTS = "polygons/pictures"  # a file for each, from which coco.json is made in the end


@dataclass(frozen=True)
class Wanted:
    """What is written: kinds of results by the names of their folders, and how."""

    masks: bool
    colour: bool
    overlay: Overlay | None
    probabilities: str | None
    polygons: str | None
    polygon_tolerance: float
    pseudo_labels: bool


@dataclass(frozen=True)
class Asked:
    """What the model says of a subject: `probabilities` `[C, H, W]`, or where these would be too many and nobody needs
    them all, what follows from them.
    """

    subject: Subject
    probabilities: np.ndarray | None
    decision: Decision | None = None


@dataclass(frozen=True)
class Pictures:
    """Pictures that are not large, from the file to the results in `folder`. `post` asks for `sure` pixels where there
    are to be pseudo-labels.
    """

    scorer: Scorer
    post: PostProcessing
    wanted: Wanted
    folder: Path
    truth: Truth | None

    @property
    def classes(self) -> Classes:
        return self.scorer.classes

    def read(self, picture: Picture) -> Subject:
        return Subject.of(picture, self.scorer.sizes)

    def ask(self, subject: Subject, whole: bool = False) -> Asked:
        """`whole`: with all probabilities, however many."""
        strips = self.scorer.strips(subject)
        first = next(strips)
        if first.shape[1] == subject.size[0]:
            return Asked(subject, first)
        every = chain([first], strips)
        if whole or self.post.crf is not None or self.wanted.probabilities == "npz":
            return Asked(subject, np.concatenate(list(every), axis=1))
        return Asked(subject, None, joined([decided(self.post, strip) for strip in every]))

    def write(self, asked: Asked) -> Row:
        """Its row."""
        subject, picture = asked.subject, asked.subject.picture
        assert picture is not None
        asked = self.refined(asked)
        decision = self.decision(asked)
        labels = self.post.tidied(decision.labels)
        score = {} if self.truth is None else self.truth.score(subject.key, labels)
        files = list(self._written(asked, decision, labels, picture))
        if self.wanted.pseudo_labels:
            files += self._written_pseudo_labels(picture, decision, labels)
        return row_of(
            subject.key,
            picture.path,
            labels.shape,
            Tally.of(labels, decision.confidence, len(self.classes)),
            files,
            score,
        )

    def refined(self, asked: Asked) -> Asked:
        """With the probabilities that the CRF makes."""
        if self.post.crf is None:
            return asked
        assert asked.subject.image is not None
        return replace(asked, probabilities=self.post.crf(_all_of(asked), asked.subject.image))

    def decision(self, asked: Asked) -> Decision:
        return asked.decision or decided(self.post, _all_of(asked))

    def _written(self, asked: Asked, decision: Decision, labels: np.ndarray, picture: Picture) -> Iterator[str]:
        yield from self.written_of_any(asked, decision, labels)
        key, image, wanted = picture.key, asked.subject.image, self.wanted
        assert image is not None
        if wanted.colour:
            write_colour(self.folder / (name := f"colour/{key}.png"), labels, self.classes)
            yield name
        if wanted.overlay is not None:
            write_overlay(self.folder / (name := f"overlay/{key}.jpg"), wanted.overlay.picture(image, labels))
            yield name
        if wanted.polygons is not None:
            ids, tolerance = range(len(self.classes)), wanted.polygon_tolerance
            found = areas(labels, ids, simplify=tolerance, confidence=decision.confidence)
            yield write_polygons(wanted.polygons, picture, self.folder, found, self.classes)

    def written_of_any(self, asked: Asked, decision: Decision, labels: np.ndarray) -> Iterator[str]:
        """Also of a frame: the names of the files, as they are written."""
        key, wanted = asked.subject.key, self.wanted
        if wanted.masks:
            write_mask(self.folder / (name := f"masks/{key}.png"), labels, self.classes)
            yield name
        if wanted.probabilities == "npz":
            write_probabilities(self.folder / (name := f"probabilities/{key}.npz"), _all_of(asked))
            yield name
        if wanted.probabilities == "confidence":
            write_confidence(self.folder / (name := f"probabilities/{key}.png"), decision.confidence)
            yield name

    def _written_pseudo_labels(self, picture: Picture, decision: Decision, labels: np.ndarray) -> Iterator[str]:
        """The image under another name, and the class ids where the model is sure and no rule disagrees."""
        assert decision.sure is not None
        pseudo = self.post.sure_alone(labels, decision.sure & (labels == decision.labels))
        write_mask(self.folder / (name := f"pseudo_labels/masks/{picture.key}.png"), pseudo, self.classes)
        yield name
        yield linked(picture, self.folder)


def linked(picture: Picture, folder: Path) -> str:
    """The image among the pseudo-labels."""
    name = f"pseudo_labels/images/{picture.key}{picture.path.suffix}"
    link_or_copy(picture.path.resolve(), folder / name)
    return name


def write_polygons(kind: str, picture: Picture, folder: Path, found: Iterable[Area], classes: Classes) -> str:
    """Those of one picture; the name of the file."""
    if kind == "geojson":
        name = f"polygons/{picture.key}.geojson"
        write_geojson(folder / name, found, classes, map_place(picture.path))
        return name
    name = f"{COCO_PARTS}/{picture.key}.json"
    file_name = str(PurePosixPath(picture.key).with_name(picture.path.name))
    write_coco(folder / name, file_name, picture.size, found, classes)
    return name


def row_of(
    key: str, path: Path, size: tuple[int, ...], tally: Tally, files: list[str], score: Mapping[str, Any] = NO_SCORE
) -> Row:
    """Plain values for JSON; `score` is that of `Truth.score`."""
    return {
        "key": key,
        "path": str(path.resolve()),
        "size": list(size),
        "pixels": tally.pixels.tolist(),
        "confidence": round(tally.mean_confidence, 5),
        "files": files,
        **score,
    }


def _all_of(asked: Asked) -> np.ndarray:
    assert asked.probabilities is not None
    return asked.probabilities
