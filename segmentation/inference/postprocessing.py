"""What is made of a model's probabilities before they are a mask: everything that is chosen, in one order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from segmentation.inference.crf import DenseCRF
from segmentation.inference.decision import said, sure
from segmentation.inference.regions import closed, largest_alone, opened, without_holes, without_specks

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class PostProcessing:
    """From the probabilities of a picture to its labels, in this order; what is empty is not done:

    1. `crf`: the probabilities are drawn towards the edges of the image.
    2. `thresholds` `[C]`, probabilities: the likeliest class that reaches its own, else `otherwise` (`decision.said`).
    3. `opening` `[C]`, radii in pixels: what is thinner than that is taken from a class; 0: nothing.
    4. `closing` `[C]`, radii in pixels: gaps narrower than that are given to it.
    5. `fill_holes` `[C]`, pixels: holes in a class up to this area become part of it.
    6. `largest`, class ids: of these classes the largest area alone is kept.
    7. `min_area` `[C]`, pixels: smaller areas of a class are given to what surrounds them.
    8. `confidence` `[C]`, probabilities: what is less sure than that is ignored, and so is what 3 to 7 changed.

    Within 3 to 6, classes come in the order of their ids. What is ignored takes no part in 3 to 7 except that it can be
    what surrounds an area.

    1 to 2 and the first half of 8 look at pixels by themselves, except for the CRF, and the rest at the whole picture:
    of a picture that is predicted in strips, `decided` is for each strip, and `tidied` for what they make together.
    """

    ignore_index: int = 255
    otherwise: int = 255
    crf: DenseCRF | None = None
    thresholds: tuple[float, ...] = ()
    opening: tuple[int, ...] = ()
    closing: tuple[int, ...] = ()
    fill_holes: tuple[float, ...] = ()
    largest: tuple[int, ...] = ()
    min_area: tuple[int, ...] = ()
    confidence: tuple[float, ...] = ()

    def __call__(self, probabilities: np.ndarray, image: np.ndarray | None = None) -> np.ndarray:
        """Labels `[H, W]` of probabilities `[C, H, W]`; with a CRF, of the image `[H, W, bands]` too."""
        if self.crf is not None:
            assert image is not None, "the CRF looks at the image"
            probabilities = self.crf(probabilities, image)
        return self.tidied(*self.decided(probabilities))

    def decided(self, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Labels `[H, W]` before anything is done to their areas, and where they are sure (None: all are taken)."""
        labels = said(probabilities, self.thresholds, self.otherwise)
        return labels, sure(probabilities, labels, self.confidence) if self.confidence else None

    @property
    def tidies(self) -> bool:
        """Whether anything is done to areas, for which the whole picture is needed."""
        return bool(self.opening or self.closing or self.fill_holes or self.largest or self.min_area)

    def tidied(self, labels: np.ndarray, sure: np.ndarray | None = None) -> np.ndarray:
        """Labels `[H, W]` of those of a whole picture that were `decided`."""
        tidy = labels
        for index, radius in _asked(self.opening):
            tidy = opened(tidy, index, radius)
        for index, radius in _asked(self.closing):
            tidy = closed(tidy, index, radius, self.ignore_index)
        for index, most in _asked(self.fill_holes):
            tidy = without_holes(tidy, index, most, self.ignore_index)
        for index in self.largest:
            tidy = largest_alone(tidy, index)
        if self.min_area:
            tidy = without_specks(tidy, self.min_area)
        return tidy if sure is None else self.sure_alone(tidy, sure & (tidy == labels))

    def sure_alone(self, labels: np.ndarray, sure: np.ndarray) -> np.ndarray:
        """Labels `[H, W]`, ignored where they are not sure."""
        return np.where(sure, labels, self.ignore_index).astype(labels.dtype)


def _asked(by_class: Sequence[Number]) -> Iterator[tuple[int, Number]]:
    return ((index, value) for index, value in enumerate(by_class) if value)
