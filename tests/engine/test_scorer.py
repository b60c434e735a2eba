from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from segmentation.classes import Classes
from segmentation.engine import memory
from segmentation.engine.memory import AsManyAsFit
from segmentation.engine.scorer import Member, TrainedScorer
from segmentation.errors import UserError
from segmentation.inference import scoring
from segmentation.inference.augmented import View, views
from segmentation.inference.tiling import tiled
from segmentation.inference.windows import Tiles
from segmentation.models.image.smp import smp_model
from segmentation.outputs import at_size_of, logits_from, probabilities_from
from segmentation.runtime.device import choose_precision
from tests.inference.pictures import Held, noise

CLASSES = Classes(("road", "car", "sky"), ((128, 64, 128), (0, 0, 142), (70, 130, 180)))
CPU = torch.device("cpu")


class Network(nn.Module):
    def __init__(self, reach: int = 2, seed: int = 1) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layer = nn.Conv2d(3, 3, 2 * reach + 1, padding=reach)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.layer(pixels / 64)
        return logits


def scorer_of(*members: Member, tiles: Tiles | None = None, views: Sequence[View] = (View(),)) -> TrainedScorer:
    precision, large = choose_precision("fp32", CPU), Tiles((16, 16))
    return TrainedScorer(members, CLASSES, CPU, precision, tiles or large, tiles is None, views)


def inputs_of(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None]


@pytest.mark.parametrize("size", [None, (20, 24)])
def test_a_whole_picture_is_asked_as_evaluation_asks_it(size: tuple[int, int] | None) -> None:
    model, picture = Network(), Held(noise(40, 60))
    scorer = scorer_of(Member(model, size))
    assert scorer.sizes == [size]
    (strip,) = scorer.strips(picture)
    with torch.inference_mode():
        logits = at_size_of(model(inputs_of(picture.resized(size))), torch.zeros(1, 40, 60))
    np.testing.assert_array_equal(strip, probabilities_from(logits)[0].numpy())


def test_tiles_are_those_of_evaluation_and_come_in_strips() -> None:
    model, picture, tiles = Network(), Held(noise(40, 60)), Tiles((16, 24), 0.5, 3)
    strips = list(scorer_of(Member(model, None), tiles=tiles).strips(picture))
    with torch.inference_mode():
        expected = probabilities_from(tiled(model, inputs_of(picture.image), tiles))[0].numpy()
    np.testing.assert_allclose(np.concatenate(strips, axis=1), expected, atol=1e-6)
    assert len(strips) == 4
    assert len(picture.reads) == 4, "of a picture that was decoded nothing is read twice either"


def test_tiles_of_a_picture_at_the_size_of_training_are_enlarged() -> None:
    model, picture, tiles = Network(), Held(noise(40, 60)), Tiles((16, 16))
    (strip,) = scorer_of(Member(model, (30, 30)), tiles=tiles).strips(picture)
    with torch.inference_mode():
        logits = at_size_of(tiled(model, inputs_of(picture.resized((30, 30))), tiles), torch.zeros(1, 40, 60))
    np.testing.assert_allclose(strip, probabilities_from(logits)[0].numpy(), atol=1e-6)


def test_a_large_picture_is_tiled_at_its_own_size_whatever_else_is_asked() -> None:
    model, image = Network(reach=0), noise(40, 60)
    strips = list(scorer_of(Member(model, (20, 24))).strips(Held(image, is_large=True)))
    with torch.inference_mode():
        expected = probabilities_from(model(inputs_of(image)))[0].numpy()
    np.testing.assert_allclose(np.concatenate(strips, axis=1), expected, atol=1e-6)
    assert len(strips) == 4


@pytest.mark.parametrize("large", [False, True])
def test_views_of_a_model_that_does_not_look_around_change_nothing(large: bool) -> None:
    image, model = noise(40, 60), Network(reach=0)
    scorer = scorer_of(Member(model, None), views=views(["horizontal", "vertical"], [90, 180]))
    given = np.concatenate(list(scorer.strips(Held(image, large))), axis=1)
    with torch.inference_mode():
        expected = probabilities_from(model(inputs_of(image)))[0].numpy()
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_a_flip_averages_two_probabilities() -> None:
    """Two pixels and a kernel that looks left: 0.9 and 0.5 as it is, 0.5 and 0.9 in the mirror, at each pixel 0.7."""
    layer = nn.Conv2d(3, 2, (1, 3), padding=(0, 1), bias=False)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, 0, 2] = np.log(9) / 255  # what is to the right
    picture = Held(np.full((1, 2, 3), 255, np.uint8))

    class Right(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            logits: Tensor = layer(pixels.float())
            return logits

    (alone,) = scorer_of(Member(Right(), None)).strips(picture)
    np.testing.assert_allclose(alone[0, 0], [0.9, 0.5], atol=1e-6)
    (both,) = scorer_of(Member(Right(), None), views=views(["horizontal"])).strips(picture)
    np.testing.assert_allclose(both[0, 0], [0.7, 0.7], atol=1e-6)


def test_several_models_give_the_mean_of_their_probabilities_each_at_its_own_size() -> None:
    first, second = Network(seed=1), Network(seed=2)
    image = noise(40, 60)
    members = Member(first, None), Member(second, (20, 30))
    (alone,), (other,) = (scorer_of(member).strips(Held(image)) for member in members)
    (both,) = scorer_of(*members).strips(Held(image))
    np.testing.assert_allclose(both, (alone + other) / 2, atol=1e-6)
    assert scorer_of(*members).sizes == [None, (20, 30)]
    large = list(scorer_of(*members).strips(Held(image, is_large=True)))
    assert [strip.shape for strip in large] == [(3, 8, 60)] * 3 + [(3, 16, 60)]


def test_a_huge_answer_is_enlarged_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    model, picture = Network(), Held(noise(40, 60))
    (whole,) = scorer_of(Member(model, (20, 24))).strips(picture)
    monkeypatch.setattr(scoring, "AT_ONCE", 3 * 60 * 7)
    parts = list(scorer_of(Member(model, (20, 24))).strips(picture))
    assert [part.shape[1] for part in parts] == [7, 7, 7, 7, 7, 5]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)


class Small(nn.Module):
    """Has memory for `limit` samples; says so as PyTorch does."""

    def __init__(self, limit: int, told: RuntimeError) -> None:
        super().__init__()
        self.limit, self.told, self.shown = limit, told, list[int]()

    def forward(self, pixels: Tensor) -> Tensor:
        self.shown.append(len(pixels))
        if len(pixels) > self.limit:
            raise self.told
        return pixels[:, :1] * 2.0


@pytest.mark.parametrize(
    "told", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(f"[enforce fail] {memory.ON_CPU}: no")]
)
def test_a_batch_of_tiles_becomes_as_small_as_memory_needs_and_stays_so(told: RuntimeError) -> None:
    model = Small(3, told)
    fitting = AsManyAsFit(model, 16)
    pixels = torch.arange(10.0).view(10, 1, 1, 1)
    assert (fitting(pixels) == pixels * 2).all()
    assert model.shown == [10, 5, 2, 2, 2, 2, 2]
    model.shown.clear()
    fitting(pixels)
    assert model.shown == [2] * 5


def test_when_not_even_one_fits_it_is_told_what_to_give() -> None:
    told = torch.OutOfMemoryError("CUDA out of memory")
    scorer = scorer_of(Member(Small(0, told), None))
    with pytest.raises(UserError, match=r"out of memory with 400x600 pixels at once: give tile=\[200,300\]"):
        list(scorer.strips(Held(noise(400, 600))))
    with pytest.raises(RuntimeError, match="shapes"):
        list(scorer_of(Member(Small(0, RuntimeError("shapes")), None)).strips(Held(noise(8, 8))))


def test_a_unet_in_tiles_says_what_it_says_of_the_whole() -> None:
    """With enough overlap: half a tile is more than this network, two stages down, looks around. Its weights are random
    and its classes evenly spread, so that there are borders everywhere.
    """
    torch.manual_seed(0)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    model = smp_model("Unet", "resnet18", 3, mean, std, encoder_depth=3, decoder_channels=[64, 32, 16]).eval()
    smooth = cv2.GaussianBlur(noise(384, 448).astype(np.float32), (0, 0), 9)
    image = ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)
    with torch.inference_mode():
        head = cast(nn.Conv2d, model.network.get_submodule("segmentation_head.0"))
        assert head.bias is not None
        head.bias -= logits_from(model(inputs_of(image))).mean(dim=(0, 2, 3))

    def labels(tiles: Tiles | None) -> np.ndarray:
        strips = scorer_of(Member(model, None), tiles=tiles).strips(Held(image))
        ids: np.ndarray = np.concatenate(list(strips), axis=1).argmax(axis=0)
        return ids

    whole = labels(None)
    assert np.bincount(whole.ravel()).min() > 0.1 * whole.size
    assert (labels(Tiles((192, 192), 0.5, 1)) != whole).mean() < 0.005
    assert (labels(Tiles((192, 192), 0.0, 1)) != whole).mean() > 0.005, "without overlap it shows"
