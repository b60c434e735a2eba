"""From probabilities to class ids, pixel by pixel: the likeliest class, thresholds, and what is sure enough.

C classes; H, W in pixels.
"""

from collections.abc import Sequence

import numpy as np


def said(probabilities: np.ndarray, thresholds: Sequence[float] = (), otherwise: int = 255) -> np.ndarray:
    """Class ids `[H, W]`, in the smallest integers that hold them and `otherwise`, of probabilities `[C, H, W]`.

    Without thresholds, one for each class or none at all, it is the likeliest class. With them it is the likeliest of
    the classes whose probability is at least their threshold; where no class reaches its own, `otherwise`. A threshold
    of 0 asks for nothing. Of two classes, a threshold for one alone decides between both: that class is said from it
    on, the other one below, so that 0.3 finds more of it than 0.5.

    >>> pixels = np.array([[[0.5, 0.5, 0.5]], [[0.4, 0.3, 0.3]], [[0.1, 0.2, 0.2]]])
    >>> said(pixels).tolist(), said(pixels, [0.6, 0.35, 0.2]).tolist(), said(pixels, [0.6, 0.6, 0.6]).tolist()
    ([[0, 0, 0]], [[1, 2, 2]], [[255, 255, 255]])
    """
    dtype = np.result_type(np.min_scalar_type(len(probabilities) - 1), np.min_scalar_type(otherwise))
    if not any(thresholds):
        return _likeliest(probabilities, dtype)
    if len(probabilities) == 2 and not all(thresholds):
        asked = int(np.argmax(thresholds))
        labels = np.where(probabilities[asked] >= thresholds[asked], asked, 1 - asked)
    else:
        reached = probabilities >= np.array(thresholds, probabilities.dtype)[:, None, None]
        likeliest = np.where(reached, probabilities, -1).argmax(axis=0)
        labels = np.where(reached.any(axis=0), likeliest, otherwise)
    return labels.astype(dtype)


def _likeliest(probabilities: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """As `argmax(axis=0)`, the first of equal ones, in half the time: NumPy's is made for the last axis."""
    labels, highest = np.zeros(probabilities.shape[1:], dtype), probabilities[0].copy()
    for index, plane in enumerate(probabilities[1:], start=1):
        np.copyto(labels, index, where=plane > highest, casting="unsafe")
        np.maximum(highest, plane, out=highest)
    return labels


def sure(probabilities: np.ndarray, labels: np.ndarray, confidence: Sequence[float]) -> np.ndarray:
    """Where the class in `labels` `[H, W]` has at least the confidence asked of it, `[C]`; `[H, W]`, bool.

    What is no class is never sure.
    """
    is_class = (labels >= 0) & (labels < len(probabilities))
    index = np.where(is_class, labels, 0).astype(np.intp)
    of_said = np.take_along_axis(probabilities, index[None], axis=0)[0]
    reached: np.ndarray = of_said >= np.array(confidence, probabilities.dtype)[index]
    return reached & is_class
