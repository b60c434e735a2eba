from math import hypot, nan

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from segmentation.errors import UserError
from segmentation.metrics.boundary import BoundaryCounts, boundary_scores

VOID = 255


def logits_of(labels: np.ndarray, num_classes: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.from_numpy(labels).long(), num_classes).movedim(-1, 1).float()


def counted(predicted: np.ndarray, true: np.ndarray, classes: int, width: float, tolerance: float) -> np.ndarray:
    """Of one image: `[C, 6]`."""
    counter = BoundaryCounts(VOID, width, tolerance)
    return counter(logits_of(predicted[None], classes), torch.from_numpy(true[None])).numpy()[0]


def blobs(seed: int, classes: int, height: int = 23, width: int = 31) -> np.ndarray:
    field = np.random.default_rng(seed).normal(size=(height // 4 + 1, width // 4 + 1, classes)).astype(np.float32)
    return np.stack([cv2.resize(field[..., index], (width, height)) for index in range(classes)]).argmax(axis=0)


def square(left: int, top: int = 5, side: int = 10, size: int = 20) -> np.ndarray:
    labels = np.zeros((size, size), np.int64)
    labels[top : top + side, left : left + side] = 1
    return labels


def has_other(labels: np.ndarray, own: int, row: int, column: int, reach: int) -> bool:
    """Brute force: another class that is not void within `reach`."""
    around = labels[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
    return bool(((around != own) & (around != VOID)).any())


def at_edge(labels: np.ndarray, row: int, column: int, reach: int) -> bool:
    height, width = labels.shape
    return min(row, column, height - 1 - row, width - 1 - column) < reach


def by_brute_force(predicted: np.ndarray, true: np.ndarray, classes: int, reach: int, tolerance: float) -> np.ndarray:
    """The docstring of `BoundaryCounts`, pixel by pixel."""
    maps = [np.where(true == VOID, VOID, labels) for labels in (predicted, true)]
    rows = []
    for own in range(classes):
        places = [[(int(row), int(column)) for row, column in np.argwhere(labels == own)] for labels in maps]
        bands = [
            {place for place in of if has_other(labels, own, *place, reach) or at_edge(labels, *place, reach)}
            for labels, of in zip(maps, places, strict=True)
        ]
        contours = [
            {place for place in of if has_other(labels, own, *place, 1)}
            for labels, of in zip(maps, places, strict=True)
        ]
        matched = [
            sum(any(hypot(a - c, b - d) <= tolerance for c, d in theirs) for a, b in ours)
            for ours, theirs in (contours, contours[::-1])
        ]
        rows.append(
            [
                len(bands[0] & bands[1]),
                len(bands[0] | bands[1]),
                matched[0],
                len(contours[0]),
                matched[1],
                len(contours[1]),
            ]
        )
    return np.array(rows)


@pytest.mark.parametrize(("reach", "tolerance"), [(1, 1.0), (2, 1.5), (5, 3.7), (40, 60.0)])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_counts_are_those_of_brute_force(classes: int, reach: int, tolerance: float) -> None:
    for seed in range(3):
        predicted, true = blobs(seed, classes), blobs(seed + 100, classes)
        true[blobs(seed + 200, 3) == 0] = VOID
        expected = by_brute_force(predicted, true, classes, reach, tolerance)
        assert np.array_equal(counted(predicted, true, classes, reach, tolerance), expected)


def test_a_shifted_square_by_hand() -> None:
    """Bands of one pixel: 36 pixels each, of which 9 above and 9 below are in both."""
    counts = counted(square(6), square(5), 2, 1, 1)
    assert counts[1].tolist() == [18, 54, 36, 36, 36, 36]
    scores = boundary_scores(counts)
    assert scores.iou[1] == pytest.approx(1 / 3)
    assert (scores.precision[1], scores.recall[1], scores.f1[1]) == (1, 1, 1)


def test_a_square_shifted_beyond_the_tolerance_by_hand() -> None:
    """Shifted by 3: above and below 7 pixels of a contour lie on the other one and 1 beside it, and at one side 2."""
    counts = counted(square(8), square(5), 2, 1, 1)
    assert counts[1, 2:].tolist() == [2 * (7 + 1) + 2, 36, 2 * (7 + 1) + 2, 36]


def test_a_width_that_fills_the_square_is_the_iou_of_the_masks() -> None:
    assert boundary_scores(counted(square(6), square(5), 2, 5, 1)).iou[1] == pytest.approx(90 / 110)


def test_shares_of_the_diagonal() -> None:
    """The diagonal of 30 x 40 is 50: a tenth is 5 pixels; a share too small is one pixel."""
    predicted, true = blobs(0, 3, 30, 40), blobs(1, 3, 30, 40)
    assert np.array_equal(counted(predicted, true, 3, 0.1, 0.1), counted(predicted, true, 3, 5, 5))
    assert np.array_equal(counted(predicted, true, 3, 0.001, 0.001), counted(predicted, true, 3, 1, 1))


@pytest.mark.parametrize("width", [1, 3, 7])
def test_boundary_iou_as_the_paper_s_code_has_it(width: int) -> None:
    """A mask less its erosion by `width` passes of a 3 x 3 kernel, after a frame of zeros."""

    def band(mask: np.ndarray) -> np.ndarray:
        framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        return mask & (cv2.erode(framed, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1] == 0)

    predicted, true = blobs(3, 4, 60, 80), blobs(4, 4, 60, 80)
    scores = boundary_scores(counted(predicted, true, 4, width, 2))
    for index in range(4):
        ours, theirs = band(predicted == index), band(true == index)
        assert scores.iou[index] == (ours & theirs).sum() / (ours | theirs).sum()


def test_f1_from_distance_transforms() -> None:
    predicted, true = blobs(5, 3, 60, 80), blobs(6, 3, 60, 80)
    scores = boundary_scores(counted(predicted, true, 3, 2, 3.3))
    for index in range(3):
        ours, theirs = (
            (labels == index) & (cv2.erode((labels == index).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
            for labels in (predicted, true)
        )
        precision = (distance_transform_edt(~theirs)[ours] <= 3.3).mean()
        recall = (distance_transform_edt(~ours)[theirs] <= 3.3).mean()
        assert scores.f1[index] == pytest.approx(2 * precision * recall / (precision + recall))


def test_a_border_with_ignored_pixels_is_no_boundary() -> None:
    true = np.zeros((9, 9), np.int64)
    true[:, 4:] = VOID
    counts = counted(np.ones((9, 9), np.int64), true, 2, 2, 1)
    assert counts[:, 2:].sum() == 0
    assert counts[:, 1].tolist() == [9 * 4 - 5 * 2] * 2  # the band along the image's edge, in each map
    assert counts[:, 0].sum() == 0


def test_void_alone_and_absent_classes() -> None:
    counts = counted(blobs(0, 3), np.full((23, 31), VOID), 3, 2, 2)
    assert not counts.any()
    scores = boundary_scores(counts)
    assert np.isnan(np.stack(scores)).all()
    half = counted(np.zeros((20, 20), np.int64), square(5), 3, 2, 1)
    assert np.array_equal(boundary_scores(half).f1, [0, 0, nan], equal_nan=True)
    assert np.array_equal(boundary_scores(half).iou[1:], [0, nan], equal_nan=True)
    false_alarm = boundary_scores(counted(square(5), np.zeros((20, 20), np.int64), 3, 2, 1))
    assert np.array_equal(false_alarm.f1, [0, 0, nan], equal_nan=True)
    assert np.array_equal(false_alarm.recall, [nan, nan, nan], equal_nan=True)


def test_a_batch_is_its_samples_and_sums_give_scores() -> None:
    predicted, true = (np.stack([blobs(seed + place, 9) for place in range(3)]) for seed in (10, 20))
    true[:, :4] = VOID
    counter = BoundaryCounts(VOID, 3, 2.5)
    counts = counter({"out": logits_of(predicted, 9), "aux": torch.zeros(1)}, torch.from_numpy(true)).numpy()
    assert counts.shape == (3, 9, 6)
    assert counts.dtype == np.int64
    for place in range(3):
        assert np.array_equal(counts[place], counted(predicted[place], true[place], 9, 3, 2.5))
    weights = np.array([[1, 1, 1], [0, 2, 1]])
    resampled = boundary_scores(np.einsum("rn,nck->rck", weights, counts))
    assert np.allclose(resampled.iou[1], boundary_scores(2 * counts[1] + counts[2]).iou, equal_nan=True)


def test_one_logit_and_small_number_types() -> None:
    predicted, true = square(6), square(5)
    logit = torch.from_numpy(predicted)[None, None] * 2.0 - 1
    counts = BoundaryCounts(VOID, 2, 1)(logit.bfloat16(), torch.from_numpy(true.astype(np.uint8))[None])
    assert np.array_equal(counts[0].numpy(), counted(predicted, true, 2, 2, 1))


def test_values_that_are_no_class_are_ignored() -> None:
    void, other = blobs(1, 3), blobs(1, 3)
    void[:5], other[:5] = VOID, 7
    assert np.array_equal(counted(blobs(0, 3), void, 3, 2, 2), counted(blobs(0, 3), other, 3, 2, 2))


def test_nothing_waits_for_the_device() -> None:
    """A meta tensor raises on whatever would have to be read on the host."""
    counts = BoundaryCounts()(torch.randn(2, 19, 40, 50, device="meta"), torch.zeros(2, 40, 50, device="meta").byte())
    assert counts.shape == (2, 19, 6)


@pytest.mark.parametrize(("width", "tolerance"), [(0, 1), (2.5, 1), (-1, 1), (1, 0), (1, float("nan")), (nan, 1)])
def test_impossible_widths(width: float, tolerance: float) -> None:
    with pytest.raises(UserError, match=r"^boundary (width|tolerance)=.*pixels"):
        BoundaryCounts(VOID, width, tolerance)


def test_only_images_have_boundaries() -> None:
    with pytest.raises(UserError, match="images"):
        BoundaryCounts()(torch.randn(1, 3, 4), torch.zeros(1, 4).long())
