from pathlib import Path

import pytest
import torch
from torch import Tensor

from segmentation.data.mesh.dataset import MeshInputs
from segmentation.errors import UserError
from segmentation.models.mesh.fusion import FUSIONS, AddFusion, ConcatFusion, GatedFusion
from segmentation.models.mesh.texture import MIDDLE, SPREAD, TextureEncoder
from segmentation.models.mesh.textured import TexturedNoMeFormer, textured_faults
from segmentation.runtime.checkpoint import save_checkpoint
from tests.models.mesh.meshes import drawn
from tests.models.mesh.small import build

NAME = "nomeformer_textured"


def logits_of(model: TexturedNoMeFormer, inputs: MeshInputs) -> Tensor:
    with torch.inference_mode():
        return model.eval()(inputs)


def test_the_token_is_a_map_of_mean_and_maximum_of_what_the_convolutions_say() -> None:
    """One layer that gives the red of each pixel itself, behind a GELU that lets large numbers through."""
    encoder = TextureEncoder(2, channels=(1,))
    convolution = encoder.layers[0][0]  # type: ignore[index]
    with torch.no_grad():
        for tensor in (*convolution.parameters(), *encoder.out.parameters()):
            tensor.zero_()
        convolution.weight[0, 0, 1] = SPREAD
        encoder.out.weight.copy_(torch.eye(2))
    pixels = torch.zeros(2, 4, 3, dtype=torch.uint8)
    pixels[..., 0] = torch.tensor([[200, 220, 255, 255], [150, 255, 255, 255]])
    token = encoder(pixels, torch.tensor([2, 0]))
    torch.testing.assert_close(token, torch.tensor([[210 - MIDDLE, 220 - MIDDLE], [0, 0]]))


def test_pixels_beyond_the_count_are_never_looked_at() -> None:
    torch.manual_seed(0)
    encoder, inputs = TextureEncoder(8), drawn(pixels=6)
    assert inputs.pixels is not None
    assert inputs.pixel_counts is not None
    beyond = torch.arange(6) >= inputs.pixel_counts.unsqueeze(-1)
    other = inputs.pixels.where(~beyond.unsqueeze(-1), 255 - inputs.pixels)
    assert torch.equal(encoder(other, inputs.pixel_counts), encoder(inputs.pixels, inputs.pixel_counts))
    longer = torch.nn.functional.pad(inputs.pixels, (0, 0, 0, 3))
    torch.testing.assert_close(encoder(longer, inputs.pixel_counts), encoder(inputs.pixels, inputs.pixel_counts))


def test_the_gate_is_shut_without_a_texture_and_lets_a_share_through_with_one() -> None:
    fusion = GatedFusion(2)
    with torch.no_grad():
        fusion.gate.weight.zero_()
        fusion.gate.bias.copy_(torch.tensor([3.0, 1.0]).log())  # sigmoid: 3/4 and 1/2
    geometry, texture = torch.tensor([[1.0, 2.0], [1.0, 2.0]]), torch.tensor([[8.0, 8.0], [8.0, 8.0]])
    fused = fusion(geometry, texture, torch.tensor([True, False]))
    torch.testing.assert_close(fused, torch.tensor([[7.0, 6.0], [1.0, 2.0]]))


def test_a_learned_token_stands_for_a_texture_that_is_not_there() -> None:
    geometry, texture, textured = torch.ones(2, 2), torch.full((2, 2), 5.0), torch.tensor([True, False])
    add, concat = AddFusion(2), ConcatFusion(2)
    with torch.no_grad():
        for fusion in (add, concat):
            fusion.untextured.copy_(torch.tensor([3.0, 4.0]))
        concat.merge.weight.copy_(torch.tensor([[10.0, 0, 1, 0], [0, 10, 0, 1]]))
    torch.testing.assert_close(add(geometry, texture, textured), torch.tensor([[6.0, 6.0], [4.0, 5.0]]))
    torch.testing.assert_close(concat(geometry, texture, textured), torch.tensor([[15.0, 15.0], [13.0, 14.0]]))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_texture_matters_where_there_is_one(fusion: str) -> None:
    model, inputs = build(NAME, f"model.fusion={fusion}"), drawn(meshes=1, pixels=6)
    assert inputs.pixels is not None
    assert inputs.pixel_counts is not None
    before = logits_of(model, inputs)
    assert not torch.allclose(logits_of(model, inputs._replace(pixels=255 - inputs.pixels)), before, atol=1e-3)
    bare = inputs._replace(pixel_counts=torch.zeros_like(inputs.pixel_counts))
    other = bare._replace(pixels=255 - inputs.pixels)
    assert torch.equal(logits_of(model, bare), logits_of(model, other))


def test_with_all_gates_shut_it_is_nomeformer_with_the_same_weights(tmp_path: Path) -> None:
    plain, inputs = build("nomeformer", seed=1), drawn(pixels=6)
    save_checkpoint(tmp_path / "best.pt", {"model": plain.state_dict()})
    model = build(NAME, f"model.checkpoint={tmp_path / 'best.pt'}")
    assert inputs.pixel_counts is not None
    bare = inputs._replace(pixel_counts=torch.zeros_like(inputs.pixel_counts))
    torch.testing.assert_close(logits_of(model, bare), logits_of(plain, inputs))


def test_inputs_without_pixels_are_refused() -> None:
    with pytest.raises(UserError, match=r"^model=nomeformer_textured: the data gives no pixels; .* model=nomeformer$"):
        build(NAME)(drawn())


def test_texture_and_fusion_learn_at_the_rate_of_the_last_block() -> None:
    depths = build(NAME).parameter_depths()
    assert {depth for name, depth in depths.items() if name.startswith(("texture.", "fusion."))} == {2}
    assert depths["encoder.blocks.1.within.attention.out.weight"] == 2
    assert depths["head.weight"] == 3


@pytest.mark.parametrize(
    ("encoder", "texture", "expected"),
    [
        (0, "null", {"texture", "fusion", "head"}),
        (1, "0", {"encoder", "fusion", "head"}),
        ("null", "1", {"encoder", "texture", "fusion", "head"}),
    ],
)
def test_each_stream_can_be_frozen_by_block(encoder: int | str, texture: str, expected: set[str]) -> None:
    model = build(NAME, f"model.num_unfrozen_encoder_layers={encoder}", f"model.num_unfrozen_texture_layers={texture}")
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name.partition(".")[0] for name in trained} == expected
    assert ("encoder.blocks.0.within.attention.out.weight" in trained) is (encoder == "null")
    assert ("texture.layers.0.0.weight" in trained) is (texture == "null")
    assert ("texture.layers.1.0.weight" in trained) is (texture != "0")


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(UserError, match=r"^model.num_unfrozen_texture_layers=3: there are 2; .*$"):
        build(NAME, "model.num_unfrozen_texture_layers=3")
    with pytest.raises(UserError, match=r"^model.fusion=gatet: did you mean gated\?$"):
        build(NAME, "model.fusion=gatet")
    assert list(textured_faults({"fusion": "gated", "pixels_per_face": 1})) == []
    (fault,) = textured_faults({"fusion": "gated", "pixels_per_face": 0})
    assert fault.startswith("pixels_per_face=0: expected at least 1")
