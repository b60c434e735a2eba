"""Means that are zero where there is nothing to average."""

from torch import Tensor


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """sum(values * weights) / sum(weights), and zero where the weights, bool or >= 0, are all zero.

    Weights `[B, 1, *S]` are those of every channel of the values. A value that is not finite shows even where its
    weight is zero: a model that diverged is not hidden.
    """
    weight = weights.sum() * (values.numel() // weights.numel())
    return (values * weights).sum() / weight.where(weight > 0, 1)


def mean_over_present(losses: Tensor, present: Tensor) -> Tensor:
    """Losses `[R, C]` of C classes, averaged over those that are `present` in a row, then over rows that have any."""
    rows = (losses * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)
    return rows.sum() / present.any(dim=1).sum().clamp(min=1)
