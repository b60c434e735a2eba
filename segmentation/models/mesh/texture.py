"""The texture of a face, read by convolutions along its pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segmentation.errors import UserError
from segmentation.models.mesh.encoder import initialise

MIDDLE, SPREAD = 127.5, 64.0  # of pixel values: about the mean and standard deviation of photographs


class TextureEncoder(nn.Module):
    """Pixels `[..., K, 3]` uint8 and how many of the K mean something, `[...]`, to a token `[..., W]` a face.

    Each layer is a convolution over three neighbours of the K, the places beyond the count being 0 as those beyond the
    ends are; the token is a linear map of mean and maximum over the places that count, of none: of zeros. K may be any.
    """

    def __init__(self, width: int, channels: Sequence[int] = (32, 64)) -> None:
        super().__init__()
        inputs = (3, *channels[:-1])
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv1d(before, after, 3, padding=1), nn.GELU())
            for before, after in zip(inputs, channels, strict=True)
        )
        self.out = nn.Linear(2 * channels[-1], width)
        initialise(self)

    def forward(self, pixels: Tensor, counts: Tensor) -> Tensor:
        valid = torch.arange(pixels.shape[-2], device=pixels.device) < counts.flatten().unsqueeze(-1)
        valid = valid.unsqueeze(1)  # [faces, 1, K]
        values = ((pixels.flatten(0, -3).float() - MIDDLE) / SPREAD).transpose(1, 2) * valid
        for layer in self.layers:
            values = layer(values) * valid
        mean = values.sum(dim=2) / valid.sum(dim=2).clamp(min=1)
        largest = values.masked_fill(~valid, -torch.inf).amax(dim=2).where(valid.any(dim=2), 0.0)
        return self.out(torch.cat([mean, largest], dim=1)).unflatten(0, counts.shape)

    def freeze_all_but(self, layers: int) -> None:
        """What is trained are the last so many layers and the linear map behind them; 0: nothing."""
        if layers > len(self.layers):
            raise UserError(
                f"model.num_unfrozen_texture_layers={layers}: there are {len(self.layers)}; give 0 up to as many, or "
                "null to train all of them"
            )
        self.requires_grad_(layers > 0)
        for layer in self.layers[: len(self.layers) - layers]:
            layer.requires_grad_(False)
