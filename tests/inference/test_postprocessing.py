"""Post-processing as a whole: the order of its steps, and what each of them leaves to the next."""

import numpy as np
import pytest

from segmentation.inference.crf import DenseCRF
from segmentation.inference.postprocessing import PostProcessing
from tests.inference.label_pictures import IGNORED, drawn, shown


def said(labels: np.ndarray, probability: float | np.ndarray = 0.8, num_classes: int = 3) -> np.ndarray:
    """Probabilities `[C, H, W]`: this one for the class in `labels`, the rest shared by the others."""
    other = (1 - np.asarray(probability)) / (num_classes - 1)
    return np.where(np.arange(num_classes)[:, None, None] == labels, probability, other).astype(np.float32)


PICTURE = drawn(
    "0000000000",
    "0111110000",
    "0100010020",
    "0102010000",
    "0100010000",
    "0111110000",
)


def test_with_nothing_chosen_it_is_the_likeliest_class() -> None:
    labels = PostProcessing()(said(PICTURE))
    assert np.array_equal(labels, PICTURE)
    assert labels.dtype == np.uint8


def test_holes_are_filled_before_specks_are_removed() -> None:
    """The hole of nine pixels holds a speck, which would be part of it; the other speck is left to the last step."""
    both = PostProcessing(fill_holes=(0, 9, 0), min_area=(0, 0, 2))
    assert shown(both(said(PICTURE))) == [
        "0000000000",
        "0111110000",
        "0111110000",
        "0111110000",
        "0111110000",
        "0111110000",
    ]
    assert shown(PostProcessing(fill_holes=(0, 8, 0))(said(PICTURE))) == shown(PICTURE)
    assert shown(PostProcessing(min_area=(0, 0, 2))(said(PICTURE)))[3] == "0100010000"


def test_opening_comes_before_closing_and_the_largest_area_is_of_what_they_leave() -> None:
    """A thread holds two blocks together: opened, they are two areas, and the larger one stays."""
    blocks = drawn(
        "000000000000",
        "011100000000",
        "011111111100",
        "011100011100",
        "011100001000",
        "000000000000",
    )
    opened = PostProcessing(opening=(0, 1, 0))
    assert shown(opened(said(blocks))) == [
        "000000000000",
        "001100000000",
        "011110001000",
        "011100011100",
        "001000001000",
        "000000000000",
    ]
    alone = shown(PostProcessing(opening=(0, 1, 0), largest=(1,))(said(blocks)))
    assert alone == [row[:5] + "0000000" for row in shown(opened(said(blocks)))]
    closed = PostProcessing(opening=(0, 1, 0), closing=(0, 5, 0))
    assert shown(closed(said(blocks)))[2] == "011111101000", "into the gap that is left, a disk reaches from above"
    assert shown(PostProcessing(largest=(1,))(said(blocks))) == shown(blocks)


def test_what_reaches_no_threshold_is_ignored_by_all_that_follows() -> None:
    labels = drawn("00000", "00100", "00000")
    unsure = np.full(labels.shape, 0.8)
    unsure[1, 1] = 0.5
    chosen = PostProcessing(thresholds=(0.6, 0.6, 0.6), min_area=(0, 2, 0))
    assert shown(chosen(said(labels, unsure))) == ["00000", "0x000", "00000"]
    assert shown(PostProcessing(thresholds=(0.6, 0.6, 0.6), otherwise=2)(said(labels, unsure)))[1] == "02100"


def test_pseudo_labels_ignore_what_is_unsure_and_what_tidying_changed() -> None:
    labels = drawn("000222", "010222", "000222")
    probability = np.full(labels.shape, 0.95)
    probability[0, 0] = 0.85
    probability[:, 5] = 0.85
    chosen = PostProcessing(confidence=(0.9, 0.9, 0.8))
    assert shown(chosen(said(labels, probability))) == ["x00222", "010222", "000222"]
    tidied = PostProcessing(confidence=(0.9, 0.9, 0.8), min_area=(0, 2, 0))
    assert shown(tidied(said(labels, probability))) == ["x00222", "0x0222", "000222"]


def test_strips_that_are_decided_one_by_one_are_tidied_together() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([1, 1, 1], (40, 30)).transpose(2, 0, 1).astype(np.float32)
    chosen = PostProcessing(
        thresholds=(0.5, 0.4, 0.4), opening=(1, 0, 0), fill_holes=(9, 9, 9), min_area=(5, 5, 5), confidence=(0.6,) * 3
    )
    strips = [chosen.decided(probabilities[:, start : start + 7]) for start in range(0, 40, 7)]
    labels, sure = (np.concatenate([strip[place] for strip in strips]) for place in (0, 1))
    expected = chosen(probabilities)
    assert np.array_equal(chosen.tidied(labels, sure), expected)
    assert {*np.unique(expected).tolist()} == {0, 1, 2, IGNORED}


def test_the_crf_comes_first_and_sees_the_image() -> None:
    labels = drawn("000111", "010111", "000111", "000111")
    image = np.where(labels[..., None] == 1, 200, 40).astype(np.uint8).repeat(3, axis=-1)
    image[1, 1] = 40
    probabilities = said(labels, 0.7)
    assert shown(PostProcessing(crf=DenseCRF(appearance_sigma=5))(probabilities, image))[1] == "000111"
    with pytest.raises(AssertionError, match="the image"):
        PostProcessing(crf=DenseCRF())(probabilities)


def test_masks_keep_an_ignore_index_of_their_own() -> None:
    assert PostProcessing(ignore_index=1000, otherwise=1000, confidence=(0.9,) * 3)(said(PICTURE)).tolist() == (
        np.full(PICTURE.shape, 1000).tolist()
    )
    confident = PostProcessing(ignore_index=3, otherwise=0, confidence=(0.9,) * 3)(said(PICTURE))
    assert (confident == 3).all()
