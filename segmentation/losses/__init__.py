"""Losses: `loss(outputs, target)` gives a `LossValue`, the total and its named parts."""

from segmentation.losses.auxiliary import Auxiliary
from segmentation.losses.base import Loss, LossValue
from segmentation.losses.bce import BinaryCrossEntropy
from segmentation.losses.boundary import BoundaryF1
from segmentation.losses.combined import Combined
from segmentation.losses.cross_entropy import CrossEntropy
from segmentation.losses.dice import Dice
from segmentation.losses.focal import Focal, SigmoidFocal
from segmentation.losses.jaccard import Jaccard
from segmentation.losses.lovasz import LovaszHinge, LovaszSoftmax
from segmentation.losses.mask_classification import MaskClassification
from segmentation.losses.masked_prediction import MaskedPrediction
from segmentation.losses.ohem import OhemCrossEntropy
from segmentation.losses.rmi import RegionMutualInformation
from segmentation.losses.tversky import Tversky

__all__ = [
    "Auxiliary",
    "BinaryCrossEntropy",
    "BoundaryF1",
    "Combined",
    "CrossEntropy",
    "Dice",
    "Focal",
    "Jaccard",
    "Loss",
    "LossValue",
    "LovaszHinge",
    "LovaszSoftmax",
    "MaskClassification",
    "MaskedPrediction",
    "OhemCrossEntropy",
    "RegionMutualInformation",
    "SigmoidFocal",
    "Tversky",
]
