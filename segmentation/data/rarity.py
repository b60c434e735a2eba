"""Which classes are rare, and how rare ones get more: chances of classes and of samples, from pixel counts."""

from collections.abc import Sequence

import numpy as np

from segmentation.errors import UserError, near

TEMPERATURE = 0.01
LEAST_CHANCE = 0.01  # of the rarest class's: what has less is not rare


def rare_class_chances(counts: np.ndarray) -> np.ndarray:
    """`[C]`, how likely each class is to be chosen, in proportion, from the pixels of each sample `counts` `[N, C]`.

    softmax((1 - f_c) / T) with f_c the share of the pixels and T = 0.01 (Hoyer et al., DAFormer, CVPR 2022, arXiv
    2111.14887), less the classes that come to under a hundredth of the rarest one's chance: those with a share of
    4.6 percentage points more. A class that never occurs has none.
    """
    pixels = counts.sum(axis=0).astype(np.float64)
    occurs = pixels > 0
    chances = np.zeros(len(pixels))
    if occurs.any():
        share = pixels[occurs] / pixels.sum()
        chances[occurs] = np.exp((share.min() - share) / TEMPERATURE)
    chances[chances < LEAST_CHANCE] = 0
    return chances


def named_class_chances(names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """`[C]`, the same for each that is named. Raises `UserError` for a name that is no class."""
    unknown = [name for name in names if name not in classes]
    if unknown:
        hint = near(unknown[0], classes, f"the classes are {', '.join(classes)}")
        raise UserError(f"augmentation.rare_classes names {unknown[0]}, which is no class; {hint}")
    return np.array([float(name in names) for name in classes])


def class_balanced_chances(counts: np.ndarray) -> np.ndarray:
    """`[N]`, how likely each sample is to be drawn so that every class is met equally often, in sum 1.

    As if a class were drawn, each that occurs with the same chance, and then one of the samples that hold it (Shen et
    al. 2016, arXiv 1512.05830). A sample without any class is as likely as if the ignored pixels were a class.
    """
    holds = np.column_stack([counts > 0, counts.sum(axis=1) == 0])
    holds = holds[:, holds.any(axis=0)]
    return np.asarray((holds / holds.sum(axis=0)).mean(axis=1))
