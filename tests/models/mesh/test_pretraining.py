import copy
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from segmentation.data.mesh.dataset import MeshInputs
from segmentation.engine.layer_decay import parameter_groups
from segmentation.losses.masked_prediction import MaskedPrediction
from segmentation.models.mesh.pretraining import MaskedPretraining
from segmentation.runtime.checkpoint import save_checkpoint
from tests.models.mesh.meshes import CLASSES, drawn
from tests.models.mesh.small import build

NAME = "nomeformer_pretrain"


def built(*overrides: str, seed: int = 0) -> MaskedPretraining:
    model = build(NAME, "model.encoder.dropout=0.0", *overrides, seed=seed)
    assert isinstance(model, MaskedPretraining)
    return model


def outputs_of(model: MaskedPretraining, inputs: MeshInputs, seed: int = 0) -> Mapping[str, Tensor]:
    torch.manual_seed(seed)
    outputs = model.train()(inputs)
    assert isinstance(outputs, Mapping)
    return outputs


def weights(model: MaskedPretraining, part: str) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in model.get_submodule(part).parameters()]


def test_what_is_wanted_is_not_the_same_of_all_faces() -> None:
    """The embedding of a target encoder that says nearly the same of every face is not a task that solves itself."""
    model, inputs = built(), drawn(clusters=4, faces=30)
    with torch.no_grad():
        for part in (model.encoder, model.target):
            part.norm.weight.mul_(1e-2)
            part.norm.bias.add_(3.0)
    wanted = outputs_of(model, inputs)["wanted/embedding"].movedim(1, -1)[inputs.mask]
    torch.testing.assert_close(wanted.mean(dim=0), torch.zeros(wanted.shape[1]), atol=1e-3, rtol=0)
    torch.testing.assert_close(wanted.std(dim=0, correction=0), torch.ones(wanted.shape[1]), atol=0.02, rtol=0)


def test_a_share_of_the_faces_is_hidden_and_no_padding() -> None:
    inputs = drawn(clusters=20, faces=100)
    hidden = outputs_of(built("model.hidden_share=0.3"), inputs)["hidden"][:, 0]
    assert not hidden[~inputs.mask].any()
    assert hidden[inputs.mask].float().mean() == pytest.approx(0.3, abs=0.03)


def test_of_a_hidden_face_nothing_but_its_place_is_seen() -> None:
    """Other numbers, and corners elsewhere around the same centroid: what is predicted stays as it was."""
    model, inputs = built(), drawn()
    expected = outputs_of(model, inputs)
    hidden = expected["hidden"].movedim(1, -1)
    assert hidden.any()
    noise = torch.randn(inputs.features.shape, generator=torch.Generator().manual_seed(1))
    around = noise[..., :9].unflatten(-1, (3, 3))
    noise = torch.cat([(around - around.mean(dim=-2, keepdim=True)).flatten(-2), noise[..., 9:]], dim=-1)
    changed = inputs._replace(features=inputs.features + 3 * noise * hidden)
    found = outputs_of(model, changed)
    assert torch.equal(found["hidden"], expected["hidden"])
    for kind in ("embedding", "features"):
        told = found[f"predicted/{kind}"] - expected[f"predicted/{kind}"]
        assert told.movedim(1, -1)[inputs.mask].abs().max() < 1e-4
        assert not torch.allclose(found[f"wanted/{kind}"], expected[f"wanted/{kind}"], atol=0.1)


def test_hidden_faces_are_told_apart_by_their_place() -> None:
    inputs = drawn(meshes=1)
    outputs = outputs_of(built(), inputs)
    predicted = outputs["predicted/embedding"].movedim(1, -1)[outputs["hidden"][:, 0]]
    assert torch.cdist(predicted, predicted).fill_diagonal_(9).min() > 1e-3


def test_the_target_starts_as_the_encoder_and_follows_it() -> None:
    """After the first pass it moves by max(0.004, 1 - n / (10 + n)): by 10/11 in the second, by 10/12 in the third."""
    model, inputs = built(), drawn()
    with torch.no_grad():
        model.encoder.summary.fill_(1.0)
    outputs_of(model, inputs)
    assert all(map(torch.equal, weights(model, "target"), weights(model, "encoder")))
    with torch.no_grad():
        model.encoder.summary.fill_(12.0)
    outputs_of(model, inputs)
    torch.testing.assert_close(model.target.summary, torch.full((16,), 11.0))
    with torch.no_grad():
        model.encoder.summary.fill_(23.0)
    outputs_of(model, inputs)
    torch.testing.assert_close(model.target.summary, torch.full((16,), 21.0))
    model.updates.fill_(10**6)
    with torch.no_grad():
        model.encoder.summary.fill_(1021.0)
    outputs_of(model, inputs)
    torch.testing.assert_close(model.target.summary, torch.full((16,), 25.0))  # by 0.004


def test_the_target_does_not_move_in_evaluation_and_learns_what_the_encoder_has_seen() -> None:
    model, inputs = built(), drawn()
    for _ in range(2):
        outputs_of(model, inputs)
    count = model.target.embedding.standardised.count
    assert 0 < count < 2 * inputs.mask.sum()  # of the visible faces, as of the pass before
    before = copy.deepcopy(model.state_dict())
    model.eval()(inputs)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_no_label_and_no_gradient_reaches_the_encoder_but_through_what_is_predicted() -> None:
    model, inputs = built(), drawn()
    outputs_of(model, inputs)["out"].square().sum().backward()
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == {
        "head.weight",
        "head.bias",
    }


def test_the_target_is_not_among_what_the_optimizer_moves() -> None:
    names = {name for group in parameter_groups(built(), 1.0, 0.1) for name in group["names"]}
    assert names
    assert not any(name.startswith("target") for name in names)


def test_the_target_drops_nothing_in_training() -> None:
    model = build(NAME, "model.encoder.dropout=0.5").train()
    assert not model.target.training
    assert not any(module.training for module in model.target.modules())
    assert model.encoder.training


@pytest.mark.parametrize("name", ["nomeformer", "nomeformer_textured"])
def test_others_start_from_what_its_encoder_has_learned(name: str, tmp_path: Path) -> None:
    model = built(seed=1)
    outputs_of(model, drawn())
    save_checkpoint(tmp_path / "best.pt", {"model": model.state_dict()})
    other = build(name, f"model.checkpoint={tmp_path / 'best.pt'}")
    for key, value in other.encoder.state_dict().items():
        assert torch.equal(value, model.encoder.state_dict()[key]), key


def test_it_learns_from_the_faces_beside_it_what_a_hidden_one_is() -> None:
    """All faces of a cluster are alike but for noise; the class is the kind of the cluster, told to the probe alone."""
    inputs = drawn(meshes=4, clusters=4, faces=16)
    kind = torch.randn(4, 4, 1, 1, generator=torch.Generator().manual_seed(2)).sign()
    inputs = inputs._replace(features=(kind + 0.1 * inputs.features) * inputs.mask.unsqueeze(-1))
    target = (kind > 0).long().squeeze(-1).where(inputs.mask, 255)
    model, loss = built("model.encoder.blocks=[both]", "model.predictor_blocks=1"), MaskedPrediction()
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=1e-2)
    values = []
    torch.manual_seed(0)
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(model.train()(inputs), target)
        value.total.backward()
        optimizer.step()
        values.append({name: part.item() for name, part in value.parts.items()})
    assert all(each["features"] < 0.2 * values[0]["features"] for each in values[-5:])
    assert all(each["embedding"] < 0.5 * values[0]["embedding"] for each in values[-5:])
    logits = model.eval()(inputs)
    assert isinstance(logits, Tensor)
    assert logits.shape == (4, CLASSES, 4, 16)
    assert (logits.argmax(dim=1) == target)[inputs.mask].float().mean() > 0.95
