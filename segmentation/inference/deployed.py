"""A trained model as it is deployed: stored pixels in, class ids out, everything between inside."""

from typing import Literal

import torch
from torch import Tensor, nn

from segmentation.outputs import labels_from, probabilities_from

Layout = Literal["nhwc", "nchw"]


class Deployed(nn.Module):
    """`model`, which takes pixels `[B, bands, H, W]` and does its own normalising, padding and cropping, in the shape
    that a program without this project can use.

    Input: pixels of any height and width, `[B, H, W, bands]` (`layout` nhwc, as decoders of pictures give them) or
    `[B, bands, H, W]` (nchw); uint8 of 0-255, or, where `max_value` is given, float32 of stored values of which that is
    the white. Output: class ids `[B, H, W]`, uint8; of the one logit of a binary task 1 where its probability is above
    0.5. With `probabilities` also those of the classes, `[B, C, H, W]`, float32, whatever the layout.

    Evaluation mode from the start: dropout and batch statistics have no place in what is deployed.
    """

    def __init__(
        self, model: nn.Module, layout: Layout = "nhwc", max_value: float | None = None, probabilities: bool = False
    ) -> None:
        super().__init__()
        self.model, self.layout, self.max_value, self.probabilities = model, layout, max_value, probabilities
        self.eval()

    @property
    def free_dimensions(self) -> tuple[int, int, int]:
        """Batch, height and width among the dimensions of the input."""
        return (0, 1, 2) if self.layout == "nhwc" else (0, 2, 3)

    @property
    def output_names(self) -> list[str]:
        return ["classes", "probabilities"] if self.probabilities else ["classes"]

    def forward(self, pixels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if self.layout == "nhwc":
            pixels = pixels.movedim(-1, 1)
        if self.max_value is not None:
            pixels = (pixels / self.max_value).clamp(0, 1)
        outputs = self.model(pixels)
        classes = labels_from(outputs).to(torch.uint8)  # masks are uint8 too: there are at most 255 classes
        return (classes, probabilities_from(outputs)) if self.probabilities else classes
