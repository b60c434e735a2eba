"""A network that computes in half precision behind a model that takes pixels, for export."""

import copy

from torch import Tensor, nn

from segmentation.models.image.pixels import ImageModel
from segmentation.outputs import logits_from


class HalfNetwork(nn.Module):
    """Weights and features in fp16, logits in fp32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, normalised: Tensor) -> Tensor:
        return logits_from(self.network(normalised.half())).float()


def in_half(model: ImageModel) -> ImageModel:
    """A copy whose network computes in half precision. Normalising stays in fp32: fp16 holds the mean colour to three
    digits only.
    """
    halved = copy.deepcopy(model)
    halved.network = HalfNetwork(halved.network)
    return halved
