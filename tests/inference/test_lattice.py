"""The permutohedral lattice beside sums over all pairs of points."""

import numpy as np
import pytest

from segmentation.inference.lattice import Lattice


def every_pair(features: np.ndarray) -> np.ndarray:
    distances = ((features[:, None] - features[None]) ** 2).sum(axis=-1)
    return np.exp(-distances / 2)


def normalised(kernel: np.ndarray) -> np.ndarray:
    scale = 1 / np.sqrt(kernel.sum(axis=1))
    return scale[:, None] * kernel * scale


def picture(sigma: float, color_sigma: float) -> np.ndarray:
    """Features `[480, 5]` of a picture of two colours with noise."""
    colors = np.full((24, 20, 3), (60, 90, 120.0))
    colors[6:18, 5:14] = (200, 50, 80)
    colors += np.random.default_rng(0).normal(0, 6, colors.shape)
    positions = np.moveaxis(np.indices((24, 20)), 0, -1)
    return np.concatenate([positions / sigma, colors / color_sigma], axis=-1).reshape(-1, 5)


@pytest.mark.parametrize(
    ("features", "off"),
    [
        (np.random.default_rng(0).uniform(0, 6, (400, 1)), 0.1),
        (np.random.default_rng(0).uniform(0, 6, (400, 2)), 0.1),
        (picture(80, 13), 0.1),
        (picture(10, 13), 0.15),
        (picture(5, 25), 0.15),
    ],
    ids=["line", "plane", "wide", "narrow", "colours"],
)
def test_it_is_about_the_gaussian_of_all_pairs(features: np.ndarray, off: float) -> None:
    """The kernel itself, filtered out of one point at a time: the share of it that is not where it belongs."""
    exact = normalised(every_pair(features))
    given = normalised(Lattice.of(features)(np.eye(len(features), dtype=np.float32)))
    assert np.abs(given - exact).sum() / exact.sum() < off
    assert np.corrcoef(given.ravel(), exact.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("dims", [1, 2, 3, 5, 6])
def test_a_point_is_divided_among_the_corners_around_it(dims: int) -> None:
    """Shares that are not negative and add up to 1; a point in the middle of everything has d + 1 of them."""
    lattice = Lattice.of(np.random.default_rng(1).normal(0, 20, (500, dims)))
    assert np.allclose(lattice.splat.sum(axis=0), 1, atol=1e-4)
    assert lattice.splat.data.min() > -1e-4
    assert (np.diff(lattice.splat.T.tocsr().indptr) == dims + 1).all()


def test_neighbours_are_neighbours_of_each_other() -> None:
    lattice = Lattice.of(np.random.default_rng(2).normal(0, 2, (500, 3)))
    corners = lattice.splat.shape[0]
    assert lattice.neighbours.shape == (4, 2, corners)
    for ahead, behind in lattice.neighbours:
        there = ahead < corners
        assert there.any()
        assert np.array_equal(behind[ahead[there]], np.flatnonzero(there))


def test_places_far_apart_have_nothing_to_do_with_each_other() -> None:
    """With coordinates whose keys do not fit into 64 bits."""
    features = picture(10, 13)
    values = np.random.default_rng(3).random((len(features), 2), np.float32)
    both = Lattice.of(np.concatenate([features, features + 1e5]))(np.concatenate([values, 0 * values]))
    assert (both[: len(features)] > 0).all()
    assert (both[len(features) :] == 0).all()


def test_filtering_is_linear_and_in_single_precision() -> None:
    features = picture(10, 13)
    lattice, values = Lattice.of(features), np.random.default_rng(4).random((len(features), 2), np.float32)
    assert lattice(values).dtype == lattice.splat.dtype == np.float32
    np.testing.assert_allclose(lattice(values).sum(axis=1), lattice(values.sum(axis=1, keepdims=True))[:, 0], rtol=1e-4)
