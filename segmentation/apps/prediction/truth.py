"""predict.py labels=FOLDER: how good the results are, counted without PyTorch."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.labels.masks import MaskOptions
from segmentation.data.image.source import ImageSample
from segmentation.errors import UserError
from segmentation.metrics.scores import Counts, scores_from, scores_over_images

log = logging.getLogger("segmentation")


class Truth:
    """The masks in a folder that have the names of inputs."""

    def __init__(self, folder: Path, format_: str, classes: Classes, keys: Iterable[str]) -> None:
        """Raises `UserError` where there is no such folder, or no mask for any of the `keys`."""
        if not folder.is_dir():
            raise UserError(f"labels={folder}: there is no such folder")
        self.classes = classes
        options = MaskOptions(format_)
        found, faults = options.find(folder, classes)
        for fault in faults:
            log.warning("%s", fault)
        wanted = list(keys)
        self.masks = {key: found[key] for key in wanted if key in found}
        if not self.masks:
            example = f", such as {wanted[0]}.png" if wanted else ""
            raise UserError(f"labels={folder} has no mask that is named as an input{example}")
        if len(self.masks) < len(wanted):
            log.warning(
                "labels=%s: %d of %d inputs have no mask there", folder, len(wanted) - len(self.masks), len(wanted)
            )
        self._labels = options.labels(classes, ())

    def score(self, key: str, labels: np.ndarray) -> dict[str, Any]:
        """What the row of an input has of it: nothing without a mask; the `confusion`, pixels by truth and by what is
        said, `[C, C + 1]`, nothing being last; or a `fault`, which costs no more than the score.
        """
        if key not in self.masks:
            return {}
        try:
            return {"confusion": self._confusion(key, labels).tolist()}
        except UserError as error:
            return {"fault": f"{error}; it has no score"}

    def _confusion(self, key: str, labels: np.ndarray) -> np.ndarray:
        mask = self.masks[key]
        truth = self._labels.read(ImageSample(key, key, mask, mask, (labels.shape[0], labels.shape[1])))
        if truth.shape != labels.shape:
            sizes = ("x".join(map(str, shape)) for shape in (truth.shape, labels.shape))
            raise UserError(f"{mask} is {' and its image '.join(sizes)}: they cannot be compared")
        return confusion_of(labels, truth, self.classes)


def confusion_of(labels: np.ndarray, truth: np.ndarray, classes: Classes) -> np.ndarray:
    """`[C, C + 1]`, int64; where the truth is no class nothing is counted."""
    number = len(classes)
    counted = (truth != classes.ignore_index) & (truth < number)
    said = np.minimum(labels[counted], number).astype(np.int64)
    cells = np.bincount(truth[counted].astype(np.int64) * (number + 1) + said, minlength=number * (number + 1))
    return cells.reshape(number, number + 1)


def metrics_of(confusions: Mapping[str, np.ndarray], classes: Classes) -> dict[str, Any]:
    """Scores of all images together, the means over images, and the mIoU of each; what is not said is not right."""
    cells = np.stack(list(confusions.values())).astype(np.float64)
    number = len(classes)
    hits = np.diagonal(cells[..., :number], axis1=-2, axis2=-1)
    counts = Counts(hits, cells.sum(axis=-1), cells[..., :number].sum(axis=-2))
    scores = {name: float(value) for name, value in scores_from(counts.total(), classes.names).items()}
    by_image = scores_from(counts, classes.names)["mIoU"]
    return {
        "images": len(confusions),
        "metrics": {**scores, **scores_over_images(counts, classes.names)},
        "mIoU_by_image": {key: float(value) for key, value in zip(confusions, by_image, strict=True)},
    }
