"""An encoder-only mask transformer: learned queries join the last blocks of a plain vision transformer, each query
becomes one mask with its class. EoMT, Kerssies et al. 2025, arXiv 2503.19108.

Shapes: B images, Q queries, D width, C classes, h x w patches, N tokens: Q queries, prefix tokens, h w patches.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import log2
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.layers.norm import LayerNorm2d
from timm.models import is_model_in_modules
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from segmentation.errors import UserError, near
from segmentation.models.image.pixels import ImageModel
from segmentation.models.image.weights import (
    is_file_name,
    load_encoder_weights,
    timm_weights_faults,
    told_when_unavailable,
)
from segmentation.outputs import MaskPrediction

PLAIN = ("vision_transformer",)  # timm's module of transformers without stages: ViT, DINOv2, SigLIP, ...
LEAST = 1e-6  # of the probability of a class; keeps a logarithm finite where no mask claims a pixel


def eomt_model(
    encoder_name: str,
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    encoder_weights: str | None = None,
    patch_size: int | None = None,
    queries: int = 100,
    query_blocks: int = 4,
) -> ImageModel:
    """`encoder_name` is any plain vision transformer of timm; `queries` join its last `query_blocks` blocks.

    As many bands go in as `mean` has. `encoder_weights` is `imagenet` for those that timm has of that name, None, or a
    file; another `patch_size` (pixels) resamples the weights of the first layer. The outputs are those of `EoMT`.
    Raises `UserError` for an unknown encoder, weights that cannot be had, and more query blocks than there are blocks.
    """
    for fault in eomt_faults({"encoder_name": encoder_name, "encoder_weights": encoder_weights}):
        raise UserError(f"model.{fault}")
    hub_weights = None if is_file_name(encoder_weights) else encoder_weights
    options: dict[str, Any] = {"num_classes": 0, "global_pool": "", "dynamic_img_size": True, "in_chans": len(mean)}
    if patch_size is not None:
        options["patch_size"] = patch_size
    try:
        with told_when_unavailable(encoder_name, hub_weights):
            encoder: Any = timm.create_model(encoder_name, pretrained=hub_weights is not None, **options)
    except (RuntimeError, ValueError) as error:  # what timm raises for tags and options
        raise UserError(f"model.encoder_name={encoder_name}: {' '.join(str(error).split())}") from error
    if encoder_weights is not None and is_file_name(encoder_weights):
        load_encoder_weights(encoder, Path(encoder_weights))
    if not 1 <= query_blocks <= len(encoder.blocks):
        raise UserError(
            f"model.query_blocks={query_blocks}: {encoder_name} has {len(encoder.blocks)} blocks; give 1 up to as many"
        )
    network = EoMT(encoder, num_classes, queries, query_blocks)
    return ImageModel(network, "encoder", _block_features, mean, std, divisor=network.patch)


def eomt_faults(node: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the names in a configuration of `eomt_model`, each told from its key on."""
    name = str(node.get("encoder_name"))
    if not (timm.is_model(name) and is_model_in_modules(name, PLAIN)):
        hint = near(name, timm.list_models(module=PLAIN[0]), "vit_small_patch16_224 is one")
        yield f"encoder_name={name}: timm has no plain vision transformer of that name; {hint}"
    yield from timm_weights_faults(node.get("encoder_weights"), "NAME.TAG")


eomt_model.faults = eomt_faults  # type: ignore[attr-defined]  # where the check of the configuration looks


def mask_probability(block: int, blocks: int, progress: float) -> float:
    """With which probability a query is masked in a query block, 0 being the first of `blocks`, after the share
    `progress` of training: it falls from 1 to 0, block after block, over the middle of training, as the paper's
    schedules do.

        mask_probability(0, 4, progress): 1 up to 1/6, 0 from 2/6 on;  (3, 4, progress): 1 up to 4/6, 0 from 5/6 on
    """
    done = progress * (blocks + 2) - (block + 1)
    return (1 - min(max(done, 0.0), 1.0)) ** 0.9


class EoMT(nn.Module):
    """Pixels `[B, bands, H, W]`, H and W multiples of the patch, become `{"out"}`, log-probabilities `[B, C, H, W]`.

    In training there is beside it what the queries predict before each query block, from `"masks/0"` and `"classes/0"`
    on, and at the end: mask logits `[B, Q, 4h, 4w]` (for patches of 16 pixels) and class logits `[B, Q, C + 1]`, no
    object being the last. These are what loss=mask_classification learns from.

    In training a query sees of the patches only those of its mask so far, in every query block with a probability that
    goes to 0 while `progress` goes to 1. Evaluation never masks, so that the finished network is a plain transformer;
    scores before the end of training are lower than they will be.
    """

    def __init__(self, encoder: VisionTransformer, num_classes: int, queries: int, query_blocks: int) -> None:
        super().__init__()
        width = encoder.embed_dim
        self.patch: int = encoder.patch_embed.patch_size[0]
        self.encoder = encoder
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.class_head = nn.Linear(width, num_classes + 1)
        self.mask_head = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )
        self.enlarge = nn.Sequential(*(Doubled(width) for _ in range(max(1, round(log2(self.patch / 4))))))
        self._progress = 0.0
        # On the device, where it is changed without a wait: a number of Python's would be compiled in.
        self.register_buffer("mask_probabilities", torch.ones(query_blocks), persistent=False)
        self.mask_probabilities: Tensor

    @property
    def progress(self) -> float:
        """How far training is, in [0, 1]."""
        return self._progress

    @progress.setter
    def progress(self, progress: float) -> None:
        self._progress = progress
        blocks = len(self.mask_probabilities)
        for block in range(blocks):
            self.mask_probabilities[block].fill_(mask_probability(block, blocks, progress))

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        tokens, grid = self.embedded(pixels)
        alone = len(self.encoder.blocks) - len(self.mask_probabilities)
        for block in self.encoder.blocks[:alone]:
            tokens = block(tokens)
        tokens = torch.cat([self.queries.expand(len(tokens), -1, -1), tokens], dim=1)
        predictions = []
        for block, probability in zip(self.encoder.blocks[alone:], self.mask_probabilities, strict=True):
            visible = None
            if self.training:
                predictions.append(self._predict(tokens, grid))
                visible = self._visible(predictions[-1].masks, probability, tokens.shape[1], grid)
            tokens = block(tokens, attn_mask=visible)
        predictions.append(self._predict(tokens, grid))
        probabilities = pixel_probabilities(predictions[-1])
        enlarged = F.interpolate(probabilities, size=pixels.shape[-2:], mode="bilinear", align_corners=False)
        outputs = {"out": enlarged.log()}
        if self.training:
            for index, prediction in enumerate(predictions):
                outputs |= {f"masks/{index}": prediction.masks, f"classes/{index}": prediction.classes}
        return outputs

    def embedded(self, pixels: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The tokens that go into the first block, without queries, and the rows and columns of patches."""
        patches = self.encoder.patch_embed(pixels)  # [B, h, w, D]
        tokens = self.encoder.norm_pre(self.encoder.patch_drop(self.encoder._pos_embed(patches)))
        return tokens, (patches.shape[1], patches.shape[2])

    def _predict(self, tokens: Tensor, grid: tuple[int, int]) -> MaskPrediction:
        tokens = self.encoder.norm(tokens)
        queries = tokens[:, : len(self.queries)]
        patches = tokens[:, -grid[0] * grid[1] :].transpose(1, 2).unflatten(2, grid)
        masks = torch.einsum("bqd,bdhw->bqhw", self.mask_head(queries), self.enlarge(patches))
        return MaskPrediction(masks, self.class_head(queries))

    def _visible(self, masks: Tensor, probability: Tensor, tokens: int, grid: tuple[int, int]) -> Tensor:
        """Which tokens see which, `[B, 1, N, N]`: of the queries that are masked now only the patches of their mask."""
        inside = F.interpolate(masks.detach(), size=grid, mode="bilinear", align_corners=False) > 0
        free = torch.rand(*masks.shape[:2], 1, device=masks.device) >= probability
        visible = torch.ones(len(masks), 1, tokens, tokens, dtype=torch.bool, device=masks.device)
        visible[:, 0, : masks.shape[1], -grid[0] * grid[1] :] = inside.flatten(2) | free
        return visible


class Doubled(nn.Module):
    """Feature maps `[B, D, h, w]` to `[B, D, 2h, 2w]`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(width, width, 2, 2)
        self.activation = nn.GELU()
        self.smooth = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.norm = LayerNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        return self.norm(self.smooth(self.activation(self.upsample(features))))


def pixel_probabilities(prediction: MaskPrediction) -> Tensor:
    """`[B, C, 4h, 4w]`, float32, of sum 1 over C: the sum over queries of class probability times mask probability, as
    a share of that of all classes (MaskFormer's semantic inference, arXiv 2107.06278).
    """
    with torch.autocast(prediction.masks.device.type, enabled=False):
        classes = prediction.classes.float().softmax(dim=-1)[..., :-1]
        sums = torch.einsum("bqc,bqhw->bchw", classes, prediction.masks.float().sigmoid()) + LEAST
    return sums / sums.sum(dim=1, keepdim=True)


def _block_features(network: nn.Module, pixels: Tensor) -> Sequence[Tensor]:
    """The embedded tokens and what comes out of each block."""
    assert isinstance(network, EoMT)
    features = [network.embedded(pixels)[0]]
    for block in network.encoder.blocks:
        features.append(block(features[-1]))
    return features
