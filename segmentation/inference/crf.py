"""A dense conditional random field: probabilities drawn towards the edges of the image.

Krähenbühl and Koltun 2011, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials, arXiv 1210.5644.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from scipy.special import softmax

from segmentation.inference.lattice import Lattice

Filter = Callable[[np.ndarray], np.ndarray]
LEAST = 1e-5  # of the probabilities, as in pydensecrf: what a network rules out altogether nothing could bring back


@dataclass(frozen=True)
class DenseCRF:
    """Every pixel pulls every other towards its own classes, by two kernels of the distance in pixels and in colour:

    smoothness_weight * exp(-|p_i - p_j|^2 / 2 smoothness_sigma^2)
    + appearance_weight * exp(-|p_i - p_j|^2 / 2 appearance_sigma^2 - |I_i - I_j|^2 / 2 color_sigma^2)

    The sigmas of positions are pixels, that of colours is in the image's own values (0-255 for uint8). All sigmas are
    at least 1. As in the authors' code the kernels are normalised symmetrically, so that a weight is about what all
    pixels together can add to a logit, and a pixel is among its own neighbours. `iterations` of mean-field inference.
    """

    iterations: int = 5
    smoothness_weight: float = 3.0
    smoothness_sigma: float = 3.0
    appearance_weight: float = 10.0
    appearance_sigma: float = 80.0
    color_sigma: float = 13.0

    def __call__(self, probabilities: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Probabilities `[C, H, W]`, float32, of probabilities `[C, H, W]` and the image `[H, W, bands]` they are of.

        Memory is about 450 bytes a pixel, or 30 for each class where that is more.
        """
        size = image.shape[:2]
        position = np.moveaxis(np.indices(size), 0, -1) / np.float32(self.appearance_sigma)
        color = image.astype(np.float32) / np.float32(self.color_sigma)
        lattice = Lattice.of(np.concatenate([position, color], axis=-1).reshape(size[0] * size[1], -1))
        kernels = (
            (self.smoothness_weight, partial(_blurred, sigma=self.smoothness_sigma)),
            (self.appearance_weight, partial(_filtered, lattice)),
        )
        pairwise = [(weight, normalised(kernel, size)) for weight, kernel in kernels]
        return mean_field(probabilities, pairwise, self.iterations)


def mean_field(probabilities: np.ndarray, pairwise: Sequence[tuple[float, Filter]], iterations: int) -> np.ndarray:
    """The mean-field marginals `[C, H, W]`, float32, of a random field with these unary probabilities `[C, H, W]`, and
    with pairwise terms that are `weight` times what `filter` of the marginals gives (the Potts model: a pixel that
    is of another class costs the kernel's value).
    """
    unary = np.log(np.maximum(probabilities, LEAST, dtype=np.float32))
    marginals = softmax(unary, axis=0)
    for _ in range(iterations):
        marginals = softmax(unary + sum(weight * kernel(marginals) for weight, kernel in pairwise), axis=0)
    return marginals


def normalised(kernel: Filter, size: Sequence[int]) -> Filter:
    """The kernel K as D^-1/2 K D^-1/2, where D are the sums of its rows."""
    scale = 1 / np.sqrt(kernel(np.ones((1, *size), np.float32)))
    return lambda planes: scale * kernel(scale * planes)


def _blurred(planes: np.ndarray, sigma: float) -> np.ndarray:
    """Beyond the image there is nothing."""
    return np.stack([cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT) for plane in planes])


def _filtered(lattice: Lattice, planes: np.ndarray) -> np.ndarray:
    by_pixel = np.ascontiguousarray(planes.reshape(len(planes), -1).T)
    return lattice(by_pixel).T.reshape(planes.shape)
