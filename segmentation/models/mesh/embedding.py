"""From the numbers of a face, and from the place of a cluster, to tokens."""

from collections.abc import Sequence
from math import pi

import torch
from torch import Tensor, nn

LEAST_VARIANCE = 1e-6  # a number that is the same for all faces becomes 0


def moments(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance `[width]` of `[..., width]` where `mask` `[...]` holds; 0 where it never does."""
    valid, count = mask.unsqueeze(-1), mask.sum().clamp(min=1)
    dimensions = tuple(range(mask.ndim))
    mean = (values * valid).sum(dimensions) / count
    return mean, ((values - mean).square() * valid).sum(dimensions) / count


class Standardised(nn.Module):
    """Numbers less their mean, by their standard deviation, both of all that was learned from so far.

    Not a batch norm: what a face becomes depends on no other face of its batch, and it is the same in training and in
    evaluation. Not a layer norm: the sides of a face in m and its area in m2 are not to be told from each other's size
    alone; a large face would look like a small one.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))
        self.count: Tensor
        self.mean: Tensor
        self.variance: Tensor

    @torch.no_grad()
    def learn(self, values: Tensor, mask: Tensor) -> None:
        """From `[..., width]` where `mask` `[...]` holds: mean and variance of the old and the new together (Chan et
        al. 1979).
        """
        mean, variance = moments(values, mask)
        new = mask.sum()
        share = new / (self.count + new).clamp(min=1)
        apart = mean - self.mean
        self.variance.add_(share * (variance - self.variance) + share * (1 - share) * apart.square())
        self.mean.add_(share * apart)
        self.count.add_(new)

    def forward(self, values: Tensor) -> Tensor:
        return (values - self.mean) * (self.variance + LEAST_VARIANCE).rsqrt()


class FeatureEmbedding(nn.Module):
    """The numbers of each face `[B, N, F, D]` to tokens `[B, N, F, W]`: one linear map, of each number at each of the
    `scales`.

    At the scale s a number x is asinh(x / s): as it is while it is small beside s, like its logarithm beyond. A pane of
    a window and the wall around it differ by a factor of a thousand and more; to a linear map of metres all panes would
    be nothing.
    """

    def __init__(self, num_features: int, width: int, scales: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("scales", torch.tensor(list(scales)), persistent=False)  # the run's config holds them
        self.scales: Tensor
        self.standardised = Standardised(num_features * len(scales))
        self.linear = nn.Linear(num_features * len(scales), width)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.linear(self.standard(features, mask))

    def standard(self, features: Tensor, mask: Tensor) -> Tensor:
        """`[B, N, F, D * scales]`, float32, of mean 0 and variance 1 over the faces of the training data; what is
        padding is nobody's business. Frozen, it learns no more.
        """
        known = features.float().where(mask.unsqueeze(-1), 0.0)
        scaled = (known.unsqueeze(-1) / self.scales).asinh().flatten(-2)
        if self.training and self.linear.weight.requires_grad:
            self.standardised.learn(scaled, mask)
        return self.standardised(scaled)


class PlaceEmbedding(nn.Module):
    """Places `[..., 3]` in m to `[..., W]`: a linear map of x, y and z and of their sines and cosines at so many
    `frequencies`, the wavelengths being `wavelength` (m), half of it, a quarter, ... (Tancik et al. 2020, arXiv
    2006.10739).
    """

    def __init__(self, width: int, frequencies: int, wavelength: float) -> None:
        super().__init__()
        self.wavelength = wavelength
        self.register_buffer("turns", 2 * pi * 2.0 ** torch.arange(frequencies), persistent=False)
        self.turns: Tensor
        self.linear = nn.Linear(3 + 6 * frequencies, width)

    def forward(self, places: Tensor) -> Tensor:
        relative = places.float() / self.wavelength
        phases = (relative.unsqueeze(-1) * self.turns).flatten(-2)
        return self.linear(torch.cat([relative, phases.sin(), phases.cos()], dim=-1))
