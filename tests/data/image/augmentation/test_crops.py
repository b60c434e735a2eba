import numpy as np
import pytest

from segmentation.data.image.augmentation.crops import Crop, class_in, crop_with_class, padded, random_crop

SIZE, WINDOW = (9, 12), (4, 5)


def pair(size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Every pixel of the mask is its place, and the image says the same three times."""
    mask = np.arange(size[0] * size[1], dtype=np.uint8).reshape(size)
    return mask[..., None].repeat(3, axis=2), mask


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_what_is_missing_is_added_below_and_to_the_right() -> None:
    image, mask = padded(np.full((2, 3, 1), 9, np.uint8), np.full((2, 3), 4, np.uint8), (3, 2), 255)
    assert mask.tolist() == [[4, 4, 4], [4, 4, 4], [255, 255, 255]]
    assert image[..., 0].tolist() == [[9, 9, 9], [9, 9, 9], [0, 0, 0]]
    floats = np.ones((1, 1, 5), np.float32)
    assert padded(floats, np.zeros((1, 1), np.uint8), (2, 2), 255)[0].dtype == np.float32


def test_windows_come_from_everywhere_with_image_and_mask_in_one_place() -> None:
    starts = set()
    for seed in range(400):
        image, mask = random_crop(pair(), WINDOW, 255, rng(seed))
        assert mask.shape == WINDOW
        np.testing.assert_array_equal(image[..., 0], mask)
        np.testing.assert_array_equal(mask - mask[0, 0], pair()[1][:4, :5])
        starts.add(int(mask[0, 0]))
    assert starts == {row * 12 + column for row in range(6) for column in range(8)}


def test_a_smaller_image_is_padded_with_ignored_pixels() -> None:
    image, mask = random_crop(pair((2, 3)), WINDOW, 255, rng())
    assert mask.tolist() == [[0, 1, 2, 255, 255], [3, 4, 5, 255, 255], [255] * 5, [255] * 5]
    assert image[3, 4].tolist() == [0, 0, 0]


def test_a_window_of_the_images_size_is_the_image() -> None:
    np.testing.assert_array_equal(random_crop(pair(), SIZE, 255, rng())[1], pair()[1])


def test_the_class_is_in_the_window_wherever_it_lies() -> None:
    for place in range(9 * 12):
        mask = np.zeros(SIZE, np.uint8)
        mask.flat[place] = 2
        image = mask[..., None].repeat(3, axis=2)
        new_image, new_mask = crop_with_class((image, mask), WINDOW, 2, 255, rng(place))
        assert new_mask.shape == WINDOW
        assert (new_mask == 2).sum() == (new_image[..., 0] == 2).sum() == 1


def test_where_in_the_window_the_class_lies_is_random() -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[4, 6] = 2
    windows = (crop_with_class((mask[..., None], mask), WINDOW, 2, 255, rng(seed))[1] for seed in range(300))
    assert {int(window.argmax()) for window in windows} == set(range(20))


def test_every_pixel_of_the_class_may_be_the_one() -> None:
    mask = np.zeros((1, 40), np.uint8)
    mask[0, [3, 30]] = 2
    windows = [crop_with_class((mask[..., None], mask), (1, 5), 2, 255, rng(seed)) for seed in range(40)]
    assert all((window == 2).sum() == 1 for _, window in windows)


def test_the_class_is_held_in_an_image_smaller_than_the_window() -> None:
    mask = np.zeros((3, 3), np.uint8)
    mask[2, 2] = 2
    made = crop_with_class((mask[..., None], mask), (5, 2), 2, 255, rng())[1]
    assert made.shape == (5, 2)
    assert (made == 2).sum() == 1
    assert (made == 255).sum() == 4


def test_classes_are_chosen_among_those_that_are_there() -> None:
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    drawn = [class_in(mask, np.array([0, 1, 3, 96.0]), rng(seed)) for seed in range(400)]
    assert set(drawn) == {1, 2}
    assert drawn.count(2) / 400 == pytest.approx(0.75, abs=0.06)
    assert class_in(np.full((2, 2), 255, np.uint8), np.ones(4), rng()) is None
    assert class_in(mask, np.array([0, 0, 0, 1.0]), rng()) is None


def test_sizes_of_a_configuration_become_plain() -> None:
    assert Crop([256, 320]).size == (256, 320)  # type: ignore[arg-type]
    assert Crop().size is None
