"""Probabilities of pictures by trained models, one or several, strip by strip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.classes import Classes
from segmentation.engine.memory import AsManyAsFit, advice_for_prediction, explains_out_of_memory
from segmentation.inference.augmented import View
from segmentation.inference.prediction import Prediction
from segmentation.inference.scoring import Band, Pixels, neighbours, pieces
from segmentation.inference.tiling import weights_on
from segmentation.inference.windows import Size, Tiles, Window, strips
from segmentation.outputs import probabilities_from
from segmentation.runtime.device import Precision


@dataclass(frozen=True)
class Member:
    """`model` in evaluation mode, and the size at which it is shown pictures (None: as they are)."""

    model: nn.Module
    size: Size | None


@dataclass(frozen=True)
class TrainedScorer:
    """The mean of the probabilities that the `members` give; each asked in all `views`.

    Pictures are shown as evaluation shows them: at the member's size, as a whole or (not `whole`) in `tiles`, and what
    comes of it is enlarged to the picture. Large pictures, and all in tiles where no member has a size, are tiled at
    their own size, strip by strip, with the views of each tile.
    """

    members: Sequence[Member]
    classes: Classes
    device: torch.device
    precision: Precision
    tiles: Tiles
    whole: bool
    views: Sequence[View]

    @property
    def sizes(self) -> Sequence[Size | None]:
        return [] if self._streams else list(dict.fromkeys(member.size for member in self.members))

    @property
    def _streams(self) -> bool:
        return not self.whole and not any(member.size for member in self.members)

    @torch.inference_mode()
    def strips(self, picture: Pixels) -> Iterator[np.ndarray]:
        """As `Scorer` has it."""
        streamed = picture.is_large or self._streams
        logits_of = self._streamed if streamed else self._enlarged
        shown = self.tiles.size if streamed or not self.whole else picture.size
        with explains_out_of_memory(advice_for_prediction(shown)):
            of_members = [logits_of(member, picture) for member in self.members]
            while parts := [part for part in (next(strips, None) for strips in of_members) if part is not None]:
                number, height, width = parts[0].shape
                for rows in pieces((height, width), number):
                    mean = sum(probabilities_from(part[None, :, rows])[0] for part in parts) / len(parts)
                    assert isinstance(mean, Tensor)
                    yield mean.cpu().numpy()
                parts.clear()  # before the next are made

    def _enlarged(self, member: Member, picture: Pixels) -> Iterator[Tensor]:
        """Logits `[C, rows, W]` of the picture shown as a whole."""
        model = member.model if self.whole else AsManyAsFit(member.model, self.tiles.batch_size)
        tiles = None if self.whole else self.tiles
        logits = self._asked(Prediction(model, tiles, self.views), picture.resized(member.size)[None])[0]
        for rows in pieces(picture.size, len(logits)):
            yield enlarged(logits, rows, picture.size)

    def _streamed(self, member: Member, picture: Pixels) -> Iterator[Tensor]:
        """Logits `[C, rows, W]` of the picture in tiles, as `tiled` has them."""
        model = Prediction(AsManyAsFit(member.model, self.tiles.batch_size), None, self.views)
        band = Band(picture, self.tiles.size)

        def score(windows: Sequence[Window]) -> Tensor:
            weights = torch.stack([weights_on(window, self.device) for window in windows])
            return self._asked(model, band.tiles(windows)) * weights[:, None]

        zeros = partial(torch.zeros, device=self.device)
        return strips(score, picture.size, self.tiles.size, self.tiles.overlap, self.tiles.batch_size, zeros)

    def _asked(self, model: nn.Module, images: np.ndarray) -> Tensor:
        """Logits `[N, C, h, w]`, float32, on the device, of images `[N, h, w, bands]`."""
        inputs = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2)
        with self.precision.autocast(self.device):
            logits: Tensor = model(inputs)
        return logits.float()


def enlarged(logits: Tensor, rows: slice, size: Size) -> Tensor:
    """These rows of logits `[C, h, w]` brought to `size` (H, W) by bilinear interpolation, `[C, rows, W]`."""
    if logits.shape[1:] == size:
        return logits[:, rows]
    if rows == slice(0, size[0]):
        return F.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]
    first, second, share = (
        torch.from_numpy(part).to(logits.device) for part in neighbours(rows, logits.shape[1], size[0])
    )
    between = torch.lerp(logits[:, first], logits[:, second], share[:, None])
    return F.interpolate(between[None], size=(len(share), size[1]), mode="bilinear", align_corners=False)[0]
