import pytest
import torch
from torch import Tensor, nn

from segmentation.models.image.pixels import ImageModel

MEAN, STD = [0.5, 0.25, 0.75], [0.25, 0.5, 0.125]


class Sees(nn.Module):
    """Keeps what it is given and answers with it, as a mapping if asked to."""

    def __init__(self, mapping: bool = False) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 1)
        self.mapping = mapping
        self.given = torch.empty(0)

    def forward(self, normalised: Tensor) -> Tensor | dict[str, Tensor]:
        self.given = normalised
        return {"out": normalised, "aux": -normalised} if self.mapping else normalised


def wrapped(network: nn.Module, divisor: int = 8) -> ImageModel:
    def features(network: nn.Module, pixels: Tensor) -> list[Tensor]:
        return [network.get_submodule("backbone")(pixels)]

    return ImageModel(network, "backbone", features, MEAN, STD, divisor)


def test_bytes_become_scaled_and_normalised_floats() -> None:
    pixels = torch.tensor([0, 255, 51], dtype=torch.uint8).view(1, 3, 1, 1)
    seen = wrapped(Sees(), divisor=1)(pixels)
    expected = torch.tensor([(0 - 0.5) / 0.25, (1 - 0.25) / 0.5, (0.2 - 0.75) / 0.125]).view(1, 3, 1, 1)
    torch.testing.assert_close(seen, expected)
    assert seen.dtype == torch.float32


@pytest.mark.parametrize(("size", "padded"), [((8, 16), (8, 16)), ((9, 15), (16, 16)), ((1, 1), (8, 8))])
def test_padding_is_below_and_to_the_right_in_the_mean_colour_and_cut_off_again(
    size: tuple[int, int], padded: tuple[int, int]
) -> None:
    network = Sees()
    pixels = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    seen = wrapped(network)(pixels)
    height, width = size
    assert seen.shape == (2, 3, height, width)
    assert network.given.shape == (2, 3, *padded)
    assert torch.equal(network.given[..., :height, :width], seen)
    assert not network.given[..., height:, :].any()
    assert not network.given[..., width:].any()
    torch.testing.assert_close(seen, wrapped(Sees(), divisor=1)(pixels))


def test_of_a_mapping_the_logits_are_taken_in_evaluation() -> None:
    pixels = torch.zeros(1, 3, 5, 5, dtype=torch.uint8)
    assert torch.equal(wrapped(Sees(mapping=True)).eval()(pixels), wrapped(Sees()).eval()(pixels))


def test_in_training_every_head_loses_the_padding() -> None:
    pixels = torch.randint(0, 256, (1, 3, 5, 11), dtype=torch.uint8)
    heads = wrapped(Sees(mapping=True)).train()(pixels)
    assert heads.keys() == {"out", "aux"}
    assert heads["out"].shape == (1, 3, 5, 11)
    assert torch.equal(heads["aux"], -heads["out"])


def test_a_head_of_a_lower_size_keeps_what_shows_the_image() -> None:
    class Half(Sees):
        def forward(self, normalised: Tensor) -> dict[str, Tensor]:
            return {"out": normalised, "aux": normalised[..., ::2, ::2]}

    heads = wrapped(Half(), divisor=16).train()(torch.zeros(1, 3, 10, 17, dtype=torch.uint8))
    assert heads["aux"].shape == (1, 3, 5, 9)  # of 16 x 32 padded pixels 8 x 16; 10 and 17 of them show the image


def test_mean_and_std_follow_the_device_and_stay_out_of_the_weights() -> None:
    model = wrapped(Sees())
    assert model.state_dict().keys() == {"network.backbone.weight", "network.backbone.bias"}
    assert model.to("meta").shift.device.type == "meta"


def test_what_the_encoder_does_not_hold_is_the_head() -> None:
    network = Sees()
    network.add_module("head", nn.Conv2d(4, 2, 1))
    assert wrapped(network).parameter_depths() == {
        "network.backbone.weight": 0,
        "network.backbone.bias": 0,
        "network.head.weight": 1,
        "network.head.bias": 1,
    }
