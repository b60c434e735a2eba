"""Where labels may be wrong: connected regions in which a confident prediction contradicts them.

C classes; H, W in pixels. After confident learning (Northcutt et al. 2021, arXiv 1911.00068), which asks of each
example how much the model trusts the given label; here regions are asked, for an annotator's slip is one.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

EDGE = 0.005  # of the diagonal: how near its edge a region's pixels say little, for every model is unsure of borders


@dataclass(frozen=True)
class Region:
    """Pixels of one image that hang together, are labelled `label` and predicted as `prediction` (class ids).

    The box that holds them has its upper left corner at `x`, `y`. `confidence`, in (0, 1], is the mean over them of
    p(prediction) - p(label). `weight` is the sum of that over the pixels that are not near the region's edge: size
    times confidence, 0 for a band along a border.
    """

    x: int
    y: int
    width: int
    height: int
    pixels: int
    label: int
    prediction: int
    confidence: float
    weight: float


@dataclass(frozen=True)
class Suspect:
    """A region of the image `key`; the higher `score`, the likelier its label is wrong."""

    key: str
    region: Region
    score: float


def contradicting_regions(
    probabilities: np.ndarray, truth: np.ndarray, ignore_index: int, min_pixels: int = 100
) -> list[Region]:
    """Of one image's class probabilities `[C, H, W]` (float) and class ids `[H, W]` (any integer) the regions of at
    least `min_pixels` in which the likeliest class is not the labelled one; pixels touch by sides and by corners.

    What is labelled `ignore_index`, or no class at all, contradicts nothing.
    """
    num_classes = len(probabilities)
    said = probabilities.argmax(axis=0)
    labelled = (truth != ignore_index) & (truth >= 0) & (truth < num_classes)
    label = np.where(labelled, truth, said)
    chosen = np.stack([said, label])
    of_said, of_label = np.take_along_axis(probabilities, chosen, axis=0).astype(np.float32)
    pairs = np.where(said == label, -1, label * num_classes + said)
    numbers, counts = np.unique(pairs[pairs >= 0], return_counts=True)
    return [
        region
        for pair in numbers[counts >= min_pixels].tolist()
        for region in _regions(pairs == pair, of_said - of_label, divmod(pair, num_classes), min_pixels)
    ]


def _regions(where: np.ndarray, margin: np.ndarray, pair: tuple[int, int], min_pixels: int) -> Iterator[Region]:
    """The connected regions of `where` `[H, W]` (bool). The border of the image is not an edge."""
    edge = EDGE * math.hypot(*where.shape)
    left, top, width, height = cv2.boundingRect(where.astype(np.uint8))
    around = slice(max(top - 1, 0), top + height + 1), slice(max(left - 1, 0), left + width + 1)
    picture, trust = where[around].astype(np.uint8), margin[around]
    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(picture)
    inner = cv2.distanceTransform(picture, cv2.DIST_L2, cv2.DIST_MASK_5) > edge
    sums = np.bincount(numbers.ravel(), trust.ravel(), count)
    weights = np.bincount(numbers.ravel(), (trust * inner).ravel(), count)
    for number, (x, y, width, height, pixels) in list(enumerate(boxes.tolist()))[1:]:
        if pixels >= min_pixels:
            corner = x + around[1].start, y + around[0].start
            confidence, weight = float(sums[number] / pixels), float(weights[number])
            yield Region(*corner, width, height, pixels, *pair, confidence, weight)


def ranked(regions: Mapping[str, Sequence[Region]]) -> list[Suspect]:
    """The regions of all images by key, the most suspicious first: weight times how rare their confusion is.

    A confusion (label, prediction) that the model makes in many images is a weakness of the model, or a habit of the
    annotators, which the confusion matrix tells; a slip contradicts what held everywhere else. So, as search engines
    weigh words (inverse document frequency), the factor is log((images + 1) / (images with that confusion + 1/2)).
    """
    images: dict[tuple[int, int], set[str]] = {}
    for key, found in regions.items():
        for region in found:
            images.setdefault((region.label, region.prediction), set()).add(key)
    rarity = {pair: math.log((len(regions) + 1) / (len(keys) + 0.5)) for pair, keys in images.items()}
    suspects = [
        Suspect(key, region, region.weight * rarity[region.label, region.prediction])
        for key, found in regions.items()
        for region in found
    ]
    return sorted(suspects, key=lambda suspect: -suspect.score)
