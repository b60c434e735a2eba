"""What every loss is and gives."""

from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from segmentation.errors import UserError
from segmentation.outputs import Outputs


class LossValue(NamedTuple):
    """`total` (scalar, float32 or better) is to differentiate; `parts` are detached scalars by name, to be logged."""

    total: Tensor
    parts: dict[str, Tensor]


class Loss(nn.Module):
    """`loss(outputs, target) -> LossValue`, for images and meshes alike.

    `outputs` are logits `[B, C, *S]` or a mapping that holds them under `"out"`; `target` is `[B, *S]`, int64, with the
    loss's ignore index where there is nothing to learn, or, where labels do not exclude each other, `[B, C, *S]` of 0,
    1 and the ignore index (see truth.py). What every loss keeps to: it is computed in float32 or better whatever the
    logits' dtype, it is a zero with zero gradients where no pixel is valid, and it never waits for the device.
    """

    takes_one_logit: ClassVar[bool] = True  # of two classes; False for what compares the logits of classes
    _progress: float = 0.0

    @property
    def progress(self) -> float:
        """How far training is, in [0, 1], as the loop has set it; setting it reaches every loss inside this one."""
        return self._progress

    @progress.setter
    def progress(self, progress: float) -> None:
        for module in self.modules():
            if isinstance(module, Loss):
                module._progress = progress

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        raise NotImplementedError


def checked(name: str, value: float, holds: bool, expected: str) -> float:
    """The value of an option. Raises `UserError` where it does not hold."""
    if not holds:
        raise UserError(f"{name} is {value}: expected {expected}")
    return value
