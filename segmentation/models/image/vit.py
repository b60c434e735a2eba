"""Decoders for the features of timm's transformers, in the manner of segmentation-models-pytorch."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.base import SegmentationModel
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder
from torch import Tensor, nn


class TransformerModel(SegmentationModel):
    """An encoder of timm (`tu-NAME`) that gives `encoder_depth` of its blocks, evenly spread, or those at
    `encoder_output_indices`: plain transformers, whose features are all of one size, and networks in stages alike.

    `decoder` maps the feature maps to one of any size, `segmentation_head` that to logits, which are enlarged
    bilinearly to the size of the image. Prefix tokens (class, registers) take part in the blocks and go no further.
    """

    decoder: nn.Module

    def __init__(
        self,
        encoder_name: str,
        encoder_depth: int = 4,
        encoder_weights: str | None = None,
        encoder_output_indices: Sequence[int] | None = None,
        in_channels: int = 3,
        classes: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if not encoder_name.startswith("tu-"):
            raise ValueError(f"it takes encoders of timm only, by names that start with tu-, and not {encoder_name}")
        self.encoder = TimmViTEncoder(
            encoder_name.removeprefix("tu-"),
            pretrained=encoder_weights is not None,
            in_channels=in_channels,
            depth=encoder_depth,
            output_indices=None if encoder_output_indices is None else list(encoder_output_indices),
            **kwargs,
        )
        self.classification_head = None

    def forward(self, x: Tensor) -> Tensor:
        features, _ = self.encoder(x)
        logits = self.segmentation_head(self.decoder(features))
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear", align_corners=False)


class Linear(TransformerModel):
    """One linear map of the joined features, normalised over the batch: what the features alone are worth, as DINOv2
    is evaluated (Oquab et al. 2023, arXiv 2304.07193).
    """

    def __init__(self, encoder_name: str, classes: int = 1, decoder_dropout: float = 0.0, **encoder: Any) -> None:
        super().__init__(encoder_name, **encoder)
        channels = sum(self.encoder.out_channels)
        self.decoder = _Joined()
        self.segmentation_head = nn.Sequential(
            nn.BatchNorm2d(channels), nn.Dropout2d(decoder_dropout), nn.Conv2d(channels, classes, 1)
        )
        self.initialize()


class ViTUPerNet(TransformerModel):
    """UPerNet over a pyramid that is made of the features of a plain transformer: enlarged four times, twice, as they
    are, and halved (Bao et al. 2021, BEiT, arXiv 2106.08254). What is a pyramid already is taken as it is.
    """

    def __init__(
        self,
        encoder_name: str,
        classes: int = 1,
        decoder_channels: int = 256,
        decoder_use_norm: bool | str | dict[str, Any] = "batchnorm",
        **encoder: Any,
    ) -> None:
        super().__init__(encoder_name, **encoder)
        channels = self.encoder.out_channels
        if len(channels) != 4:
            raise ValueError(f"it takes features of 4 blocks, and not of {len(channels)}")
        is_pyramid = len(set(self.encoder.output_strides)) == len(channels)
        decode = UPerNetDecoder([0, 0, *channels], 5, decoder_channels, decoder_use_norm)
        self.decoder = nn.Sequential(nn.Identity() if is_pyramid else _Pyramid(channels), _Skipping(decode))
        self.segmentation_head = nn.Conv2d(decoder_channels, classes, 1)
        self.initialize()


class _Joined(nn.Module):
    """All maps at the size of the first, the largest, one behind the other."""

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        size = features[0].shape[-2:]
        same = [F.interpolate(feature, size=size, mode="bilinear", align_corners=False) for feature in features]
        return torch.cat(same, dim=1)


class _Pyramid(nn.Module):
    """Four maps of one size `[B, C, h, w]` to four of sizes 4, 2, 1 and 1/2 times that."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        four, two, _, _ = channels
        self.scales = nn.ModuleList(
            [
                nn.Sequential(_doubled(four), nn.BatchNorm2d(four), nn.GELU(), _doubled(four)),
                _doubled(two),
                nn.Identity(),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        return [scale(feature) for scale, feature in zip(self.scales, features, strict=True)]


def _doubled(channels: int) -> nn.Module:
    return nn.ConvTranspose2d(channels, channels, 2, 2)


class _Skipping(nn.Module):
    """smp's decoders count the image and half its size as feature maps too; UPerNet's does not look at them."""

    def __init__(self, decode: nn.Module) -> None:
        super().__init__()
        self.decode = decode

    def forward(self, features: list[Tensor]) -> Any:
        return self.decode([features[0], features[0], *features])
