import doctest
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from segmentation.inference import windows
from segmentation.inference.windows import Window, mirrored, spans, strips, tile_starts
from tests.conftest import ROOT


def test_the_examples_are_true() -> None:
    result = doctest.testmod(windows)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.87])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 31, 32, 100])
def test_tiles_cover_every_pixel_within_the_axis_and_overlap_enough(length: int, overlap: float) -> None:
    tile = 8
    starts = tile_starts(length, tile, overlap)
    covered = np.zeros(max(length, tile), int)
    for start in starts:
        covered[start : start + tile] += 1
    assert covered.min() >= 1
    assert starts == sorted(set(starts))
    assert starts[-1] + tile == max(length, tile), "the last tile ends where the axis does"
    shared = [tile - (after - before) for before, after in pairwise(starts)]
    assert all(common >= overlap * tile - 1e-9 for common in shared)


@pytest.mark.parametrize("length", [5, 8, 13, 50])
def test_the_weights_over_a_pixel_add_up_to_1_and_are_largest_in_the_middle(length: int) -> None:
    tile = 8
    total = np.zeros(max(length, tile))
    for span in spans(length, tile, overlap=0.5):
        total[span.pixels] += span.weights
        assert (span.weights > 0).all()
    np.testing.assert_allclose(total, 1, rtol=1e-6)
    left, right = spans(12, tile, overlap=0.5)
    assert left.weights[:4].tolist() == [1, 1, 1, 1], "where there is only this tile"
    assert (np.diff(left.weights[4:]) < 0).all(), "less and less towards the edge of the tile"
    np.testing.assert_allclose(left.weights[4:], right.weights[3::-1], rtol=1e-6)
    sigma = 1.0  # an eighth of 8
    ours, theirs = np.exp(-(0.5**2) / 2 / sigma**2), np.exp(-(3.5**2) / 2 / sigma**2)
    assert left.weights[4] == pytest.approx(ours / (ours + theirs))


def test_a_mirror_does_not_repeat_the_edge() -> None:
    assert mirrored(3, 6).tolist() == [0, 1, 2, 1, 0, 1]
    assert mirrored(1, 3).tolist() == [0, 0, 0]
    assert mirrored(5, 3).tolist() == [0, 1, 2, 3, 4]


def weighted(image: np.ndarray, seen: list[int] | None = None):  # type: ignore[no-untyped-def]
    def score(chosen: Sequence[Window]) -> np.ndarray:
        if seen is not None:
            seen.append(len(chosen))
        return np.stack([window.of(image) * window.weights for window in chosen])

    return score


@pytest.mark.parametrize("size", [(8, 8), (9, 21), (20, 8), (33, 17)])
@pytest.mark.parametrize("at_once", [1, 3])
def test_strips_are_the_picture_from_top_to_bottom(size: tuple[int, int], at_once: int) -> None:
    image = np.random.default_rng(0).normal(size=(2, *size)).astype(np.float32)
    seen: list[int] = []
    given = list(strips(weighted(image, seen), size, (8, 8), 0.5, at_once))
    np.testing.assert_allclose(np.concatenate(given, axis=1), image, rtol=1e-5, atol=1e-6)
    assert max(seen) <= at_once
    starts = [*tile_starts(size[0], 8, 0.5), size[0]]
    assert [strip.shape[1] for strip in given] == np.diff(starts).tolist(), "rows are given as soon as they are done"


def test_a_picture_smaller_than_a_tile_is_cut_back() -> None:
    image = np.arange(15, dtype=np.float32).reshape(1, 3, 5)
    shown = image[:, mirrored(3, 4)[:, None], mirrored(5, 8)]
    (strip,) = strips(weighted(shown), (3, 5), (4, 8), 0.5, 2)
    assert np.array_equal(strip, image)


def test_where_tiles_disagree_the_nearer_middle_counts_more() -> None:
    def score(chosen: Sequence[Window]) -> np.ndarray:
        return np.stack([np.full((1, 8, 8), window.columns.start) * window.weights for window in chosen])

    (strip,) = strips(score, (8, 12), (8, 8), 0.5, 1)
    assert (strip[0, :, :4] == 0).all()
    assert (strip[0, :, 8:] == 4).all()
    assert (np.diff(strip[0, 0, 3:9]) > 0).all()


def test_it_needs_no_pytorch() -> None:
    blocked = "import sys; sys.modules['torch'] = None; import segmentation.inference.windows"
    subprocess.run([sys.executable, "-c", blocked], cwd=ROOT, check=True)
