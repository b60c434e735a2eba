"""NoMeFormer: a transformer that labels the faces of a mesh by their geometry."""

from collections.abc import Callable

from torch import Tensor, nn

from segmentation.models.mesh.encoder import GeometryEncoder, initialise
from segmentation.models.mesh.inputs import MeshInputs


class NoMeFormer(nn.Module):
    """`MeshInputs` to logits `[B, C, N, F]`: the encoder, and one linear map for each face.

    Those of padding mean nothing.
    """

    def __init__(self, encoder: GeometryEncoder, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.width, num_classes)
        initialise(self.head)

    def forward(self, inputs: MeshInputs) -> Tensor:
        return self.head(self.encoder(inputs.features, inputs.mask, inputs.centres)).movedim(-1, 1)

    def parameter_depths(self) -> dict[str, int]:
        """0 for what is before the blocks, up by one a block; the head is one beyond the last."""
        within = {f"encoder.{name}": depth for name, depth in self.encoder.depths().items()}
        head = len(self.encoder.blocks) + 1
        return {name: within.get(name, head) for name, _ in self.named_parameters()}


def nomeformer(
    num_classes: int,
    num_features: int,
    encoder: Callable[..., GeometryEncoder],
    num_unfrozen_encoder_layers: int | None = None,
) -> NoMeFormer:
    """`num_features` numbers of each face go in, as the data gives them; `encoder(num_features=...)` makes the encoder,
    of which the last `num_unfrozen_encoder_layers` blocks are trained, None: all of it.
    """
    return NoMeFormer(partly_frozen(encoder(num_features=num_features), num_unfrozen_encoder_layers), num_classes)


def partly_frozen(encoder: GeometryEncoder, trained_blocks: int | None) -> GeometryEncoder:
    if trained_blocks is not None:
        encoder.freeze_all_but(trained_blocks)
    return encoder
