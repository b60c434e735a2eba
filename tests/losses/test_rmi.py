from math import log

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses import RegionMutualInformation

VOID = 255


def batch(side: int = 24) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 4, (2, side // 4, side // 4), generator=generator)
    target = target.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)
    return 3 * torch.randn(2, 3, side, side, generator=generator), target.where(target < 3, VOID)


def lower_bound(truth: np.ndarray, predicted: np.ndarray, radius: int) -> float:
    """One class of one image, as the paper's code has it: 1/2 log det of the posterior covariance, by dimension."""
    height, width = (side - radius + 1 for side in truth.shape)
    rows = [(i, j) for i in range(radius) for j in range(radius)]
    y = np.stack([truth[i : i + height, j : j + width].ravel() for i, j in rows])
    p = np.stack([predicted[i : i + height, j : j + width].ravel() for i, j in rows])
    y, p = y - y.mean(axis=1, keepdims=True), p - p.mean(axis=1, keepdims=True)
    small = 5e-4 * np.eye(len(rows))
    posterior = y @ y.T - y @ p.T @ np.linalg.inv(p @ p.T + small) @ (y @ p.T).T
    return float(0.5 * np.linalg.slogdet(posterior + small)[1] / len(rows))


@pytest.mark.parametrize(("radius", "stride"), [(3, 1), (3, 4), (2, 3)])
def test_equals_the_paper_up_to_its_constant(radius: int, stride: int) -> None:
    logits, target = batch()
    valid = (target != VOID).unsqueeze(1)
    truth = (target.unsqueeze(1) == torch.arange(3).view(3, 1, 1)).double()
    predicted = logits.double().sigmoid() * valid
    small = [F.avg_pool2d(maps, stride, stride, stride // 2).numpy() for maps in (truth, predicted)]
    bounds = [lower_bound(small[0][b, c], small[1][b, c], radius) for b in range(2) for c in range(3)]
    total, parts = RegionMutualInformation(radius=radius, stride=stride)(logits, target)
    assert total.item() == pytest.approx(np.mean(bounds) - 0.5 * log(5e-4), rel=1e-5)
    assert parts == {"rmi": total}


def test_a_prediction_that_says_nothing_leaves_everything_unexplained_and_the_truth_little() -> None:
    _, target = batch()
    loss = RegionMutualInformation(stride=1)
    certain = 40 * (target.unsqueeze(1) == torch.arange(3).view(3, 1, 1)).float() - 20
    nothing = loss(torch.zeros(2, 3, 24, 24), target).total
    perfect = loss(certain, target).total
    assert 0 < perfect.item() < 0.5 * log(2) < nothing.item()


def test_a_class_that_is_in_no_image_costs_nothing() -> None:
    logits, target = batch()
    without = target.where(target != 1, VOID)
    logits = logits.clone().requires_grad_()
    RegionMutualInformation()(logits, without).total.backward()
    assert logits.grad is not None
    assert logits.grad[:, 1].eq(0).all()
    assert logits.grad[:, 0].ne(0).any()


def test_neighbours_matter() -> None:
    """The same number of wrong pixels, alone or together: cross-entropy would not tell them apart."""
    _, target = batch(32)
    target = target.clamp(max=2)
    truth = (target.unsqueeze(1) == torch.arange(3).view(3, 1, 1)).float()
    certain = 6 * truth - 3
    together, scattered = certain.clone(), certain.clone()
    together[..., :8, :8] *= -1
    scattered[..., ::4, ::4] *= -1
    loss = RegionMutualInformation(stride=1)
    assert loss(together, target).total.item() != pytest.approx(loss(scattered, target).total.item(), rel=0.05)


def test_learns_the_truth() -> None:
    _, target = batch()
    target = target.clamp(max=2)
    logits = torch.zeros(2, 3, 24, 24).normal_(generator=torch.Generator().manual_seed(1)).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        total = RegionMutualInformation(stride=1)(logits, target).total
        total.backward()
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < 0.7 * losses[0]


def test_is_for_images_that_are_large_enough() -> None:
    with pytest.raises(UserError, match=r"^images of 4x16 are too small .* stride=4: lower stride$"):
        RegionMutualInformation()(torch.randn(1, 2, 4, 16), torch.zeros(1, 4, 16, dtype=torch.int64))
    with pytest.raises(UserError, match=r"^images of 8x8 are too small "):  # one region of 3 x 3 varies with nothing
        RegionMutualInformation()(torch.randn(1, 2, 8, 8), torch.zeros(1, 8, 8, dtype=torch.int64))
    with pytest.raises(UserError, match=r"^.*for images.*$"):
        RegionMutualInformation()(torch.randn(1, 2, 16), torch.zeros(1, 16, dtype=torch.int64))


@pytest.mark.parametrize(("option", "value"), [("radius", 1), ("radius", 2.5), ("stride", 0)])
def test_bad_options(option: str, value: int) -> None:
    with pytest.raises(UserError, match=rf"^{option} is .*$"):
        RegionMutualInformation(**{option: value})
