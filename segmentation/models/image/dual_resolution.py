"""A compact network for training from random weights, whose two branches stay at two resolutions and exchange."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.models.image.pixels import ImageModel

DIVISOR = 8  # the detail branch then has whole cells; the context's last row and column may lie half outside


def dual_resolution_model(
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    channels: int = 32,
    depth: int = 2,
    dropout: float = 0.1,
    auxiliary_head: bool = False,
) -> ImageModel:
    """After DDRNet (Hong et al. 2021, arXiv 2101.06085), with a decoder that goes on to a quarter of the size.

    `channels` is the width at a quarter of the size, `depth` the number of residual blocks of each branch in each
    stage, `dropout` the probability with which a channel before the classifier is dropped. With an `auxiliary_head` the
    model in training gives `{"out", "aux"}`, the latter from the detail branch after its first exchange, at an eighth
    of the size.
    """
    network = DualResolution(len(mean), num_classes, channels, depth, dropout, auxiliary_head)
    return ImageModel(network, None, None, mean, std, DIVISOR)


class DualResolution(nn.Module):
    """Pixels `[B, bands, H, W]`, H and W multiples of 8, become logits `[B, num_classes, H, W]`.

    Detail stays at an eighth of the size, context goes down to a thirty-second; twice each takes what the other has.
    Between convolutions memory is what costs time on a CPU, so little is computed at half the size and at full size.
    """

    def __init__(
        self, bands: int, num_classes: int, channels: int, depth: int, dropout: float, auxiliary_head: bool
    ) -> None:
        super().__init__()
        c = channels
        self.stem = nn.Sequential(
            convolution(bands, c, 3, 2), nn.ReLU(True), convolution(c, c, 3, 2), nn.ReLU(True), residuals(c, c, depth)
        )
        self.eighth = residuals(c, 2 * c, depth, stride=2)
        self.sixteenth = Exchange(2 * c, 1, depth)
        self.thirty_second = Exchange(2 * c, 2, depth)
        self.pyramid = Pyramid(8 * c, 2 * c, 2 * c)
        self.decoder = Decoder(c, 2 * c)
        heads = {"out": classifier(2 * c, num_classes, dropout)}
        if auxiliary_head:
            heads["aux"] = classifier(2 * c, num_classes, dropout)
        self.heads = nn.ModuleDict(heads)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        fine = self.stem(pixels)
        eighth = self.eighth(fine)
        first, context = self.sixteenth(eighth, eighth)
        detail, context = self.thirty_second(first, context)
        decoded = self.decoder(fine, detail, self.pyramid(context))
        outputs = {"out": enlarged(self.heads["out"](decoded), pixels)}
        if self.training and "aux" in self.heads:
            outputs["aux"] = self.heads["aux"](first)
        return outputs


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


def residuals(inputs: int, outputs: int, depth: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(Residual(inputs, outputs, stride), *(Residual(outputs, outputs) for _ in range(depth - 1)))


def classifier(inputs: int, num_classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        convolution(inputs, inputs, 3), nn.ReLU(True), nn.Dropout2d(dropout), nn.Conv2d(inputs, num_classes, 1)
    )


def enlarged(features: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(features, like.shape[-2:], mode="bilinear", align_corners=False)


class Residual(nn.Module):
    """Two convolutions beside a shortcut, as in ResNet-18."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            convolution(inputs, outputs, 3, stride), nn.ReLU(True), convolution(outputs, outputs, 3)
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)
        self.activation = nn.ReLU(True)

    def forward(self, features: Tensor) -> Tensor:
        return self.activation(self.convolutions(features) + self.shortcut(features))


class Exchange(nn.Module):
    """Both branches go on, context at half its size; then each takes what the other has come to.

    Detail has `width` channels, context comes at a resolution lower by `halvings` - 1 and leaves lower by `halvings`,
    with twice the width for each.
    """

    def __init__(self, width: int, halvings: int, depth: int) -> None:
        super().__init__()
        widths = [width * 2**halving for halving in range(halvings + 1)]
        self.detail = residuals(width, width, depth)
        self.context = residuals(widths[-2], widths[-1], depth, stride=2)
        self.to_context = nn.Sequential()
        for inputs, outputs in pairwise(widths):
            self.to_context.extend([convolution(inputs, outputs, 3, 2), nn.ReLU(True)])
        self.to_context.pop(-1)
        self.to_detail = convolution(widths[-1], width)
        self.activation = nn.ReLU(True)

    def forward(self, detail: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        detail, context = self.detail(detail), self.context(context)
        lifted = enlarged(self.to_detail(context), detail)
        return self.activation(detail + lifted), self.activation(context + self.to_context(detail))


class Pyramid(nn.Module):
    """Means over larger and larger surroundings, each refined together with the one before (DDRNet's DAPPM).

    Means have no batch norm of their own: of a single image one may be a single value, which cannot be normalised.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        around = [nn.AvgPool2d(2 * side + 1, side, side, count_include_pad=False) for side in (2, 4, 8)]
        pools = [*around, nn.AdaptiveAvgPool2d(1)]
        self.itself = nn.Sequential(convolution(inputs, width), nn.ReLU(True))
        self.means = nn.ModuleList(nn.Sequential(pool, nn.Conv2d(inputs, width, 1)) for pool in pools)
        self.refine = nn.ModuleList(nn.Sequential(convolution(width, width, 3), nn.ReLU(True)) for _ in pools)
        self.merge = convolution((len(pools) + 1) * width, outputs)
        self.shortcut = convolution(inputs, outputs)
        self.activation = nn.ReLU(True)

    def forward(self, features: Tensor) -> Tensor:
        refined = [self.itself(features)]
        for mean, refine in zip(self.means, self.refine, strict=True):
            refined.append(refine(refined[-1] + enlarged(mean(features), features)))
        return self.activation(self.merge(torch.cat(refined, 1)) + self.shortcut(features))


class Decoder(nn.Module):
    """Context and detail together at an eighth of the size, then at a quarter with the features from there."""

    def __init__(self, fine: int, width: int) -> None:
        super().__init__()
        self.eighth = nn.Sequential(convolution(width, width, 3), nn.ReLU(True))
        self.fine = convolution(fine, width)
        self.activation = nn.ReLU(True)

    def forward(self, fine: Tensor, detail: Tensor, context: Tensor) -> Tensor:
        merged = self.eighth(detail + enlarged(context, detail))
        return self.activation(self.fine(fine) + enlarged(merged, fine))
