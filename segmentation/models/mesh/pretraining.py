"""The geometry encoder learns without labels: from the faces that it sees, to say what those are that it does not.

A joint-embedding predictive architecture (I-JEPA, Assran et al. 2023, arXiv 2301.08243) over the faces of meshes.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from segmentation.models.mesh.blocks import LOCAL, Block
from segmentation.models.mesh.embedding import LEAST_VARIANCE, PlaceEmbedding, moments
from segmentation.models.mesh.encoder import GeometryEncoder, initialise
from segmentation.models.mesh.inputs import MeshInputs
from segmentation.outputs import Outputs

CORNERS = 9  # the first numbers of a face: x, y and z of its corners, in m from the centre of the cluster
WARM_UP = 10  # updates
FREQUENCIES, WAVELENGTH = 6, 8.0  # of the place of a face in its cluster


class MaskedPretraining(nn.Module):
    """In training a share `hidden_share` of the faces is hidden. The encoder reads the others; a predictor, told where
    the hidden ones are, says of each what the target encoder makes of it (given all faces) and what its numbers are.
    What loss=masked_prediction compares, with W numbers for the one and E, `FeatureEmbedding.standard`, for the other:

        predicted/embedding, wanted/embedding `[B, W, N, F]`; predicted/features, wanted/features `[B, E, N, F]`;
        hidden `[B, 1, N, F]` bool

    The target encoder is an average of the encoder along training: before each pass in training it moves by
    1 - `target_decay` towards it, at first by more, and in the first pass all the way. No gradient reaches it. It is
    part of the model, as are its weights in checkpoints, so the loop knows nothing of it.

    `"out"` are logits `[B, C, N, F]` of a linear map of what the target encoder says. It learns from the labels, the
    encoder does not: so scores tell how good an encoder is while it learns, and nothing of it needs labels. In
    evaluation they are all that is given. Other models start from the weights of `encoder`.
    """

    def __init__(
        self,
        encoder: GeometryEncoder,
        num_classes: int,
        hidden_share: float = 0.6,
        target_decay: float = 0.996,
        predictor_blocks: int = 2,
    ) -> None:
        super().__init__()
        width = encoder.width
        self.hidden_share, self.target_decay = hidden_share, target_decay
        self.encoder = encoder
        self.predictor = Predictor(width, encoder.heads, predictor_blocks)
        self.to_embedding = nn.Linear(width, width)
        self.to_features = nn.Linear(width, encoder.embedding.linear.in_features)
        self.head = nn.Linear(width, num_classes)
        for part in (self.to_embedding, self.to_features, self.head):
            initialise(part)
        self.target = copy.deepcopy(encoder).requires_grad_(False)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.updates: Tensor

    def forward(self, inputs: MeshInputs) -> Outputs:
        features, mask, centres = inputs.features, inputs.mask, inputs.centres
        if not self.training:
            return self._probed(self.target(features, mask, centres))
        self._move_target()
        with torch.no_grad():
            standard = self.target.embedding.standard(features, mask)
            whole = self.target(features, mask, centres)
        hidden = mask & (torch.rand(mask.shape, device=mask.device) < self.hidden_share)
        visible = mask & ~hidden
        read = self.encoder(features, visible, centres)
        places = features[..., :CORNERS].unflatten(-1, (3, 3)).mean(dim=-2)
        predicted = self.predictor(read, places.where(mask.unsqueeze(-1), 0.0), hidden, mask)
        outputs = {
            "predicted/embedding": self.to_embedding(predicted),
            "wanted/embedding": alike_on_average(whole.float(), mask),
            "predicted/features": self.to_features(predicted),
            "wanted/features": standard,
            "hidden": hidden.unsqueeze(-1),
        }
        return {"out": self._probed(whole), **{name: output.movedim(-1, 1) for name, output in outputs.items()}}

    def _probed(self, faces: Tensor) -> Tensor:
        return self.head(faces).movedim(-1, 1)

    @torch.no_grad()
    def _move_target(self) -> None:
        """The decay warms up as n / (10 + n) over the updates n: the first one copies what the encoder started from."""
        weight = 1 - (self.updates / (WARM_UP + self.updates)).clamp(max=self.target_decay)
        pairs = zip(_tensors(self.target), _tensors(self.encoder), strict=True)
        for average, current in pairs:
            if average.is_floating_point():
                average.lerp_(current, weight)
            else:
                average.copy_(current)
        self.updates.add_(1)

    def train(self, mode: bool = True) -> "MaskedPretraining":
        super().train(mode)
        self.target.eval()
        return self

    def parameter_depths(self) -> dict[str, int]:
        """0 for what is before the blocks of the encoder, up by one a block; what predicts is one beyond the last."""
        encoders = ("encoder.", "target.")
        depths = {prefix + name: depth for prefix in encoders for name, depth in self.encoder.depths().items()}
        last = len(self.encoder.blocks) + 1
        return {name: depths.get(name, last) for name, _ in self.named_parameters()}


def alike_on_average(tokens: Tensor, mask: Tensor) -> Tensor:
    """Tokens `[B, N, F, W]`, each of the W numbers with mean 0 and variance 1 over the faces in `mask`.

    A target encoder that made the same of every face would be predicted without an error; so scaled it cannot be
    (instance normalisation of the targets, Baevski et al. 2022, data2vec, arXiv 2202.03555).
    """
    mean, variance = moments(tokens, mask)
    return (tokens - mean) * (variance + LEAST_VARIANCE).rsqrt()


class Predictor(nn.Module):
    """What was read of the faces that were seen, `[B, N, F, W]`, to what could be read of those that were not.

    A hidden face starts as a token that is learned and its place `[B, N, F, 3]`, in m from the centre of the cluster:
    nothing else of it is told.
    """

    def __init__(self, width: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.hidden = nn.Parameter(torch.empty(width).normal_(std=0.02))
        self.summary = nn.Parameter(torch.empty(width).normal_(std=0.02))
        self.place = PlaceEmbedding(width, FREQUENCIES, WAVELENGTH)
        self.blocks = nn.ModuleList(Block(LOCAL, width, heads, 2.0, 0.0) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        initialise(self)

    def forward(self, read: Tensor, places: Tensor, hidden: Tensor, mask: Tensor) -> Tensor:
        placed = self.place(places)
        faces = placed + read.where(~hidden.unsqueeze(-1), self.hidden.to(read.dtype))
        summaries = self.summary.expand(*faces.shape[:2], -1)
        for block in self.blocks:
            faces, summaries = block(faces, summaries, mask)
        return self.norm(faces)


def nomeformer_pretrain(
    num_classes: int,
    num_features: int,
    encoder: Callable[..., GeometryEncoder],
    hidden_share: float = 0.6,
    target_decay: float = 0.996,
    predictor_blocks: int = 2,
) -> MaskedPretraining:
    """`encoder(num_features=...)` makes the encoder; of the `num_features` of a face the first nine are its corners."""
    return MaskedPretraining(
        encoder(num_features=num_features), num_classes, hidden_share, target_decay, predictor_blocks
    )


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
