"""An image of 4 x 8 pixels is drawn 200 x 400: each pixel is a block of 50."""

import numpy as np
import pytest
import torch

from segmentation.classes import Classes, Color
from segmentation.data.batch import Batch
from segmentation.data.image.draw import LARGEST, OUTLINE, ImageDrawing, thinned
from segmentation.data.image.pixels import as_rgb
from segmentation.data.legend import BACKGROUND, IGNORED, MARGIN, TEXT_SIZE, WRONG
from segmentation.data.panels import PANEL_WIDTH, SHORTEST_SIDE, TALLEST, TITLE_WIDTH

CLASSES = Classes(("road", "car", "person", "plant"), ((128, 64, 128), (0, 0, 142), (220, 20, 60), (107, 142, 35)))
ROAD, CAR, PERSON, PLANT = CLASSES.colors
PIXEL: Color = (100, 150, 50)
GREY = (299 * 100 + 587 * 150 + 114 * 50) / 1000
TOP = TEXT_SIZE + MARGIN
TARGET = np.array([[0, 0, 1, 1, 255, 255, 0, 0]] * 4, np.uint8)
LABELS = np.array([[0, 1, 1, 0, 0, 1, 0, 0]] * 4, np.uint8)


def batch_of(target: np.ndarray = TARGET, keys: tuple[str, ...] = ("a/b",), size: tuple[int, int] = (4, 8)) -> Batch:
    inputs = torch.tensor(PIXEL, dtype=torch.uint8).view(1, 3, 1, 1).expand(len(keys), 3, *size)
    return Batch(inputs, torch.from_numpy(target).expand(len(keys), *target.shape), keys)


def logits_of(labels: np.ndarray, classes: int = len(CLASSES)) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.from_numpy(labels).long(), classes).movedim(-1, 0)[None].float()


def picture_of(batch: Batch, outputs: torch.Tensor | dict[str, torch.Tensor] | None = None) -> np.ndarray:
    ((_, picture),) = ImageDrawing(CLASSES)(batch, outputs)
    return picture


def panel(picture: np.ndarray, place: int, height: int = 200) -> np.ndarray:
    left = MARGIN + place * (PANEL_WIDTH + MARGIN)
    return picture[TOP : TOP + height, left : left + PANEL_WIDTH]


def blocks(picture: np.ndarray, place: int) -> list[tuple[int, int, int]]:
    """The colours at the middle of the eight blocks of a panel's second row; every block is of one colour."""
    shown = panel(picture, place)
    cells = shown.reshape(4, 50, 8, 50, 3).swapaxes(1, 2)
    assert (cells == cells[:, :, :1, :1]).all()
    return [(int(red), int(green), int(blue)) for red, green, blue in cells[1, :, 25, 25]]


def colors_in(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(color) for color in np.unique(picture.reshape(-1, 3), axis=0).tolist()}


def legend(picture: np.ndarray, height: int = 200) -> np.ndarray:
    return picture[TOP + height + MARGIN :]


def test_image_truth_prediction_and_errors_are_side_by_side() -> None:
    picture = picture_of(batch_of(), logits_of(LABELS))
    assert picture.dtype == np.uint8
    assert picture.shape[1:] == (MARGIN + 4 * (PANEL_WIDTH + MARGIN), 3)
    assert picture.shape[0] > TOP + 200 + MARGIN
    assert blocks(picture, 0) == [PIXEL] * 8
    assert blocks(picture, 1) == [ROAD, ROAD, CAR, CAR, IGNORED, IGNORED, ROAD, ROAD]
    assert blocks(picture, 2) == [ROAD, CAR, CAR, ROAD, ROAD, CAR, ROAD, ROAD]


def test_errors_are_red_ignored_pixels_white_and_all_else_pale_grey() -> None:
    shown = blocks(picture_of(batch_of(), logits_of(LABELS)), 3)
    assert [shown[place] for place in (1, 3)] == [WRONG, WRONG]
    assert [shown[place] for place in (4, 5)] == [IGNORED, IGNORED]
    for place in (0, 2, 6, 7):
        assert shown[place] == pytest.approx([0.5 * GREY + 0.35 * 255] * 3, abs=1)


def test_without_outputs_the_truth_lies_over_the_image() -> None:
    picture = picture_of(batch_of())
    assert picture.shape[1] == MARGIN + 3 * (PANEL_WIDTH + MARGIN)
    assert blocks(picture, 0) == [PIXEL] * 8
    assert blocks(picture, 1)[2:5] == [CAR, CAR, IGNORED]
    for shown, truth in zip(blocks(picture, 2), blocks(picture, 1), strict=True):
        mean = [(a + b) / 2 for a, b in zip(PIXEL, truth, strict=True)]
        assert shown == (IGNORED if truth == IGNORED else pytest.approx(mean, abs=1))


def test_between_the_panels_is_background() -> None:
    picture = picture_of(batch_of(), logits_of(LABELS))
    for place in range(5):
        left = place * (PANEL_WIDTH + MARGIN)
        assert colors_in(picture[TOP:, left : left + MARGIN]) == {BACKGROUND}


def test_the_legend_shows_the_classes_that_occur() -> None:
    shown = colors_in(legend(picture_of(batch_of(), logits_of(LABELS))))
    assert {ROAD, CAR, IGNORED, WRONG} <= shown
    assert not {PERSON, PLANT} & shown


def test_the_legend_shows_what_is_predicted_though_it_is_not_there() -> None:
    assert PERSON in colors_in(legend(picture_of(batch_of(), logits_of(np.full_like(LABELS, 2)))))


def test_the_legend_names_neither_errors_nor_ignored_pixels_where_there_are_none() -> None:
    shown = colors_in(legend(picture_of(batch_of(np.zeros((4, 8), np.uint8)))))
    assert ROAD in shown
    assert not {WRONG, IGNORED} & shown


def test_a_long_legend_takes_more_rows() -> None:
    colors = tuple((index, 200 - index, 2 * index) for index in range(60))
    classes = Classes(tuple(f"a class with a long name {index}" for index in range(60)), colors)
    target = np.arange(60, dtype=np.uint8).reshape(6, 10)
    ((_, picture),) = ImageDrawing(classes)(batch_of(target, size=(6, 10)))
    assert picture.shape[1] == MARGIN + 3 * (PANEL_WIDTH + MARGIN)
    assert set(colors) <= colors_in(legend(picture, height=240))


def test_each_sample_of_a_batch_is_drawn_under_its_key() -> None:
    batch = batch_of(keys=("Video_000/a", "Video_001/b"))
    labels = torch.cat([logits_of(LABELS), logits_of(np.full_like(LABELS, 1))])
    pictures = dict(ImageDrawing(CLASSES)(batch, labels))
    assert list(pictures) == ["Video_000/a", "Video_001/b"]
    assert blocks(pictures["Video_000/a"], 2)[:2] == [ROAD, CAR]
    assert blocks(pictures["Video_001/b"], 2)[:2] == [CAR, CAR]


def test_outputs_with_auxiliary_heads() -> None:
    outputs = {"out": logits_of(LABELS), "aux": logits_of(np.full_like(LABELS, 3))}
    np.testing.assert_array_equal(picture_of(batch_of(), outputs), picture_of(batch_of(), logits_of(LABELS)))


def test_all_is_drawn_at_the_size_of_the_mask() -> None:
    """The model saw a smaller image and answered at its size."""
    small = logits_of(np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.uint8))
    target = np.array([[0, 0, 0, 0, 1, 1, 1, 255]] * 4, np.uint8)
    picture = picture_of(batch_of(target, size=(2, 4)), small)
    assert blocks(picture, 0) == [PIXEL] * 8
    assert blocks(picture, 2) == [ROAD] * 4 + [CAR] * 4
    assert WRONG not in blocks(picture, 3)
    assert blocks(picture, 3)[7] == IGNORED


def test_targets_on_their_way_to_the_loss_are_drawn_too() -> None:
    moved = batch_of().to(torch.device("cpu"))
    np.testing.assert_array_equal(picture_of(moved, logits_of(LABELS)), picture_of(batch_of(), logits_of(LABELS)))


@pytest.mark.parametrize(
    ("size", "panel_size"),
    [
        ((1, 300), (SHORTEST_SIDE, PANEL_WIDTH)),  # a sliver is stretched
        ((50, 100), (PANEL_WIDTH // 2, PANEL_WIDTH)),
        ((1247, 500), (TALLEST * PANEL_WIDTH, 321)),  # 800 * 500 / 1247
        ((4000, 100), (TALLEST * PANEL_WIDTH, SHORTEST_SIDE)),
    ],
)
def test_extreme_shapes(size: tuple[int, int], panel_size: tuple[int, int]) -> None:
    picture = picture_of(batch_of(np.zeros(size, np.uint8), size=size))
    height, width = panel_size
    column = max(width, TITLE_WIDTH)
    assert picture.shape[1] == MARGIN + 3 * (column + MARGIN)
    for place in range(3):
        left = MARGIN + place * (column + MARGIN)
        shown = picture[TOP : TOP + height, left : left + column]
        assert not (shown[:, :width] == BACKGROUND).all(axis=2).any()
        assert (shown[:, width:] == BACKGROUND).all()
    assert (picture[TOP + height : TOP + height + MARGIN] == BACKGROUND).all()


def test_samples_of_a_grid_keep_their_shapes() -> None:
    """Twice as wide as high and the other way round, in columns of 240 pixels."""
    wide, high = batch_of(np.zeros((4, 8), np.uint8)), batch_of(np.zeros((8, 4), np.uint8), size=(8, 4))
    picture = ImageDrawing(CLASSES).grid([wide, high])
    for place, height in enumerate((120, 120, 480, 480)):
        column = picture[TOP : TOP + 480, MARGIN + place * (240 + MARGIN) :][:, :240]
        assert not (column[:height] == BACKGROUND).all(axis=2).any()
        assert (column[height:] == BACKGROUND).all()


@pytest.mark.parametrize(
    ("size", "step"), [((10, LARGEST), 1), ((10, LARGEST + 1), 2), ((2 * LARGEST, 6), 2), ((3, 2 * LARGEST + 1), 3)]
)
def test_large_pictures_are_thinned(size: tuple[int, int], step: int) -> None:
    pixels = torch.arange(size[0] * size[1]).view(1, *size)
    thin = thinned(pixels)
    assert max(thin.shape) <= LARGEST
    assert thin[0, 0, :3].tolist() == [0, step, 2 * step]
    assert thin[0, :, 0].tolist() == list(range(0, size[0] * size[1], step * size[1]))


@pytest.mark.parametrize("image_size", [(4, 2 * LARGEST), (2, 8)])
def test_a_large_mask_is_drawn_with_what_was_predicted_there(image_size: tuple[int, int]) -> None:
    target = np.repeat(np.repeat(TARGET, LARGEST // 4, axis=1), LARGEST // 2, axis=0)
    picture = picture_of(batch_of(target, size=image_size), logits_of(LABELS))
    assert picture.shape[1] == MARGIN + 4 * (PANEL_WIDTH + MARGIN)
    middles = [(100, 25 + 50 * place) for place in range(8)]
    for place, expected in ((0, [PIXEL] * 8), (1, CLASSES.paint(TARGET, IGNORED)[1]), (2, CLASSES.paint(LABELS)[1])):
        shown = panel(picture, place, TALLEST * PANEL_WIDTH)
        assert [tuple(shown[at]) for at in middles] == [tuple(color) for color in expected]


@pytest.mark.parametrize(("bands", "shown"), [(1, (100, 100, 100)), (2, (100, 100, 100)), (4, PIXEL), (7, PIXEL)])
def test_the_first_three_bands_are_shown_or_the_first(bands: int, shown: Color) -> None:
    pixel = torch.tensor((*PIXEL, 3, 250, 9, 8), dtype=torch.uint8)[:bands]
    batch = Batch(pixel.view(1, bands, 1, 1).expand(1, bands, 4, 8), torch.from_numpy(TARGET)[None], ("a",))
    assert blocks(picture_of(batch), 0) == [shown] * 8
    assert len(blocks(picture_of(batch, logits_of(LABELS)), 3)) == 8


def test_floats_are_spread_over_the_range() -> None:
    """100 values from 0.1 to 0.298 in steps of 0.002: the 3rd from below is black, the 3rd from above is white."""
    values = 0.1 + 0.002 * np.arange(100, dtype=np.float32)
    shown = as_rgb(np.repeat(values.reshape(10, 10, 1), 5, axis=2))
    assert shown.shape == (10, 10, 3)
    flat = shown[..., 0].ravel().astype(int)
    assert flat[:2].tolist() == [0, 0]
    assert flat[-2:].tolist() == [255, 255]
    assert flat[50] == pytest.approx(128, abs=2)
    assert (np.diff(flat) >= 0).all()


def test_floats_that_are_all_the_same_are_shown_as_they_are() -> None:
    assert as_rgb(np.full((2, 2, 1), 0.2, np.float32)).tolist() == [[[51] * 3] * 2] * 2


def test_a_mask_without_anything_to_learn() -> None:
    picture = picture_of(batch_of(np.full((4, 8), 255, np.uint8)), logits_of(LABELS))
    assert blocks(picture, 3) == [IGNORED] * 8


def test_a_detail_is_outlined_in_image_truth_and_prediction() -> None:
    """16 x 24 pixels, ten times as large in a column of 240: the outline of a box of 6 x 4 is on all three."""
    image, target = np.zeros((16, 24, 3), np.uint8), np.zeros((16, 24), np.uint8)
    labels, marked = np.ones_like(target), np.zeros(target.shape, bool)
    marked[5:9, 8:14] = True
    picture = ImageDrawing(CLASSES).detail(image, target, labels, marked)
    for place in range(3):
        left, top = MARGIN + place * (240 + MARGIN), TOP
        shown = picture[top : top + 160 : 10, left : left + 240 : 10]
        outlined = (shown == OUTLINE).all(axis=-1)
        expected = marked.copy()
        expected[6:8, 9:13] = False
        assert np.array_equal(outlined, expected)
        rest = (image, CLASSES.paint(target), CLASSES.paint(labels))[place]
        assert np.array_equal(shown[~expected], rest[~expected])
