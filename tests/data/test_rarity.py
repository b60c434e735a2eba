import numpy as np
import pytest

from segmentation.data.rarity import class_balanced_chances, named_class_chances, rare_class_chances
from segmentation.errors import UserError


def test_the_rarer_a_class_the_more_chances() -> None:
    """Shares 0.95, 0.03, 0.02 and none: exp of the distance to the rarest in hundredths; the first is too common."""
    chances = rare_class_chances(np.array([[900, 30, 0, 0], [1000, 30, 40, 0]]))
    assert chances == pytest.approx([0, np.exp(-1), 1, 0])


def test_of_two_classes_the_smaller_is_rare() -> None:
    assert rare_class_chances(np.array([[9_000, 1_000]])).tolist() == [0, 1]
    assert rare_class_chances(np.array([[500, 500]])).tolist() == [1, 1]


def test_without_pixels_nothing_is_rare() -> None:
    assert rare_class_chances(np.zeros((3, 2), int)).tolist() == [0, 0]


def test_named_classes_have_equal_chances() -> None:
    assert named_class_chances(["pole", "sign"], ["road", "sign", "pole"]).tolist() == [0, 1, 1]


def test_a_name_that_is_no_class_is_told() -> None:
    with pytest.raises(UserError, match=r"^augmentation\.rare_classes names pol, .*did you mean pole\?$"):
        named_class_chances(["pol"], ["road", "pole"])


def test_every_class_is_met_equally_often() -> None:
    """Class 0 is in all three samples, class 1 in the last alone, class 2 nowhere: 1/2 * (1/3) and 1/2 * (1/3 + 1)."""
    counts = np.array([[10, 0, 0], [500, 0, 0], [10, 1, 0]])
    assert class_balanced_chances(counts).tolist() == pytest.approx([1 / 6, 1 / 6, 4 / 6])


def test_samples_without_a_class_come_as_well() -> None:
    chances = class_balanced_chances(np.array([[10, 0], [10, 0], [0, 0], [0, 0]]))
    assert chances.tolist() == pytest.approx([1 / 4] * 4)
