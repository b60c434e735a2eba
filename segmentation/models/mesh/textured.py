"""NoMeFormer that sees the texture of the faces too."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from segmentation.errors import UserError, near
from segmentation.models.mesh.encoder import GeometryEncoder
from segmentation.models.mesh.fusion import FUSIONS
from segmentation.models.mesh.inputs import MeshInputs
from segmentation.models.mesh.nomeformer import NoMeFormer, partly_frozen
from segmentation.models.mesh.texture import TextureEncoder


class TexturedNoMeFormer(NoMeFormer):
    """`MeshInputs` with pixels to logits `[B, C, N, F]`: what a face is by its numbers and what it is by its pixels are
    fused before the blocks, so that attention relates both to all other faces.

    Weights of the encoder are those of `NoMeFormer` under the same names: either loads what the other has learned.
    """

    def __init__(self, encoder: GeometryEncoder, texture: TextureEncoder, fusion: nn.Module, num_classes: int) -> None:
        super().__init__(encoder, num_classes)
        self.texture = texture
        self.fusion = fusion

    def forward(self, inputs: MeshInputs) -> Tensor:
        """Raises `UserError` for inputs without pixels."""
        if inputs.pixels is None or inputs.pixel_counts is None:
            raise UserError(
                "model=nomeformer_textured: the data gives no pixels; leave dataset.pixels_per_face to "
                "model.pixels_per_face, or choose model=nomeformer"
            )
        texture = self.texture(inputs.pixels, inputs.pixel_counts)
        geometry = self.encoder.embedding(inputs.features, inputs.mask)
        faces = self.fusion(geometry, texture, inputs.pixel_counts > 0)
        return self.head(self.encoder.in_context(faces, inputs.mask, inputs.centres)).movedim(-1, 1)

    def parameter_depths(self) -> dict[str, int]:
        """As of `NoMeFormer`; texture and fusion learn at the rate of the last block: an encoder that another run has
        trained is what the decay is to protect.
        """
        last = len(self.encoder.blocks)
        beside = ("texture.", "fusion.")
        return {name: last if name.startswith(beside) else depth for name, depth in super().parameter_depths().items()}


def nomeformer_textured(
    num_classes: int,
    num_features: int,
    encoder: Callable[..., GeometryEncoder],
    pixels_per_face: int = 16,
    texture_channels: Sequence[int] = (32, 64),
    fusion: str = "gated",
    num_unfrozen_encoder_layers: int | None = None,
    num_unfrozen_texture_layers: int | None = None,
) -> TexturedNoMeFormer:
    """As `nomeformer`, with a convolution of so many `texture_channels` each; `fusion` is a key of `FUSIONS`.

    `pixels_per_face` is what the data is asked for; the network takes any number. Raises `UserError` for options that
    cannot be.
    """
    for fault in textured_faults({"fusion": fusion, "pixels_per_face": pixels_per_face}):
        raise UserError(f"model.{fault}")
    geometry = partly_frozen(encoder(num_features=num_features), num_unfrozen_encoder_layers)
    texture = TextureEncoder(geometry.width, texture_channels)
    if num_unfrozen_texture_layers is not None:
        texture.freeze_all_but(num_unfrozen_texture_layers)
    return TexturedNoMeFormer(geometry, texture, FUSIONS[fusion](geometry.width), num_classes)


def textured_faults(node: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a configuration of `nomeformer_textured`, each told from its key on."""
    fusion, pixels = node.get("fusion"), node.get("pixels_per_face")
    if not isinstance(pixels, int) or pixels < 1:
        yield f"pixels_per_face={pixels}: expected at least 1; without a texture choose model=nomeformer"
    if fusion not in FUSIONS:
        yield f"fusion={fusion}: {near(fusion, FUSIONS, 'known are ' + ', '.join(FUSIONS))}"


nomeformer_textured.faults = textured_faults  # type: ignore[attr-defined]  # where the check of the configuration looks
