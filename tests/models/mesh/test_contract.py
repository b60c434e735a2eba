"""What every network for meshes keeps to. A file under conf/model is all that a new one needs to be held to it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segmentation.data.mesh.dataset import MeshInputs
from segmentation.engine.layer_decay import parameter_groups
from segmentation.outputs import Outputs, logits_from
from segmentation.runtime.checkpoint import load_checkpoint, save_checkpoint
from tests.engine.configured import choices, configured
from tests.models.mesh.meshes import CLASSES, drawn
from tests.models.mesh.small import build

ALL = choices("model")
NAMES = [
    name for name in ALL if str(configured(f"model={name}").model._target_).startswith("segmentation.models.mesh.")
]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(name: str) -> Iterator[nn.Module]:
    """It has seen a batch in training: its statistics are not those that it starts with."""
    built = build(name)
    with torch.no_grad():
        built.train()(given())
    return built.eval()


def given(**how: Any) -> MeshInputs:
    return drawn(pixels=6, **how)


def logits_of(model: nn.Module, inputs: MeshInputs) -> Tensor:
    with torch.inference_mode():
        return logits_from(model.eval()(inputs))


def everything(outputs: Outputs) -> Tensor:
    """One number that depends on all that is there."""
    heads = [outputs] if isinstance(outputs, Tensor) else list(outputs.values())
    return torch.stack([head.float().square().mean() for head in heads]).sum()


def test_a_logit_for_each_class_and_face(model: nn.Module) -> None:
    for meshes, clusters, faces in ((2, 3, 10), (1, 1, 2), (3, 7, 4)):
        inputs = given(meshes=meshes, clusters=clusters, faces=faces)
        logits = logits_of(model, inputs)
        assert logits.shape == (len(inputs.mask), CLASSES, *inputs.mask.shape[1:])
        assert logits.isfinite().all()


def test_a_change_in_one_cluster_reaches_every_other_and_no_other_mesh(model: nn.Module) -> None:
    inputs = given()
    before = logits_of(model, inputs)
    changed = inputs.features.clone()
    changed[0, 0, 0] += 1
    apart = (logits_of(model, inputs._replace(features=changed)) - before).abs().amax(dim=1)  # [B, N, F]
    assert (apart[0][inputs.mask[0]] > 1e-6).all()
    assert not apart[1].any()


def test_padding_reaches_nothing(model: nn.Module) -> None:
    inputs = given()
    assert inputs.pixels is not None
    noise = torch.full_like(inputs.features, torch.nan)
    features = inputs.features.where(inputs.mask.unsqueeze(-1), noise)
    pixels = inputs.pixels.where(inputs.mask[..., None, None], torch.tensor(255, dtype=torch.uint8))
    changed = inputs._replace(features=features, pixels=pixels)
    before, after = (logits_of(model, each).movedim(1, -1)[inputs.mask] for each in (inputs, changed))
    torch.testing.assert_close(after, before, rtol=0, atol=0)


def test_padding_teaches_nothing(name: str) -> None:
    inputs = given()
    noisy = inputs._replace(features=inputs.features.where(inputs.mask.unsqueeze(-1), 1e4))
    states = []
    for each in (inputs, noisy):
        model = build(name).train()
        torch.manual_seed(0)
        outputs = model(each)
        sides = [part.movedim(1, -1)[inputs.mask].float().square().mean() for part in parts_of(outputs)]
        torch.stack(sides).sum().backward()
        gradients = {key: parameter.grad for key, parameter in model.named_parameters() if parameter.grad is not None}
        states.append({**gradients, **dict(model.named_buffers())})
    for key, expected in states[0].items():
        torch.testing.assert_close(states[1][key], expected, rtol=1e-5, atol=1e-6)


def parts_of(outputs: Outputs) -> list[Tensor]:
    return list(outputs.values()) if isinstance(outputs, Mapping) else [outputs]


def test_a_mesh_has_the_same_logits_alone_and_beside_a_larger_one(model: nn.Module) -> None:
    inputs = given()
    faces = (slice(1, 2), slice(0, 2), slice(0, 9))  # of the second mesh, without padding
    alone = MeshInputs(*(part[faces[: 2 if part is inputs.centres else 3]] for part in inputs if part is not None))
    together = logits_of(model, inputs)[1:, :, :2, :9]
    torch.testing.assert_close(logits_of(model, alone), together, rtol=1e-4, atol=1e-5)


def test_the_order_of_faces_and_of_clusters_does_not_matter(model: nn.Module) -> None:
    inputs = given()
    before, generator = logits_of(model, inputs), torch.Generator().manual_seed(0)
    faces = torch.randperm(inputs.mask.shape[2], generator=generator)
    within = MeshInputs(*(part if part is inputs.centres else part[:, :, faces] for part in inputs if part is not None))
    torch.testing.assert_close(logits_of(model, within), before[..., faces], rtol=1e-4, atol=1e-5)
    clusters = torch.randperm(inputs.mask.shape[1], generator=generator)
    among = MeshInputs(*(part[:, clusters] for part in inputs if part is not None))
    torch.testing.assert_close(logits_of(model, among), before[:, :, clusters], rtol=1e-4, atol=1e-5)


def test_the_gradient_reaches_every_trainable_parameter(model: nn.Module) -> None:
    everything(model.train()(given())).backward()
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    without = [name for name, parameter in trained.items() if parameter.grad is None or not parameter.grad.any()]
    assert [name for name in without if not name.endswith("key.bias")] == []  # it moves all scores of a row alike
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


def test_bf16_autocast_comes_close_in_evaluation_and_trains(model: nn.Module) -> None:
    inputs = given()
    expected = logits_of(model, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = logits_of(model, inputs)
        outputs = model.train()(inputs)
    assert (rounded.float() - expected).norm() / expected.norm() < 0.05
    everything(outputs).backward()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in trained)


def test_saved_and_loaded_into_a_fresh_model_gives_the_same_logits(model: nn.Module, name: str, tmp_path: Path) -> None:
    inputs = given()
    expected = logits_of(model, inputs)
    save_checkpoint(tmp_path / "model.pt", {"model": model.state_dict()})
    fresh = build(name, seed=1)
    assert not torch.equal(logits_of(fresh, inputs), expected)
    fresh.load_state_dict(load_checkpoint(tmp_path / "model.pt")["model"])
    assert torch.equal(logits_of(fresh, inputs), expected)


def test_recomputed_blocks_give_the_same_gradients_and_keep_less(name: str) -> None:
    gradients, kept = [], []
    for recompute in ("false", "true"):
        model = build(name, f"model.gradient_checkpointing={recompute}").train()
        kept.append(kept_bytes(model, given(faces=40)))
        torch.manual_seed(0)  # of dropout
        everything(model(given())).backward()
        gradients.append({key: each.grad for key, each in model.named_parameters() if each.grad is not None})
    assert kept[1] < 0.8 * kept[0]
    assert gradients[0].keys() == gradients[1].keys()
    for key, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][key], expected, rtol=1e-4, atol=1e-6)


def test_compiled_it_gives_the_same_logits_and_gradients(name: str) -> None:
    """`aot_eager`: the graphs forward and backward as every backend gets them; to compile these takes minutes."""
    results = []
    for wrap in (lambda model: model, lambda model: torch.compile(model, backend="aot_eager")):
        model = build(name, "model.encoder.dropout=0.0", "model.encoder.blocks=[both]").train()
        torch.manual_seed(0)  # of what is hidden
        outputs = wrap(model)(given())
        everything(outputs).backward()
        gradients = {key: each.grad for key, each in model.named_parameters() if each.grad is not None}
        results.append({"out": logits_from(outputs).detach(), **gradients, **dict(model.named_buffers())})
    assert results[0].keys() == results[1].keys()
    for key, expected in results[0].items():
        torch.testing.assert_close(results[1][key], expected, rtol=1e-3, atol=1e-5)


def test_what_is_kept_for_the_backward_pass_grows_with_the_clusters_and_no_faster(model: nn.Module) -> None:
    once, twice = (kept_bytes(model, given(meshes=1, clusters=clusters, faces=20)) for clusters in (8, 16))
    assert twice < 2.05 * once


def kept_bytes(model: nn.Module, inputs: MeshInputs) -> int:
    kept = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        outputs = model.train()(inputs)
    del outputs
    weights = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    return sum(size for place, size in kept.items() if place not in weights)


def test_layer_decay_goes_by_block(model: nn.Module) -> None:
    rates = {
        name: group["lr"]
        for group in parameter_groups(model, 1.0, 0.1, layer_decay=0.5, head_lr_multiplier=10)
        for name in group["names"]
    }
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert rates.keys() == trained
    expected = {"encoder.embedding": 1 / 8, "encoder.summary": 1 / 8, "encoder.blocks.0": 1 / 4}
    expected |= {"encoder.blocks.1": 1 / 2, "encoder.norm": 1 / 2, "head": 10}
    for name, rate in rates.items():
        for start, wanted in expected.items():
            assert not name.startswith(start) or rate == wanted, name


def test_tokens_biases_and_norms_are_not_decayed(model: nn.Module) -> None:
    parameters = dict(model.named_parameters())
    for group in parameter_groups(model, 1.0, 0.1):
        for name in group["names"]:
            matrix = parameters[name].ndim > 1 and name.endswith("weight")
            assert group["weight_decay"] == (0.1 if matrix else 0.0), name
