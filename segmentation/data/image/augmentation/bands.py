"""Which transforms are made for colours and cannot do with images of other bands."""

import numpy as np

from segmentation.data.image.augmentation.strength import Spec
from segmentation.data.image.augmentation.transforms import Transforms
from segmentation.errors import UserError

SIZE = (64, 64)  # large enough for nearly all; what cannot do with it cannot with three bands either


def made_for_colors(spec: Spec, bands: int) -> list[str]:
    """The names of the transforms that can be applied to an image of three bands and not to one of `bands`."""
    each = [(name, Transforms(((name, {**parameters, "p": 1}),), 255)) for name, parameters in spec]
    return [name for name, transform in each if _works(transform, 3) and not _works(transform, bands)]


def _works(transform: Transforms, bands: int) -> bool:
    try:
        transform(np.zeros((*SIZE, bands), np.uint8), np.zeros(SIZE, np.uint8), seed=0)
    except UserError:
        return False
    return True
