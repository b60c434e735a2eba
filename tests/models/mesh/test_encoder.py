from math import sqrt

import pytest
import torch
from torch import nn

from segmentation.errors import UserError
from segmentation.models.mesh.encoder import GeometryEncoder
from tests.models.mesh.meshes import FEATURES, drawn


def encoder(**options: object) -> GeometryEncoder:
    torch.manual_seed(0)
    return GeometryEncoder(FEATURES, **{"width": 16, "heads": 2, "blocks": ["both"] * 3, **options})  # type: ignore[arg-type]


def test_weights_start_as_glorot_and_bengio_say_and_norms_at_one() -> None:
    for name, module in encoder(width=64).named_modules():
        if isinstance(module, nn.Linear):
            bound = sqrt(6 / (module.in_features + module.out_features))
            assert module.weight.abs().max() <= bound, name
            assert module.weight.std().item() == pytest.approx(bound / sqrt(3), rel=0.1), name
            assert not module.bias.any(), name
        if isinstance(module, nn.LayerNorm):
            assert (module.weight == 1).all(), name
            assert not module.bias.any(), name


def test_where_clusters_are_matters() -> None:
    inputs, model = drawn(), encoder().eval()
    moved = model(inputs.features, inputs.mask, inputs.centres + torch.tensor([0.0, 0.0, 3.0]))
    assert not torch.allclose(moved, model(*inputs[:3]), atol=1e-3)


@pytest.mark.parametrize(
    ("blocks", "reached"),
    [(["both"], True), (["local", "global", "local"], True), (["global", "local"], False), (["local"] * 3, False)],
)
def test_clusters_see_each_other_where_a_global_block_follows_a_local_one(blocks: list[str], reached: bool) -> None:
    inputs, model = drawn(meshes=1), encoder(blocks=blocks).eval()
    changed = inputs.features.clone()
    changed[0, 0, 0] += 1
    apart = (model(changed, *inputs[1:3]) - model(*inputs[:3])).abs().amax(dim=-1)[0]
    assert (apart[0][inputs.mask[0, 0]] > 1e-5).all()
    assert bool((apart[1:][inputs.mask[0, 1:]] > 1e-5).all()) is reached
    assert bool(apart[1:].any()) is reached


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        (0, set()),
        (1, {"blocks.2", "norm"}),
        (3, {"blocks.0", "blocks.1", "blocks.2", "norm"}),
    ],
)
def test_the_last_blocks_are_trained(trained: int, expected: set[str]) -> None:
    model = encoder()
    model.freeze_all_but(trained)
    parts = {
        ".".join(name.split(".")[: 2 if name.startswith("blocks") else 1])
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    assert parts == expected


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"heads": 3}, r"^model.encoder.heads=3: expected a number that divides width=16$"),
        ({"blocks": ["lokal"]}, r"^model.encoder.blocks names lokal: did you mean local\?$"),
        ({"blocks": []}, r"^model.encoder.blocks=\[\]: expected a list of local, global, both$"),
    ],
)
def test_options_that_cannot_be_are_told(options: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        encoder(**options)


def test_more_trained_blocks_than_there_are_is_told() -> None:
    with pytest.raises(UserError, match=r"^model.num_unfrozen_encoder_layers=4: the encoder has 3 blocks"):
        encoder().freeze_all_but(4)
