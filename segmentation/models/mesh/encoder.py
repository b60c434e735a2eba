"""The geometry of a mesh, read by a transformer: what each face is, given all others."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from segmentation.errors import UserError, near
from segmentation.models.mesh.blocks import BOTH, KINDS, Block
from segmentation.models.mesh.embedding import FeatureEmbedding, PlaceEmbedding


class GeometryEncoder(nn.Module):
    """Features, mask and centres of `MeshInputs` to a token for each face, `[B, N, F, W]`, normalised.

    `blocks` names the kind of each (see `Block`). Each cluster has a summary token, learned, and told where the cluster
    is: without it, attention among summaries could not tell above from below. The order of the faces in a cluster does
    not matter, nor does that of the clusters. Raises `UserError` for options that do not fit together.
    """

    def __init__(
        self,
        num_features: int,
        width: int = 128,
        heads: int = 4,
        blocks: Sequence[str] = (BOTH,) * 4,
        feed_forward: float = 2.0,
        dropout: float = 0.1,
        scales: Sequence[float] = (1.0, 0.01, 0.0001),
        place_frequencies: int = 6,
        place_wavelength: float = 64.0,
    ) -> None:
        super().__init__()
        for fault in self.faults({"width": width, "heads": heads, "blocks": blocks}):
            raise UserError(f"model.encoder.{fault}")
        self.width, self.heads = width, heads
        self.embedding = FeatureEmbedding(num_features, width, scales)
        self.summary = nn.Parameter(torch.empty(width).normal_(std=0.02))
        self.place = PlaceEmbedding(width, place_frequencies, place_wavelength)
        self.blocks = nn.ModuleList(Block(kind, width, heads, feed_forward, dropout) for kind in blocks)
        self.norm = nn.LayerNorm(width)
        initialise(self)

    def forward(self, features: Tensor, mask: Tensor, centres: Tensor) -> Tensor:
        return self.in_context(self.embedding(features, mask), mask, centres)

    def in_context(self, faces: Tensor, mask: Tensor, centres: Tensor) -> Tensor:
        """What follows the embedding, of faces that are tokens already."""
        summaries = self.summary + self.place(centres)
        for block in self.blocks:
            faces, summaries = block(faces, summaries, mask)
        return self.norm(faces)

    def depths(self) -> dict[str, int]:
        """Of each parameter by name: 0 what is before the blocks, 1 the first block, ...; the norm is with the last."""
        names = [name for name, _ in self.named_parameters()]
        return {name: self._depth(*name.split(".")) for name in names}

    def _depth(self, part: str, number: str = "", *rest: str) -> int:
        if part == "blocks":
            return int(number) + 1
        return len(self.blocks) if part == "norm" else 0

    @staticmethod
    def faults(node: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with a configuration of it, each told from its key on; the check of the configuration asks."""
        width, heads, blocks = (node.get(key) for key in ("width", "heads", "blocks"))
        if isinstance(width, int) and isinstance(heads, int) and not (width > 0 and heads > 0 and width % heads == 0):
            yield f"heads={heads}: expected a number that divides width={width}"
        known = ", ".join(KINDS)
        if not isinstance(blocks, Sequence) or isinstance(blocks, str) or not blocks:
            yield f"blocks={blocks}: expected a list of {known}"
        else:
            unknown = [kind for kind in blocks if kind not in KINDS]
            yield from (f"blocks names {kind}: {near(kind, KINDS, f'expected {known}')}" for kind in unknown[:1])

    def freeze_all_but(self, blocks: int) -> None:
        """What is trained are the last so many blocks and the norm behind them; 0: nothing."""
        if blocks > len(self.blocks):
            raise UserError(
                f"model.num_unfrozen_encoder_layers={blocks}: the encoder has {len(self.blocks)} blocks; give 0 up to "
                "as many, or null to train all of it"
            )
        first = len(self.blocks) - blocks + 1
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(blocks > 0 and self._depth(*name.split(".")) >= first)


def initialise(module: nn.Module) -> None:
    """Weights by Glorot and Bengio 2010, biases 0; layer norms are at one, where torch starts them."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv1d):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
