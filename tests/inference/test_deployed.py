import numpy as np
import pytest
import torch
from torch import Tensor, nn

from segmentation.inference.decision import said
from segmentation.inference.deployed import Deployed


class Bands(nn.Module):
    """The logit of class i is band i in [0, 1]; with `one` there is a single one, the mean of the bands less 0.5."""

    def __init__(self, one: bool = False) -> None:
        super().__init__()
        self.one = one
        self.dropout = nn.Dropout(0.9)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        values = pixels if pixels.is_floating_point() else pixels / 255
        logits = values.mean(dim=1, keepdim=True) - 0.5 if self.one else values
        return {"out": self.dropout(logits)}


def test_both_layouts_give_the_ids_of_the_largest_band() -> None:
    pixels = torch.randint(0, 256, (2, 5, 7, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = torch.from_numpy(np.argmax(pixels.numpy(), axis=-1))
    rows_first = Deployed(Bands())(pixels)
    bands_first = Deployed(Bands(), "nchw")(pixels.permute(0, 3, 1, 2))
    for given in (rows_first, bands_first):
        assert given.dtype == torch.uint8
        assert torch.equal(given.long(), expected)


@pytest.mark.parametrize("thresholds", [(0.3, 0.4, 0.3), (0.0, 0.0, 0.36), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0)])
def test_thresholds_are_those_of_prediction(thresholds: tuple[float, ...]) -> None:
    pixels = torch.randint(0, 256, (2, 9, 7, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    classes, probabilities = Deployed(Bands(), probabilities=True, thresholds=thresholds, otherwise=200)(pixels)
    expected = np.stack([said(picture, thresholds, 200) for picture in probabilities.numpy()])
    assert classes.dtype == torch.uint8
    assert (classes.numpy() == expected).all()


@pytest.mark.parametrize("thresholds", [(0.0, 0.52), (0.48, 0.0), (0.51, 0.51)])
def test_a_threshold_of_one_of_two_classes_decides_between_both(thresholds: tuple[float, ...]) -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(-1, -1, -1, 3)
    classes, probabilities = Deployed(Bands(one=True), probabilities=True, thresholds=thresholds)(pixels)
    expected = said(probabilities[0].numpy(), thresholds)
    assert (classes[0].numpy() == expected).all()
    assert len(np.unique(expected)) == (3 if all(thresholds) else 2)


def test_ids_of_more_than_256_classes_are_right() -> None:
    pixels = torch.zeros(1, 1, 3, 300, dtype=torch.uint8)
    pixels[0, 0, range(3), [7, 255, 299]] = 9
    classes = Deployed(Bands())(pixels)
    assert classes.dtype == torch.int64
    assert classes.tolist() == [[[7, 255, 299]]]
    assert Deployed(Bands())(pixels[..., :256]).dtype == torch.uint8


def test_one_logit_is_foreground_above_half() -> None:
    pixels = torch.tensor([[[[127, 127, 127], [128, 128, 128]]]], dtype=torch.uint8)
    classes, probabilities = Deployed(Bands(one=True), probabilities=True)(pixels)
    assert classes.tolist() == [[[0, 1]]]
    assert probabilities.shape == (1, 2, 1, 2)
    expected = 1 / (1 + np.exp(-(128 / 255 - 0.5)))
    assert probabilities[0, 1, 0, 1].item() == pytest.approx(expected)


def test_probabilities_are_a_softmax_whatever_the_layout() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).expand(1, 4, 6, 3)
    _, probabilities = Deployed(Bands(), probabilities=True)(pixels)
    weights = np.exp([0.0, 0.2, 1.0])
    assert probabilities.shape == (1, 3, 4, 6)
    assert probabilities[0, :, 3, 5].numpy() == pytest.approx(weights / weights.sum())


def test_stored_values_are_scaled_and_clipped_as_the_reader_does() -> None:
    """Against `in_range`, by which training read them."""
    from segmentation.data.image.pixels import in_range

    stored = np.array([[[-40.0, 900.0], [4000.0, 3000.0], [2000.0, 100.0]]], np.float32)
    _, given = Deployed(Bands(), max_value=3000.0, probabilities=True)(torch.from_numpy(stored)[None])
    expected = torch.from_numpy(in_range(stored, 3000.0)).softmax(dim=-1).permute(2, 0, 1)
    torch.testing.assert_close(given[0], expected)
