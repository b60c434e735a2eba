"""From probabilities to what is written: class ids of a picture, how sure they are, and what was counted of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from segmentation.inference.postprocessing import PostProcessing

ROWS = 512


@dataclass(frozen=True)
class Decision:
    """`labels` `[h, w]` before anything is done to areas; `sure` where they may be pseudo-labels (None: not asked);
    `confidence` `[h, w]` float32, the probability of the class said, or the highest where none is said.
    """

    labels: np.ndarray
    sure: np.ndarray | None
    confidence: np.ndarray


def decided(post: PostProcessing, probabilities: np.ndarray) -> Decision:
    """Of probabilities `[C, h, w]`, a whole picture's or a strip's."""
    labels, sure = post.decided(probabilities)
    if not post.thresholds:
        return Decision(labels, sure, probabilities.max(axis=0))
    said = np.where(labels < len(probabilities), labels, probabilities.argmax(axis=0))
    return Decision(labels, sure, np.take_along_axis(probabilities, said[None].astype(np.intp), axis=0)[0])


def joined(decisions: Sequence[Decision]) -> Decision:
    """Of strips from top to bottom."""
    sure = [decision.sure for decision in decisions if decision.sure is not None]
    return Decision(
        np.concatenate([decision.labels for decision in decisions]),
        np.concatenate(sure) if sure else None,
        np.concatenate([decision.confidence for decision in decisions]),
    )


@dataclass(frozen=True)
class Tally:
    """`pixels` `[C + 1]` of each class, what is ignored last; `confidence` is the sum over all pixels."""

    pixels: np.ndarray
    confidence: float

    @classmethod
    def of(cls, labels: np.ndarray, confidence: np.ndarray, classes: int) -> "Tally":
        counts = np.zeros(np.iinfo(labels.dtype).max + 1, np.int64)
        for top in range(0, len(labels), ROWS):  # NumPy counts in numbers of 8 bytes
            counts += np.bincount(labels[top : top + ROWS].ravel(), minlength=len(counts))
        pixels = np.append(counts[:classes], counts[classes:].sum())
        return cls(pixels, float(confidence.sum(dtype=np.float64)))

    @classmethod
    def together(cls, tallies: Iterable["Tally"]) -> "Tally":
        several = list(tallies)
        return cls(np.sum([tally.pixels for tally in several], axis=0), sum(tally.confidence for tally in several))

    @property
    def mean_confidence(self) -> float:
        return self.confidence / max(int(self.pixels.sum()), 1)
