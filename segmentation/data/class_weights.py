"""Class weights from pixel counts."""

import numpy as np

METHODS = ("none", "inverse", "median", "enet")


def class_weights(counts: np.ndarray, method: str) -> list[float] | None:
    """Weights `[C]` from the pixels of each class in each sample, `counts` `[N, C]`; None for `none`.

    With p_c the share of class c among the counted pixels:

    - `inverse`: 1 / p_c, scaled so that the weights of the classes that occur have mean 1;
    - `median`: median frequency balancing, median(f) / f_c, with f_c the pixels of c over all pixels of the samples in
      which c occurs (Eigen and Fergus, ICCV 2015, arXiv 1411.4734);
    - `enet`: 1 / ln(1.02 + p_c), between 1.4 and 50.5 (Paszke et al. 2016, arXiv 1606.02147).

    A class that never occurs weighs 0: there is nothing to balance.
    """
    if method == "none":
        return None
    pixels = counts.sum(axis=0).astype(np.float64)
    occurs = pixels > 0
    share = pixels / max(pixels.sum(), 1)
    weights = np.zeros(len(pixels))
    if not occurs.any():
        return weights.tolist()
    if method == "inverse":
        weights[occurs] = 1 / share[occurs]
        weights[occurs] /= weights[occurs].mean()
    elif method == "median":
        where_present = (counts > 0) * counts.sum(axis=1, keepdims=True)
        frequency = pixels[occurs] / where_present.sum(axis=0)[occurs]
        weights[occurs] = np.median(frequency) / frequency
    else:
        weights[occurs] = 1 / np.log(1.02 + share[occurs])
    return [float(weight) for weight in weights]
