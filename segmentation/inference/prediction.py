"""A model as it is asked for predictions: whole images or tiles, as they are or in several views."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from segmentation.inference.augmented import View, augmented
from segmentation.inference.tiling import tiled
from segmentation.inference.windows import Tiles
from segmentation.outputs import Outputs


class Prediction(nn.Module):
    """`model(inputs)`, of tiles where `tiles` says so, and as the mean over `views` where there are several.

    Every view is cut into tiles of its own. Without tiles and with a single view, which is the image as it is, the
    outputs are the model's own.
    """

    def __init__(self, model: nn.Module, tiles: Tiles | None, views: Sequence[View]) -> None:
        super().__init__()
        self.model, self.tiles, self.views = model, tiles, tuple(views)

    def forward(self, inputs: Tensor) -> Outputs:
        predict = self.model if self.tiles is None else partial(tiled, self.model, tiles=self.tiles)
        return predict(inputs) if len(self.views) == 1 else augmented(predict, inputs, self.views)
