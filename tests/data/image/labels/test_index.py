from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segmentation.classes import Classes
from segmentation.data.image.files import read_indices
from segmentation.data.image.labels.index import BinaryDecoder, IndexDecoder, reaches
from segmentation.errors import UserError

THREE = Classes.from_entries(["a", "b", "c"])
TWO = Classes.from_entries(["intact", "defect"])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_numbers_are_ids_and_others_are_ignored(dtype: type[np.generic]) -> None:
    stored = np.array([[0, 1, 2], [3, 255, 2]]).astype(dtype)
    decode = IndexDecoder(THREE)
    ids = decode(stored)
    assert ids.dtype == np.uint8
    assert ids.tolist() == [[0, 1, 2], [255, 255, 2]]
    assert decode.unknown(stored, ids) == {(3,): 1}


def test_numbers_beyond_16_bits_and_below_zero_are_unknown() -> None:
    stored = np.array([[-1, 0, 65535, 65536, 2**40, -65536]])
    decode = IndexDecoder(THREE)
    ids = decode(stored)
    assert ids.tolist() == [[255, 0, 255, 255, 255, 255]]
    assert decode.unknown(stored, ids) == {(-65536,): 1, (-1,): 1, (65535,): 1, (65536,): 1, (2**40,): 1}


def test_remapped_numbers_are_all_that_are_known() -> None:
    decode = IndexDecoder(THREE, ((7, 0), (1000, 2), (0, 255)))
    stored = np.array([[7, 1000, 0, 1, 255]], np.uint16)
    ids = decode(stored)
    assert ids.tolist() == [[0, 2, 255, 255, 255]]
    assert decode.unknown(stored, ids) == {(1,): 1}


def test_the_ignore_index_may_be_remapped_to_a_class() -> None:
    decode = IndexDecoder(TWO, ((0, 0), (255, 1)))
    assert decode(np.array([[0, 255]], np.uint8)).tolist() == [[0, 1]]


def test_channels_that_are_equal_are_one_number() -> None:
    stored = np.array([[0, 2]], np.uint8)
    assert IndexDecoder(THREE)(np.dstack([stored] * 3)).tolist() == [[0, 2]]
    assert IndexDecoder(THREE)(np.dstack([stored] * 3 + [np.full_like(stored, 255)])).tolist() == [[0, 2]]
    assert IndexDecoder(THREE)(stored[..., None]).tolist() == [[0, 2]]
    assert IndexDecoder(THREE)(stored == 2).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        (np.arange(12, dtype=np.uint8).reshape(2, 2, 3), "a mask of 2x2x3 uint8"),
        (np.arange(16, dtype=np.uint8).reshape(2, 2, 4), "a mask of 2x2x4 uint8"),
        (np.zeros((2, 2), np.float32), "a mask of 2x2 float32"),
        (np.zeros((1, 2, 2, 3), np.uint8), "a mask of 1x2x2x3 uint8"),
    ],
)
def test_a_mask_of_more_than_a_number_a_pixel_is_told(stored: np.ndarray, named: str) -> None:
    with pytest.raises(UserError, match=rf"^{named}: .*mask_format=palette .*labels_format=palette\)$"):
        IndexDecoder(THREE)(stored)


def test_a_png_with_a_palette_gives_its_numbers(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[2, 0, 1]], np.uint8), mode="P")
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.save(tmp_path / "a.png")
    assert IndexDecoder.of_indices
    assert IndexDecoder(THREE)(read_indices(tmp_path / "a.png")).tolist() == [[2, 0, 1]]


def test_a_png_of_16_bits_gives_its_numbers(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[300, 1]], np.uint16))
    assert IndexDecoder(THREE, ((300, 2), (1, 0)))(read_indices(tmp_path / "a.png")).tolist() == [[2, 0]]


def test_the_object_is_at_the_threshold_and_above() -> None:
    stored = np.array([[0, 127, 128, 255]], np.uint8)
    assert BinaryDecoder(TWO)(stored).tolist() == [[0, 0, 1, 1]]
    assert BinaryDecoder(TWO, threshold=1)(stored).tolist() == [[0, 1, 1, 1]]
    assert BinaryDecoder(TWO)(stored).dtype == np.uint8
    assert BinaryDecoder(TWO).unknown(stored, stored) == {}


def test_the_brightest_colour_counts_and_transparency_does_not() -> None:
    red, clear = [0, 0, 255, 0], [0, 0, 0, 255]  # BGRA
    assert reaches(np.array([[red, clear]], np.uint8), 128).tolist() == [[True, False]]
    assert reaches(np.array([[True, False]]), 128).tolist() == [[True, False]]


def test_binary_masks_are_of_two_classes() -> None:
    with pytest.raises(UserError, match=r"mask_format=binary with 3 classes \(a, b, c\): expected two"):
        BinaryDecoder(THREE)


def test_ids_have_8_bits() -> None:
    with pytest.raises(UserError, match="ignore_index=300"):
        IndexDecoder(Classes.from_entries(["a", "b"], 300))
    with pytest.raises(UserError, match="ignore_index=300"):
        BinaryDecoder(Classes.from_entries(["a", "b"], 300))
