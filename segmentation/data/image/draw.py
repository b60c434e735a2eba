"""Pictures of samples: image, truth, prediction and errors side by side, with a legend."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from torch import Tensor

from segmentation.classes import Classes, Color
from segmentation.data.batch import Batch
from segmentation.data.image.pixels import as_rgb
from segmentation.data.legend import IGNORED, WRONG, Entry, entries
from segmentation.data.panels import side_by_side
from segmentation.outputs import Outputs, at_size_of, labels_from

OUTLINE: Color = (255, 230, 0)
GRID_PANEL_WIDTH = 240
LARGEST = 2048  # pixels of a side that are looked at: panels are smaller, and aerial pictures are larger


class ImageDrawing:
    """Draws the samples of a batch; `classes` gives the colours and the legend."""

    def __init__(self, classes: Classes) -> None:
        self.classes = classes

    def __call__(self, batch: Batch, outputs: Outputs | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """(key, RGB picture `[h, w, 3]` uint8) of each sample; without `outputs` the truth alone is shown."""
        labels = None if outputs is None else labels_from(at_size_of(outputs, thinned(batch.target))).cpu().numpy()
        for index, (key, image, target) in enumerate(_samples(batch)):
            yield key, self._sample(image, target, None if labels is None else labels[index])

    def grid(self, batches: Sequence[Batch], columns: int = 4) -> np.ndarray:
        """All samples in one RGB picture: image and truth over it side by side, `columns` samples in a row."""
        samples = [sample for batch in batches for sample in _samples(batch)]
        panels = [panel for key, image, target in samples for panel in ((key, image), ("", self._over(image, target)))]
        present = np.unique(np.concatenate([np.unique(target) for _, _, target in samples]))
        return side_by_side(panels, self._legend(present, with_errors=False), 2 * columns, GRID_PANEL_WIDTH)

    def detail(self, image: np.ndarray, target: np.ndarray, labels: np.ndarray, marked: np.ndarray) -> np.ndarray:
        """Of a part of a sample image `[h, w, 3]`, truth and prediction `[h, w]` side by side, with the outline of what
        is `marked` `[h, w]` (bool).
        """
        outline, _ = cv2.findContours(marked.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        truth, prediction = self.classes.paint(target, IGNORED), self.classes.paint(labels)
        panels = [
            (title, cv2.drawContours(np.ascontiguousarray(panel), outline, -1, OUTLINE, 1))
            for title, panel in (("image", image), ("truth", truth), ("prediction", prediction))
        ]
        named = self._legend(np.union1d(target, labels), with_errors=False)
        return side_by_side(panels, named, width=GRID_PANEL_WIDTH)

    def _sample(self, image: np.ndarray, target: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        if image.shape[:2] != target.shape:
            image = cv2.resize(image, target.shape[::-1], interpolation=cv2.INTER_LINEAR)
        truth = self.classes.paint(target, IGNORED)
        panels = [("image", image), ("truth", truth)]
        if labels is None:
            panels.append(("truth over image", self._over(image, target)))
        else:
            panels.append(("prediction", self.classes.paint(labels)))
            panels.append((f"errors ({self._error_share(labels, target):.1%})", self._errors(image, target, labels)))
        present = np.union1d(target, target if labels is None else labels)
        return side_by_side(panels, self._legend(present, with_errors=labels is not None))

    def _over(self, image: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Both at half; ignored pixels are white, or with the image they would look like a class."""
        picture = np.asarray(cv2.addWeighted(image, 0.5, self.classes.paint(target), 0.5, 0))
        picture[target == self.classes.ignore_index] = IGNORED
        return picture

    def _wrong(self, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
        return (labels != target) & (target != self.classes.ignore_index)

    def _error_share(self, labels: np.ndarray, target: np.ndarray) -> float:
        return float(self._wrong(labels, target).sum() / max((target != self.classes.ignore_index).sum(), 1))

    def _errors(self, image: np.ndarray, target: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The image in pale grey, wrong pixels in red, ignored ones in white."""
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        picture = cv2.addWeighted(grey, 0.5, np.full_like(grey, 255), 0.35, 0)
        picture[target == self.classes.ignore_index] = IGNORED
        picture[self._wrong(labels, target)] = WRONG
        return picture

    def _legend(self, present: np.ndarray, with_errors: bool) -> list[Entry]:
        named = entries(self.classes, present)
        return [*named, ("wrong", WRONG)] if with_errors else named


def _samples(batch: Batch) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Key, RGB image and target of each, large ones thinned."""
    images, targets = thinned(batch.inputs).permute(0, 2, 3, 1).cpu().numpy(), thinned(batch.target).cpu().numpy()
    for key, image, target in zip(batch.keys, images, targets, strict=True):
        yield key, as_rgb(image), target


def thinned(pixels: Tensor) -> Tensor:
    """`[..., H, W]`, of sides above `LARGEST` every second row and column, every third, ..."""
    step = -(-max(pixels.shape[-2:]) // LARGEST)
    return pixels[..., ::step, ::step]
