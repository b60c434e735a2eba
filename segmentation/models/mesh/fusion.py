"""A geometry token and a texture token of each face become one.

Each fusion is `fuse(geometry [..., W], texture [..., W], textured [...])`, the latter bool; what the texture token of a
face without a texture holds is never looked at.
"""

import torch
from torch import Tensor, nn

from segmentation.models.mesh.encoder import initialise


class GatedFusion(nn.Module):
    """Geometry and as much of the texture as a gate, which sees both, lets through of each number; of a face without a
    texture it lets nothing through, so that its token is that of the geometry alone.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2 * width, width)
        initialise(self)

    def forward(self, geometry: Tensor, texture: Tensor, textured: Tensor) -> Tensor:
        open_ = self.gate(torch.cat([geometry, texture], dim=-1)).sigmoid()
        return geometry + (open_ * texture).where(textured.unsqueeze(-1), 0.0)


class ConcatFusion(nn.Module):
    """A linear map of both side by side; a token that is learned stands for the texture of a face without one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.untextured = nn.Parameter(torch.empty(width).normal_(std=0.02))
        self.merge = nn.Linear(2 * width, width)
        initialise(self)

    def forward(self, geometry: Tensor, texture: Tensor, textured: Tensor) -> Tensor:
        shown = texture.where(textured.unsqueeze(-1), self.untextured.to(texture.dtype))
        return self.merge(torch.cat([geometry, shown], dim=-1))


class AddFusion(nn.Module):
    """The sum of both; a token that is learned stands for the texture of a face without one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.untextured = nn.Parameter(torch.empty(width).normal_(std=0.02))

    def forward(self, geometry: Tensor, texture: Tensor, textured: Tensor) -> Tensor:
        return geometry + texture.where(textured.unsqueeze(-1), self.untextured.to(texture.dtype))


FUSIONS: dict[str, type[nn.Module]] = {"gated": GatedFusion, "concat": ConcatFusion, "add": AddFusion}
