import pytest
import torch
from torch import Tensor, nn

from segmentation.inference.tiling import tiled
from segmentation.inference.windows import Tiles
from segmentation.outputs import labels_from


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 3, 37, 50), dtype=torch.uint8, generator=generator)


class Network(nn.Module):
    """Convolutions on pixels as they are stored; `reach` is how far each looks."""

    def __init__(self, num_classes: int, reach: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Conv2d(3, num_classes, 2 * reach + 1, padding=reach)
        self.seen: list[tuple[int, ...]] = []

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen.append(tuple(pixels.shape))
        logits: Tensor = self.layer(pixels / 255)
        return logits


@pytest.mark.parametrize("num_classes", [1, 4])
@pytest.mark.parametrize("size", [(16, 16), (12, 20), (37, 50), (64, 64), (48, 16)])
def test_a_pointwise_model_says_the_same_in_tiles(images: Tensor, num_classes: int, size: tuple[int, int]) -> None:
    model = Network(num_classes, reach=0)
    with torch.inference_mode():
        torch.testing.assert_close(tiled(model, images, Tiles(size)), model(images), rtol=1e-5, atol=1e-6)


def test_one_tile_of_the_image_s_size_is_the_model_itself(images: Tensor) -> None:
    model = Network(4, reach=2)
    with torch.inference_mode():
        assert torch.equal(tiled(model, images, Tiles((37, 50))), model(images))


def test_a_model_that_looks_around_it_nearly_agrees_away_from_the_border(images: Tensor) -> None:
    """Half a tile of overlap: what a tile's own border spoils has little weight."""
    model = Network(4, reach=1)
    with torch.inference_mode():
        whole, parts = model(images), tiled(model, images, Tiles((16, 16)))
        cut = tiled(model, images, Tiles((16, 16), overlap=0.0))
    assert (labels_from(whole) != labels_from(parts)).float().mean() < 0.005
    assert (whole - parts).abs().max() < (whole - cut).abs().max() / 10


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_no_more_tiles_are_shown_at_once_than_asked_for(images: Tensor, batch_size: int) -> None:
    model = Network(2, reach=1)
    with torch.inference_mode():
        given = tiled(model, images, Tiles((16, 16), batch_size=batch_size))
    assert max(shape[0] for shape in model.seen) <= batch_size
    assert {shape[2:] for shape in model.seen} == {(16, 16)}
    with torch.inference_mode():
        torch.testing.assert_close(given, tiled(model, images, Tiles((16, 16))), rtol=1e-5, atol=1e-6)


def test_a_small_image_is_shown_as_its_own_mirror_image() -> None:
    shown: list[Tensor] = []

    def model(pixels: Tensor) -> Tensor:
        shown.append(pixels)
        return pixels.float()

    image = torch.tensor([[[[1, 2, 3]]]], dtype=torch.uint8)
    assert tiled(model, image, Tiles((2, 5))).tolist() == [[[[1.0, 2.0, 3.0]]]]
    assert shown[0].tolist() == [[[[1, 2, 3, 2, 1], [1, 2, 3, 2, 1]]]]


def test_logits_are_found_beside_further_heads_and_become_float32(images: Tensor) -> None:
    def model(pixels: Tensor) -> dict[str, Tensor]:
        return {"out": pixels.to(torch.bfloat16), "aux": pixels[..., ::8, ::8]}

    given = tiled(model, images, Tiles((16, 16)))
    assert given.dtype == torch.float32
    torch.testing.assert_close(given, images.float(), rtol=1e-2, atol=0)
