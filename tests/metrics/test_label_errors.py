"""Regions where a confident prediction contradicts the label, by hand on small pictures."""

import math

import numpy as np
import pytest

from segmentation.metrics.label_errors import EDGE, Region, contradicting_regions, ranked

IGNORED = 255


def said(labels: np.ndarray, probability: float = 0.8, num_classes: int = 3) -> np.ndarray:
    """Probabilities `[C, H, W]`: this one for the class in `labels`, the rest shared by the others."""
    other = (1 - probability) / (num_classes - 1)
    return np.where(np.arange(num_classes)[:, None, None] == labels, probability, other).astype(np.float32)


def road_with(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """20 x 30 pixels of class 0 with boxes (class, x, y, width, height)."""
    labels = np.zeros((20, 30), np.uint8)
    for index, x, y, width, height in boxes:
        labels[y : y + height, x : x + width] = index
    return labels


def test_a_region_has_its_box_its_classes_and_its_confidence() -> None:
    (region,) = contradicting_regions(said(road_with((2, 4, 3, 10, 6))), road_with(), IGNORED, min_pixels=1)
    assert (region.x, region.y, region.width, region.height, region.pixels) == (4, 3, 10, 6, 60)
    assert (region.label, region.prediction) == (0, 2)
    assert region.confidence == pytest.approx(0.8 - 0.1)


def test_the_weight_is_the_trust_away_from_the_edge() -> None:
    """Within 0.005 * hypot(20, 30) = 0.18 pixels of the edge there is nothing; in an image ten times as large, within
    1.8: the outermost pixels, whose distance is 1.
    """
    small, large = road_with((2, 4, 3, 10, 6)), np.zeros((200, 300), np.uint8)
    large[3:9, 4:14] = 2
    (whole,) = contradicting_regions(said(small), np.zeros_like(small), IGNORED, min_pixels=1)
    (inner,) = contradicting_regions(said(large), np.zeros_like(large), IGNORED, min_pixels=1)
    assert EDGE * math.hypot(200, 300) == pytest.approx(1.8, abs=0.01)
    assert whole.weight == pytest.approx(60 * 0.7)
    assert inner.weight == pytest.approx(8 * 4 * 0.7)


def test_the_border_of_the_image_is_no_edge_and_a_band_weighs_nothing() -> None:
    corner, band = np.zeros((200, 300), np.uint8), np.zeros((200, 300), np.uint8)
    corner[:6, :10] = 2
    band[50:52, 20:120] = 2
    (at_corner,) = contradicting_regions(said(corner), np.zeros_like(corner), IGNORED, min_pixels=1)
    assert at_corner.weight == pytest.approx(9 * 5 * 0.7)
    (thin,) = contradicting_regions(said(band), np.zeros_like(band), IGNORED)
    assert (thin.pixels, thin.weight) == (200, 0)


def test_regions_are_of_one_label_and_one_prediction() -> None:
    """Two boxes side by side, said to be 1 and 2, over the labels 0 and 1: three contradictions, one agreement."""
    prediction = road_with((1, 4, 4, 6, 8), (2, 10, 4, 6, 8))
    truth = road_with((1, 4, 8, 12, 4))
    found = contradicting_regions(said(prediction), truth, IGNORED, min_pixels=1)
    assert sorted((region.label, region.prediction, region.x, region.y, region.pixels) for region in found) == [
        (0, 1, 4, 4, 24),
        (0, 2, 10, 4, 24),
        (1, 2, 10, 8, 24),
    ]


def test_what_is_apart_is_two_regions_and_corners_touch() -> None:
    apart = contradicting_regions(said(road_with((1, 2, 2, 3, 3), (1, 9, 9, 3, 3))), road_with(), IGNORED, 1)
    touching = contradicting_regions(said(road_with((1, 2, 2, 3, 3), (1, 5, 5, 3, 3))), road_with(), IGNORED, 1)
    assert [region.pixels for region in apart] == [9, 9]
    assert [region.pixels for region in touching] == [18]


@pytest.mark.parametrize("ignored", [255, 3, 200])
def test_what_is_ignored_or_no_class_contradicts_nothing(ignored: int) -> None:
    truth = np.full((20, 30), ignored, np.uint8)
    assert contradicting_regions(said(road_with((1, 2, 2, 9, 9))), truth, IGNORED, min_pixels=1) == []


def test_small_regions_are_left_out() -> None:
    prediction = road_with((1, 2, 2, 3, 3), (1, 9, 9, 4, 4))
    found = contradicting_regions(said(prediction), road_with(), IGNORED, min_pixels=10)
    assert [region.pixels for region in found] == [16]


def region_of(label: int, prediction: int, weight: float) -> Region:
    return Region(0, 0, 10, 10, 100, label, prediction, 0.5, weight)


def test_a_rare_confusion_goes_before_a_larger_one_that_is_everywhere() -> None:
    """Of 4 images all confuse 0 with 1, one confuses 1 with 2."""
    regions = {f"image_{place}": [region_of(0, 1, 100)] for place in range(4)}
    regions["image_2"].append(region_of(1, 2, 40))
    first, second = ranked(regions)[:2]
    assert (first.key, first.region.label) == ("image_2", 1)
    assert first.score == pytest.approx(40 * math.log(5 / 1.5))
    assert second.score == pytest.approx(100 * math.log(5 / 4.5))


def test_in_a_single_image_weight_alone_decides() -> None:
    suspects = ranked({"image": [region_of(0, 1, 3), region_of(1, 2, 7), region_of(0, 2, 5)]})
    assert [suspect.region.weight for suspect in suspects] == [7, 5, 3]
    assert all(suspect.score > 0 for suspect in suspects)


def test_several_regions_of_one_image_count_it_once() -> None:
    suspects = ranked({"a": [region_of(0, 1, 1), region_of(0, 1, 1)], "b": []})
    assert [suspect.score for suspect in suspects] == [pytest.approx(math.log(3 / 1.5))] * 2
