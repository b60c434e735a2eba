"""Region mutual information: neighbouring pixels have to be right together."""

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses.base import Loss, LossValue, checked
from segmentation.losses.truth import label_maps
from segmentation.outputs import Outputs

REGULARISER = 5e-4  # the paper's code: keeps covariances invertible


class RegionMutualInformation(Loss):
    """What the prediction's regions leave unexplained of the truth's; at least 0. For images `[B, C, H, W]` alone.

    Zhao et al. 2019 (https://arxiv.org/abs/1910.12037). Truth and prediction, each class's sigmoid, are averaged over
    squares of `stride` pixels; a pixel and its neighbours, `radius` x `radius` = d of them, are one point Y or P of d
    dimensions. With N times the covariances over all points of an image, and e a small constant:

        M = cov(Y) - cov(Y, P) (cov(P) + e I)^-1 cov(Y, P)^T,   loss = mean over images and classes of
        log det(I + M / e) / 2 d

    That is the paper's lower bound of the mutual information, negated, with its gradient: log det(M + e I) less the
    constant log det(e I), so that a class that is not in an image, or a batch that is void all over, has a loss of 0;
    and the mean over classes where the paper's code sums. Ignored pixels are in no class, in the truth and in the
    prediction, as is what lies beyond the image. To be added to a loss of single pixels: the paper takes half of it
    and half of binary cross-entropy (summed over classes there, too, so the proportion is the same), `radius` 3 and
    `stride` 4. Computed in float64: float32 covariances of thousands of points are less exact than e. Raises
    `UserError` for a `radius` below 2 or a `stride` below 1, and, when called, for logits that are no images, or of
    images that are too small.
    """

    def __init__(self, ignore_index: int = 255, radius: int = 3, stride: int = 4) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.radius = int(checked("radius", radius, radius in range(2, 100), "a whole number of at least 2"))
        self.stride = int(checked("stride", stride, stride in range(1, 1000), "a whole number of at least 1"))

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        logits, truth, valid = label_maps(outputs, target, self.ignore_index)
        true = self._points(truth.float())
        predicted = self._points(logits.sigmoid() * valid)
        dimensions = true.shape[2]
        identity = torch.eye(dimensions, dtype=true.dtype, device=true.device)

        # By Cholesky, and the forms of it that do not ask the device whether they succeeded.
        root = torch.linalg.cholesky_ex(predicted @ predicted.mT + REGULARISER * identity).L
        explained = torch.linalg.solve_triangular(root, predicted @ true.mT, upper=False)
        unexplained = true @ true.mT - explained.mT @ explained
        root = torch.linalg.cholesky_ex(identity + unexplained / REGULARISER).L
        half_log_determinant = root.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
        total = (half_log_determinant / dimensions).mean().to(logits.dtype)
        return LossValue(total, {"rmi": total.detach()})

    def _points(self, maps: Tensor) -> Tensor:
        """Maps `[B, C, H, W]` -> `[B, C, d, N]`, float64, centred: every pixel with its neighbours."""
        if maps.ndim != 4:
            raise UserError(f"logits {list(maps.shape)}: the RMI loss is for images, [B, C, H, W]")
        small = F.avg_pool2d(maps, self.stride, stride=self.stride, padding=self.stride // 2)
        regions = [side - self.radius + 1 for side in small.shape[2:]]
        if min(regions) < 1 or max(regions) == 1:  # a single region varies with nothing
            raise UserError(
                f"images of {maps.shape[2]}x{maps.shape[3]} are too small for the RMI loss with radius={self.radius} "
                f"and stride={self.stride}: lower stride"
            )
        points = F.unfold(small.double(), self.radius).view(*maps.shape[:2], self.radius**2, -1)
        return points - points.mean(dim=-1, keepdim=True)
