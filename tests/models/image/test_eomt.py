import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from segmentation.engine.layer_decay import parameter_groups
from segmentation.errors import UserError
from segmentation.losses import MaskClassification
from segmentation.models.image.eomt import (
    EoMT,
    eomt_faults,
    eomt_model,
    mask_probability,
    pixel_probabilities,
)
from segmentation.models.image.pixels import ImageModel
from segmentation.outputs import MaskPrediction
from tests.models.image.small import pixels

MEAN, STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]
CLASSES, QUERIES, BLOCKS = 3, 6, 2


def built(encoder_name: str = "test_vit", query_blocks: int = BLOCKS, seed: int = 0) -> ImageModel:
    torch.manual_seed(seed)
    return eomt_model(encoder_name, CLASSES, MEAN, STD, queries=QUERIES, query_blocks=query_blocks)


def network_of(model: ImageModel) -> EoMT:
    assert isinstance(model.network, EoMT)
    return model.network


def test_training_gives_masks_and_classes_of_every_query_block_and_of_the_end() -> None:
    outputs = built().train()(pixels(2, 3, 40, 50))
    assert outputs["out"].shape == (2, CLASSES, 40, 50)
    assert outputs.keys() - {"out"} == {f"{name}/{index}" for name in ("masks", "classes") for index in range(3)}
    for index in range(BLOCKS + 1):
        assert outputs[f"masks/{index}"].shape == (2, QUERIES, 10, 13)  # at a quarter of the size
        assert outputs[f"classes/{index}"].shape == (2, QUERIES, CLASSES + 1)


@pytest.mark.parametrize("training", [True, False])
def test_the_main_output_is_log_probabilities(training: bool) -> None:
    outputs = built().train(training)(pixels(2, 3, 37, 50))
    log_probabilities = outputs["out"] if training else outputs
    assert (log_probabilities <= 0).all()
    torch.testing.assert_close(log_probabilities.exp().sum(dim=1), torch.ones(2, 37, 50))


def test_probabilities_are_classes_times_masks_as_shares() -> None:
    """Two queries, two classes, one pixel; the sigmoid of log 3 is 3/4."""
    masks = torch.tensor([3.0, 1.0]).log().view(1, 2, 1, 1)
    classes = torch.tensor([[[2.0, 1.0, 1.0], [1.0, 6.0, 1.0]]]).log()
    first, second = 3 / 4 * 2 / 4 + 1 / 2 * 1 / 8, 3 / 4 * 1 / 4 + 1 / 2 * 6 / 8
    expected = torch.tensor([first, second]) / (first + second)
    found = pixel_probabilities(MaskPrediction(masks, classes))
    torch.testing.assert_close(found.flatten(), expected, rtol=1e-4, atol=1e-5)


def test_where_no_mask_is_all_classes_are_alike() -> None:
    nowhere = MaskPrediction(torch.full((1, 2, 1, 1), -1e4), torch.zeros(1, 2, CLASSES + 1))
    torch.testing.assert_close(pixel_probabilities(nowhere).flatten(), torch.full((CLASSES,), 1 / CLASSES))


def test_the_label_is_the_class_of_the_largest_share() -> None:
    model = built().eval()
    images = pixels(1, 3, 48, 64)
    final: list[MaskPrediction] = []
    predict = network_of(model)._predict
    network_of(model)._predict = lambda *given: final.append(predict(*given)) or final[-1]  # type: ignore[method-assign, func-returns-value]
    with torch.inference_mode():
        labels = model(images).argmax(dim=1)
    shares = torch.einsum("bqc,bqhw->bchw", final[-1].classes.softmax(dim=-1)[..., :-1], final[-1].masks.sigmoid())
    whole = torch.nn.functional.interpolate(shares / shares.sum(dim=1, keepdim=True), scale_factor=4, mode="bilinear")
    assert (labels == whole.argmax(dim=1)).float().mean() > 0.999  # but for ties


@pytest.mark.parametrize(
    ("block", "progress", "expected"),
    [(0, 0.0, 1), (0, 1 / 6, 1), (0, 0.25, 0.5**0.9), (0, 2 / 6, 0), (3, 4 / 6, 1), (3, 0.75, 0.5**0.9), (3, 5 / 6, 0)],
)
def test_masks_go_block_after_block(block: int, progress: float, expected: float) -> None:
    assert mask_probability(block, 4, progress) == pytest.approx(expected, abs=1e-6)


def sharpened(model: ImageModel) -> ImageModel:
    """Random masks hardly differ from nothing: these do."""
    with torch.no_grad():
        network_of(model).mask_head[-1].weight.mul_(30)  # type: ignore[operator]
    return model


def of_training(model: ImageModel, progress: float, images: Tensor) -> Tensor:
    model.train().progress = progress
    with torch.no_grad():
        return model(images)["out"]


def test_at_the_end_of_training_inference_is_what_was_trained() -> None:
    model, images = sharpened(built()), pixels(2, 3, 64, 64)
    with torch.no_grad():
        unmasked = model.eval()(images)
    torch.testing.assert_close(of_training(model, 1.0, images), unmasked)
    assert not torch.allclose(of_training(model, 0.0, images), unmasked, atol=1e-3)


def test_a_masked_query_sees_nothing_outside_of_its_mask() -> None:
    network = network_of(built())
    grid, prefix = (4, 4), network.encoder.num_prefix_tokens
    masks = torch.full((1, QUERIES, 16, 16), -1.0)
    masks[0, 2, :8, :8] = 1.0
    tokens = QUERIES + prefix + 16
    visible = network._visible(masks, torch.tensor(1.0), tokens, grid)[0, 0]
    patches = visible[:QUERIES, -16:].view(QUERIES, *grid)
    assert patches[2].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert not patches[[0, 1, 3, 4, 5]].any()
    assert visible[:, : QUERIES + prefix].all()
    assert visible[QUERIES:].all()
    assert network._visible(masks, torch.tensor(0.0), tokens, grid).all()


def test_half_of_the_queries_are_masked_at_half_the_probability() -> None:
    network = network_of(built())
    torch.manual_seed(0)
    masks = torch.full((500, QUERIES, 16, 16), -1.0)
    visible = network._visible(masks, torch.tensor(0.5), QUERIES + network.encoder.num_prefix_tokens + 16, (4, 4))
    assert visible[:, 0, :QUERIES, -1].float().mean() == pytest.approx(0.5, abs=0.05)


def test_progress_reaches_the_network_and_stays_out_of_the_weights() -> None:
    model = built(query_blocks=2)
    before = set(model.state_dict())
    model.progress = 0.4
    assert model.progress == 0.4
    assert network_of(model).mask_probabilities.tolist() == pytest.approx([0.4**0.9, 1])
    assert set(model.state_dict()) == before
    assert not any("mask_probabilities" in name for name in before)


@pytest.mark.parametrize("encoder_name", ["vit_tiny_patch16_224", "vit_small_patch14_reg4_dinov2"])
def test_plain_transformers_with_and_without_registers_take_any_size(encoder_name: str) -> None:
    model = built(encoder_name).eval()
    with torch.inference_mode():
        for size in ((33, 70), (5, 9)):
            assert model(pixels(1, 3, *size)).shape == (1, CLASSES, *size)


def test_without_queries_it_is_the_encoder_itself() -> None:
    """Embedding, blocks and norm as timm runs them."""
    model = built(query_blocks=1).eval()
    network, images = network_of(model), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        tokens, grid = network.embedded(images)
        for block in network.encoder.blocks:
            tokens = block(tokens)
        torch.testing.assert_close(network.encoder.norm(tokens), network.encoder.forward_features(images))
    assert grid == (4, 6)


def test_layer_decay_goes_by_block() -> None:
    model = built()
    depths = model.parameter_depths()
    blocks = len(network_of(model).encoder.blocks)
    for name, depth in depths.items():
        parts = name.split(".")
        if "blocks" in parts:
            assert depth == 1 + int(parts[parts.index("blocks") + 1]), name
        elif parts[1] == "encoder":
            assert depth == (blocks if "norm" in parts[2] else 0), name
        else:
            assert depth == blocks + 1, name
    rates = {group["depth"]: group["lr"] for group in parameter_groups(model, 1.0, 0.0, layer_decay=0.5)}
    assert rates == {depth: 0.5 ** (blocks + 1 - depth) for depth in range(blocks + 2)}


def test_the_loss_falls_when_one_batch_is_learned_by_heart() -> None:
    model = built().train()
    images = pixels(2, 3, 32, 32)
    target = torch.zeros(2, 32, 32, dtype=torch.long)
    target[0, :, 16:], target[1, 16:] = 1, 2
    target[:, :2] = 255
    loss, optimizer = MaskClassification(), torch.optim.AdamW(model.parameters(), lr=3e-3)
    totals = []
    steps = 40
    for step in range(steps):
        model.progress = step / steps
        optimizer.zero_grad()
        total = loss(model(images), target).total
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert sum(totals[-5:]) < 0.4 * sum(totals[:5])
    with torch.inference_mode():
        labels = model.eval()(images).argmax(dim=1)
    valid = target != 255
    assert (labels == target)[valid].float().mean() > 0.9


def test_weights_start_from_a_file_of_the_encoder(tmp_path: Path) -> None:
    file = str(tmp_path / "encoder.pt")
    source = network_of(built(seed=1)).encoder
    torch.save(source.state_dict(), file)
    model = eomt_model("test_vit", CLASSES, MEAN, STD, encoder_weights=file, query_blocks=2)
    for name, weight in network_of(model).encoder.state_dict().items():
        assert torch.equal(weight, source.state_dict()[name]), name


def test_other_bands_and_patches() -> None:
    model = eomt_model("test_vit", CLASSES, MEAN[:1] * 5, STD[:1] * 5, patch_size=8, query_blocks=2).eval()
    assert model.divisor == 8
    assert model(pixels(1, 5, 20, 20)).shape == (1, CLASSES, 20, 20)


def test_a_copy_changes_its_own_masks() -> None:
    model = built()
    twin = copy.deepcopy(model)
    twin.progress = 1.0
    assert network_of(model).mask_probabilities.tolist() == [1, 1]
    assert network_of(twin).mask_probabilities.tolist() == [0, 0]


def test_impossible_values_are_told() -> None:
    with pytest.raises(UserError, match=r"^model.query_blocks=99: test_vit has \d+ blocks; .*$"):
        built(query_blocks=99)
    with pytest.raises(UserError, match=r"^model.encoder_name=resnet18: timm has no plain vision transformer.*$"):
        built("resnet18")
    (fault,) = eomt_faults({"encoder_name": "vit_smal_patch16_224"})
    assert "did you mean vit_small_patch16_224?" in fault
    (fault,) = eomt_faults({"encoder_name": "test_vit", "encoder_weights": "dino"})
    assert fault.startswith("encoder_weights=dino")
    with pytest.raises(UserError, match=r"^model.encoder_name=vit_tiny_patch16_224.nope: .*$"):
        eomt_model("vit_tiny_patch16_224.nope", CLASSES, MEAN, STD, encoder_weights="imagenet")
