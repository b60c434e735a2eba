"""A trained model as it is deployed: stored pixels in, class ids out, everything between inside."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from segmentation.outputs import labels_from, logits_from, probabilities_from

Layout = Literal["nhwc", "nchw"]


class Deployed(nn.Module):
    """`model`, which takes pixels `[B, bands, H, W]` and does its own normalising, padding and cropping, in the shape
    that a program without this project can use.

    Input: pixels of any height and width, `[B, H, W, bands]` (`layout` nhwc, as decoders of pictures give them) or
    `[B, bands, H, W]` (nchw); uint8 of 0-255, or, where `max_value` is given, float32 of stored values of which that is
    the white. Output: class ids `[B, H, W]`, uint8, or int64 where there are more than 256 of them; of the one logit of
    a binary task 1 where its probability is above 0.5. `thresholds`, none or one for each class, and `otherwise` are
    those of `decision.said`. With `probabilities` also those of the classes, `[B, C, H, W]`, float32, whatever the
    layout.

    Evaluation mode from the start: dropout and batch statistics have no place in what is deployed.
    """

    def __init__(
        self,
        model: nn.Module,
        layout: Layout = "nhwc",
        max_value: float | None = None,
        probabilities: bool = False,
        thresholds: Sequence[float] = (),
        otherwise: int = 255,
    ) -> None:
        super().__init__()
        self.model, self.layout, self.max_value, self.probabilities = model, layout, max_value, probabilities
        self.thresholds, self.otherwise = tuple(thresholds), otherwise
        self.eval()

    def around(self, model: nn.Module) -> "Deployed":
        """Another model, deployed likewise."""
        return Deployed(model, self.layout, self.max_value, self.probabilities, self.thresholds, self.otherwise)

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
        decides = any(self.thresholds)
        classes = (
            said(probabilities_from(outputs), self.thresholds, self.otherwise) if decides else labels_from(outputs)
        )
        largest = max(logits_from(outputs).shape[1] - 1, self.otherwise if decides else 0)
        if largest <= torch.iinfo(torch.uint8).max:
            classes = classes.to(torch.uint8)
        return (classes, probabilities_from(outputs)) if self.probabilities else classes


def said(probabilities: Tensor, thresholds: Sequence[float], otherwise: int) -> Tensor:
    """Class ids `[B, H, W]`, int64, of probabilities `[B, C, H, W]`: what `decision.said` says of each picture, as a
    graph that exporters can follow.
    """
    if probabilities.shape[1] == 2 and not all(thresholds):
        asked = max(range(2), key=thresholds.__getitem__)
        return torch.where(probabilities[:, asked] >= thresholds[asked], asked, 1 - asked)
    least = torch.tensor(thresholds, dtype=probabilities.dtype, device=probabilities.device)[:, None, None]
    likeliest = probabilities.where(probabilities >= least, -1.0).max(dim=1)
    return likeliest.indices.where(likeliest.values >= 0, otherwise)
