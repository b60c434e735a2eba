"""Losses: `loss(outputs, target)` gives a `LossValue`, the total and its named parts."""

from segmentation.losses.base import Loss, LossValue
from segmentation.losses.combined import Combined
from segmentation.losses.cross_entropy import CrossEntropy
from segmentation.losses.dice import Dice

__all__ = ["Combined", "CrossEntropy", "Dice", "Loss", "LossValue"]
