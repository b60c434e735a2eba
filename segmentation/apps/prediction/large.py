"""A picture that is too large to be held: predicted strip by strip, and written strip by strip from the disk."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation.apps.prediction.answer import Tally, decided
from segmentation.apps.prediction.output import Row
from segmentation.apps.prediction.pictures import Wanted, linked, row_of, write_polygons
from segmentation.apps.prediction.truth import Truth
from segmentation.data.image.georeference import map_place
from segmentation.data.image.inputs import Picture
from segmentation.data.image.results.colour import write_large_colour
from segmentation.data.image.results.masks import smallest_type, write_large_mask
from segmentation.data.image.results.overlay import reduced, write_overlay
from segmentation.data.image.results.polygons import large_areas
from segmentation.data.image.results.probabilities import as_bytes, write_large_confidence, write_large_probabilities
from segmentation.data.image.results.strips import ROWS, Strips
from segmentation.errors import UserError
from segmentation.inference.postprocessing import PostProcessing
from segmentation.inference.scoring import Pixels, Scorer


@dataclass(frozen=True)
class Kept:
    """What was said of it, on the disk: `pseudo` are class ids where it is sure."""

    labels: Strips
    confidence: Strips
    probabilities: list[Strips]
    pseudo: Strips | None
    tally: Tally


@dataclass(frozen=True)
class LargePictures:
    """What is done to areas needs all class ids at once, 10 bytes a pixel; all else needs some rows of them."""

    scorer: Scorer
    post: PostProcessing
    wanted: Wanted
    folder: Path
    truth: Truth | None

    def predict(self, picture: Picture, subject: Pixels, tell: Callable[[float], None]) -> Row:
        """Its row; `tell` is called with the share that is done. Raises `UserError` for what cannot be done to it."""
        if self.post.crf is not None:
            raise UserError(f"{picture.path} is too large for the CRF, which needs all of it at once: crf.iterations=0")
        with ExitStack() as stack:
            kept = self._said(subject, stack, tell)
            if self.post.tidies:
                kept = self._tidied(kept, stack)
            score = {}
            if self.truth is not None and picture.key in self.truth.masks:
                score = self.truth.score(picture.key, np.concatenate(list(kept.labels)))
            files = list(self._written(picture, kept))
        return row_of(picture.key, picture.path, picture.size, kept.tally, files, score)

    def _strips(self, width: int, dtype: type[np.generic], stack: ExitStack) -> Strips:
        return stack.enter_context(Strips(width, dtype, self.folder))

    def _said(self, subject: Pixels, stack: ExitStack, tell: Callable[[float], None]) -> Kept:
        classes, (height, width) = self.scorer.classes, subject.size
        dtype = smallest_type(classes)
        labels, confidence = self._strips(width, dtype, stack), self._strips(width, np.uint8, stack)
        pseudo = self._strips(width, dtype, stack) if self.wanted.pseudo_labels else None
        number = len(classes) if self.wanted.probabilities == "npz" else 0
        probabilities = [self._strips(width, np.float16, stack) for _ in range(number)]
        tallies = []
        for strip in self.scorer.strips(subject):
            decision = decided(self.post, strip)
            tallies.append(Tally.of(decision.labels, decision.confidence, len(classes)))
            labels.append(decision.labels)
            confidence.append(as_bytes(decision.confidence))
            for of_class, plane in zip(probabilities, strip, strict=False):
                of_class.append(plane)
            if pseudo is not None and decision.sure is not None:
                pseudo.append(self.post.sure_alone(decision.labels, decision.sure))
            tell(labels.height / height)
        return Kept(labels, confidence, probabilities, pseudo, Tally.together(tallies))

    def _tidied(self, kept: Kept, stack: ExitStack) -> Kept:
        before = np.concatenate(list(kept.labels))
        tidy = self.post.tidied(before)
        labels = self._strips(kept.labels.width, kept.labels.dtype.type, stack)
        labels.append(tidy)
        pseudo = kept.pseudo and self._strips(kept.labels.width, kept.labels.dtype.type, stack)
        if pseudo is not None and kept.pseudo is not None:
            for top, strip in zip(range(0, len(tidy), ROWS), kept.pseudo, strict=True):
                same = tidy[top : top + ROWS] == before[top : top + ROWS]
                pseudo.append(self.post.sure_alone(strip, same))
        classes = len(self.scorer.classes)
        counted = Tally.of(tidy, np.zeros(0), classes).pixels
        return Kept(labels, kept.confidence, kept.probabilities, pseudo, Tally(counted, kept.tally.confidence))

    def _written(self, picture: Picture, kept: Kept) -> Iterator[str]:
        classes, wanted, key, place = self.scorer.classes, self.wanted, picture.key, map_place(picture.path)
        if wanted.masks:
            write_large_mask(self.folder / (name := f"masks/{key}.tif"), kept.labels, classes, place)
            yield name
        if wanted.colour:
            write_large_colour(self.folder / (name := f"colour/{key}.tif"), kept.labels, classes, place)
            yield name
        if wanted.overlay is not None:
            shown = wanted.overlay.picture(*reduced(picture, kept.labels))
            write_overlay(self.folder / (name := f"overlay/{key}.jpg"), shown)
            yield name
        if wanted.probabilities == "npz":
            write_large_probabilities(self.folder / (name := f"probabilities/{key}.npz"), kept.probabilities)
            yield name
        if wanted.probabilities == "confidence":
            write_large_confidence(self.folder / (name := f"probabilities/{key}.tif"), kept.confidence, place)
            yield name
        if wanted.polygons is not None:
            found = large_areas(kept.labels, range(len(classes)), simplify=wanted.polygon_tolerance)
            yield write_polygons(wanted.polygons, picture, self.folder, found, classes)
        if kept.pseudo is not None:
            write_large_mask(self.folder / (name := f"pseudo_labels/masks/{key}.tif"), kept.pseudo, classes, place)
            yield name
            yield linked(picture, self.folder)
