import numpy as np
import pytest

from segmentation.data.image.pixels import in_range, of_one_kind, with_channels
from segmentation.errors import UserError


def test_numbers_become_floats_up_to_one() -> None:
    assert in_range(np.array([0, 65535], np.uint16), None).tolist() == [0, 1]
    assert in_range(np.array([-9999, 0, 5000, 20000], np.int16), 10000).tolist() == [0, 0, 0.5, 1]
    assert in_range(np.array([0, 1.00001]), None).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (np.array([0.5, np.nan]), "no numbers"),
        (np.array([0.5, np.inf]), "no numbers"),
        (np.array([0, 3000.0]), "holds floats from 0 to 3000: set dataset.max_value"),
        (np.array([-0.25, 1]), "holds floats from -0.25 to 1: set dataset.max_value"),
        (np.array([-5, 7], np.int16), "holds numbers from -5 to 7: set dataset.max_value"),
    ],
)
def test_what_cannot_be_meant_is_told(stored: np.ndarray, told: str) -> None:
    with pytest.raises(UserError, match=told):
        in_range(stored, None)


def test_holes_are_told_with_a_largest_value_too() -> None:
    with pytest.raises(UserError, match="no numbers"):
        in_range(np.array([0.5, np.nan]), 10)


def test_other_bands_than_those_of_pictures_stay() -> None:
    image = np.zeros((2, 3, 5), np.uint8)
    assert with_channels(image, 3) is image
    assert with_channels(image[..., :4], 4).shape == (2, 3, 4)


def test_bytes_become_floats_where_there_are_floats() -> None:
    bytes_, floats = np.array([[[51]]], np.uint8), np.array([[[0.5]]], np.float32)
    assert [image.tolist() for image in of_one_kind([bytes_, floats])] == [[[[pytest.approx(0.2)]]], [[[0.5]]]]
    assert of_one_kind([bytes_, bytes_])[0] is bytes_
