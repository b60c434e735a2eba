import doctest
import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.inference import augmented as module
from segmentation.inference.augmented import View, augmented, mean_of, views
from segmentation.inference.prediction import Prediction
from segmentation.inference.tiling import tiled
from segmentation.inference.windows import Tiles
from segmentation.outputs import labels_from

ALL = views(["horizontal", "vertical"], [90, 180, 270])


def pictures(height: int = 5, width: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8, generator=generator)


def pointwise(num_classes: int) -> nn.Module:
    torch.manual_seed(1)
    layer = nn.Conv2d(3, num_classes, 1)

    class Pointwise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, pixels: Tensor) -> Tensor:
            logits: Tensor = self.layer(pixels / 64)
            return logits

    return Pointwise().requires_grad_(False)


def test_the_examples_are_true() -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_all_flips_and_turns_are_the_eight_symmetries_of_a_square() -> None:
    assert len(ALL) == 8
    image = torch.arange(6).reshape(1, 1, 2, 3)
    assert len({(tuple(view.of(image).shape), tuple(view.of(image).flatten().tolist())) for view in ALL}) == 8


def test_views_are_what_their_names_say() -> None:
    image = torch.tensor([[[[1, 2], [3, 4]]]])

    def second(*asked: list[str] | list[int]) -> list[list[int]]:
        return views(*asked)[1].of(image)[0, 0].tolist()  # type: ignore[arg-type]

    assert second(["horizontal"]) == [[2, 1], [4, 3]]
    assert second(["vertical"]) == [[3, 4], [1, 2]]
    assert second([], [90]) == [[2, 4], [1, 3]]
    assert second([], [180]) == [[4, 3], [2, 1]]
    assert second([], [270]) == [[3, 1], [4, 2]]


@pytest.mark.parametrize("view", ALL)
def test_undoing_a_view_is_exact(view: View) -> None:
    images = pictures()
    assert torch.equal(view.undo(view.of(images), images.shape[-2:]), images)


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.5])
def test_a_scaled_view_has_the_scaled_size_and_comes_back_at_the_image_s(scale: float) -> None:
    images = pictures(8, 12)
    shown = View(quarters=1, scale=scale).of(images)
    assert shown.shape == (2, 3, round(12 * scale), round(8 * scale))
    assert shown.dtype == torch.uint8
    assert View(quarters=1, scale=scale).undo(shown.float(), (8, 12)).shape == images.shape
    even = torch.full((1, 3, 8, 12), 200, dtype=torch.uint8)
    view = View(flip=True, quarters=3, scale=scale)
    assert torch.equal(view.undo(view.of(even), (8, 12)), even.float())


def test_scaled_pixels_are_rounded_and_floating_point_ones_are_not() -> None:
    image = torch.tensor([[[[0, 1], [1, 1]]]], dtype=torch.uint8)
    assert View(scale=0.5).of(image).tolist() == [[[[1]]]], "of 0.75"
    assert View(scale=0.5).of(image.double()).tolist() == [[[[0.75]]]]
    assert View(scale=0.5).of(pictures() / 255).dtype == torch.float32


@pytest.mark.parametrize("num_classes", [1, 4])
def test_a_pointwise_model_says_the_same_of_every_view(num_classes: int) -> None:
    model, images = pointwise(num_classes), pictures()
    plain, mean = model(images), augmented(model, images, ALL)
    assert torch.equal(labels_from(mean), labels_from(plain))
    if num_classes == 1:
        torch.testing.assert_close(mean, plain, rtol=1e-4, atol=1e-5)
    else:
        torch.testing.assert_close(mean, plain.log_softmax(dim=1), rtol=1e-4, atol=1e-5)
        target = torch.randint(0, 4, (2, 5, 7))
        torch.testing.assert_close(F.cross_entropy(mean, target), F.cross_entropy(plain, target))


def test_probabilities_are_averaged() -> None:
    one, other = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.3, 0.7]])
    torch.testing.assert_close(mean_of([one.log(), other.log() + 5]).softmax(dim=1), torch.tensor([[0.6, 0.4]]))
    logits = [torch.tensor([[math.log(0.9 / 0.1)]]), torch.tensor([[math.log(0.3 / 0.7)]])]
    assert mean_of(logits).sigmoid().item() == pytest.approx(0.6)


def test_certainty_stays_finite_and_one_logit_keeps_what_is_beyond_rounding() -> None:
    certain = torch.tensor([[1000.0, -1000.0]])
    assert torch.isfinite(mean_of([certain, certain])).all()
    assert mean_of([torch.tensor([[30.0]])] * 2).item() == pytest.approx(30, rel=1e-5)


def test_a_model_that_only_knows_one_side_is_asked_from_both() -> None:
    def left_is_class_1(pixels: Tensor) -> Tensor:
        says = torch.zeros(len(pixels), 2, *pixels.shape[-2:])
        says[:, 1, :, : pixels.shape[-1] // 2] = 2.0
        return says

    mean = augmented(left_is_class_1, pictures(4, 6), views(["horizontal"])).softmax(dim=1)
    expected = (torch.tensor(2.0).sigmoid() + 0.5) / 2
    torch.testing.assert_close(mean[:, 1], expected.expand(2, 4, 6))


def test_a_prediction_is_the_model_in_tiles_of_every_view() -> None:
    torch.manual_seed(2)
    model, images = nn.Conv2d(3, 4, 3, padding=1).requires_grad_(False), pictures(20, 30) / 255
    tiles, some = Tiles((8, 12)), views(["horizontal"], [90], [0.5])
    assert torch.equal(Prediction(model, None, views())(images), model(images))
    assert torch.equal(Prediction(model, tiles, views())(images), tiled(model, images, tiles))
    both = augmented(partial(tiled, model, tiles=tiles), images, some)
    assert torch.equal(Prediction(model, tiles, some)(images), both)
    assert both.shape == (2, 4, 20, 30)
    assert not Prediction(model, None, some).eval().model.training
