"""What stands between raw pixels and a network: scaling, normalisation, padding and cropping back."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.models.depth import depths_from_features
from segmentation.outputs import logits_from

EncoderFeatures = Callable[[nn.Module, Tensor], Sequence[Tensor]]
MAX_PIXEL = 255.0


class ImageModel(nn.Module):
    """A segmentation network that takes pixels as they are stored.

    Input `[B, bands, H, W]` of any H and W, uint8 of 0-255 or floating-point in [0, 1]; output logits
    `[B, num_classes, H, W]`. Pixels are normalised with `mean` and `std` (on the scale [0, 1], one by band) and padded
    below and to the right with zeros, the mean colour, to a multiple of `divisor`; the logits are cropped back. All of
    it happens on the device, so loaders ship bytes and an exported model needs no preprocessing around it.

    `encoder` names the submodule of `network` that may start from pre-trained weights; `encoder_features(network,
    normalised)` runs it and returns its feature maps from the first stage to the last.
    """

    def __init__(
        self,
        network: nn.Module,
        encoder: str,
        encoder_features: EncoderFeatures,
        mean: Sequence[float],
        std: Sequence[float],
        divisor: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.divisor = divisor
        self._encoder, self._encoder_features = f"network.{encoder}.", encoder_features
        shift = torch.tensor(list(mean)).view(1, -1, 1, 1) * MAX_PIXEL
        scale = 1 / (torch.tensor(list(std)).view(1, -1, 1, 1) * MAX_PIXEL)
        self.register_buffer("shift", shift, persistent=False)  # the run's config holds them, not its weights
        self.register_buffer("scale", scale, persistent=False)
        self.shift: Tensor
        self.scale: Tensor

    def forward(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[-2:]
        unit = pixels * MAX_PIXEL if pixels.is_floating_point() else pixels
        normalised = (unit - self.shift) * self.scale
        padding = (0, -width % self.divisor, 0, -height % self.divisor)
        if any(padding):
            normalised = F.pad(normalised, padding)
        return logits_from(self.network(normalised))[..., :height, :width]

    def parameter_depths(self) -> dict[str, int]:
        """0 for the encoder's first stage, up by one a stage; decoder and head are one beyond the last stage."""
        encoder = {name: p for name, p in self.named_parameters() if name.startswith(self._encoder)}
        trained = {name: parameter.requires_grad for name, parameter in encoder.items()}
        was_training = self.training
        side = 2 * max(self.divisor, 32)
        pixels = torch.zeros(1, self.shift.shape[1], side, side, device=self.shift.device)
        try:
            self.eval()  # batch norms must not learn from the zeros
            for parameter in encoder.values():
                parameter.requires_grad_(True)
            with torch.enable_grad():
                depths = depths_from_features(self._encoder_features(self.network, pixels), encoder)
        finally:
            self.train(was_training)
            for name, parameter in encoder.items():
                parameter.requires_grad_(trained[name])
        head = max(depths.values(), default=-1) + 1
        return {name: depths.get(name, head) for name, _ in self.named_parameters()}
