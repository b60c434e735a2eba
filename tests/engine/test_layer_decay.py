import re
from collections.abc import Callable
from functools import cache

import pytest
import torch
from hydra.utils import instantiate
from torch import nn
from torch.optim import SGD

from segmentation.build.model import build_model
from segmentation.build.training import build_optimizer
from segmentation.classes import Classes
from segmentation.engine.layer_decay import Group, KnowsDepths, OwnGroup, describe_groups, parameter_groups
from segmentation.engine.schedule import Schedule, constant
from segmentation.errors import UserError
from segmentation.models.image.pixels import ImageModel
from segmentation.models.image.smp import smp_model
from segmentation.models.image.torchvision import torchvision_model
from tests.engine.configured import choices, configured
from tests.engine.toy import options
from tests.models.image.small import SMALL, build, image_models

LR, WEIGHT_DECAY, LAYER_DECAY, HEAD = 0.1, 0.01, 0.5, 3.0
MEAN, STD = [0.5] * 3, [0.25] * 3
NETWORKS = [
    *(("Unet", encoder) for encoder in ("resnet18", "mobilenet_v2", "efficientnet-b0", "mit_b0", "tu-convnext_atto")),
    *((architecture, "resnet18") for architecture in ("DeepLabV3Plus", "UnetPlusPlus", "FPN")),
    ("torchvision", "resnet50"),
]
over_networks = pytest.mark.parametrize(("architecture", "encoder"), NETWORKS)


@cache
def network(architecture: str, encoder: str) -> ImageModel:
    if architecture == "torchvision":
        return torchvision_model("deeplabv3_resnet50", 3, MEAN, STD)
    return smp_model(architecture, encoder, 3, MEAN, STD)


def groups_of(model: nn.Module) -> list[Group]:
    return parameter_groups(model, LR, WEIGHT_DECAY, LAYER_DECAY, HEAD)


@cache
def groups_in(architecture: str, encoder: str) -> list[Group]:
    return groups_of(network(architecture, encoder))


def trainable(model: nn.Module) -> list[str]:
    """Parameters of an encoder that nothing uses are frozen from the start."""
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


@over_networks
def test_groups_hold_every_parameter_once(architecture: str, encoder: str) -> None:
    model = network(architecture, encoder)
    groups = groups_in(architecture, encoder)
    names = [name for group in groups for name in group["names"]]
    assert sorted(names) == sorted(trainable(model))
    parameters = dict(model.named_parameters())
    for group in groups:
        assert len(group["params"]) == len(group["names"]) > 0
        assert all(parameters[name] is p for name, p in zip(group["names"], group["params"], strict=True))


@over_networks
def test_rates_rise_strictly_from_the_first_stage_to_the_head(architecture: str, encoder: str) -> None:
    groups = groups_in(architecture, encoder)
    kinds = [(group["depth"], group["weight_decay"] > 0) for group in groups]
    assert len(set(kinds)) == len(kinds), "two groups are the same"
    rate_at = {group["depth"]: group["lr"] for group in groups}
    assert all(group["lr"] == rate_at[group["depth"]] for group in groups)
    depths = sorted(rate_at)
    assert depths == list(range(len(depths)))
    assert len(depths) >= 5, "four stages of an encoder, or five, and the head"
    head = depths[-1]
    assert rate_at[head] == pytest.approx(LR * HEAD)
    for depth in depths[:-1]:
        assert rate_at[depth] == pytest.approx(LR * LAYER_DECAY ** (head - depth))


@over_networks
def test_the_encoder_is_below_decoder_and_head(architecture: str, encoder: str) -> None:
    groups = groups_in(architecture, encoder)
    head = max(group["depth"] for group in groups)
    place = "network.backbone." if architecture == "torchvision" else "network.encoder."
    for group in groups:
        assert all(name.startswith(place) == (group["depth"] < head) for name in group["names"])


@over_networks
def test_biases_and_norms_are_not_decayed_and_all_else_is(architecture: str, encoder: str) -> None:
    model = network(architecture, encoder)
    norms = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
    undecayed = {
        name for group in groups_in(architecture, encoder) if group["weight_decay"] == 0 for name in group["names"]
    }
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(prefix, recurse=False):
            if not parameter.requires_grad:
                continue
            if isinstance(module, norms) or name.endswith(".bias") or parameter.ndim < 2:
                assert name in undecayed
            else:
                assert name not in undecayed


def test_stages_are_in_the_order_in_which_the_encoder_computes_them() -> None:
    def depths(encoder: str) -> dict[str, int]:
        found = network("Unet", encoder).parameter_depths()
        return {name.removeprefix("network.encoder."): depth for name, depth in found.items()}

    resnet = depths("resnet18")
    assert resnet["conv1.weight"] == resnet["bn1.bias"] == 0
    assert [resnet[f"layer{stage}.0.conv1.weight"] for stage in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert resnet["network.segmentation_head.0.weight"] == resnet["network.decoder.blocks.0.conv1.0.weight"] == 5

    transformer = depths("mit_b0")
    assert [transformer[f"patch_embed{stage}.proj.weight"] for stage in (1, 2, 3, 4)] == [0, 1, 2, 3]
    assert [transformer[f"block{stage}.1.mlp.fc2.weight"] for stage in (1, 2, 3, 4)] == [0, 1, 2, 3]

    convnext = depths("tu-convnext_atto")
    assert convnext["model.stem_0.weight"] == 0
    stages = [convnext[f"model.stages_{stage}.blocks.0.conv_dw.weight"] for stage in (0, 1, 2, 3)]
    assert stages == [0, 1, 2, 3]


@over_networks
def test_frozen_parameters_are_in_no_group_and_do_not_move_the_others(architecture: str, encoder: str) -> None:
    model = network(architecture, encoder)
    rates = {name: group["lr"] for group in groups_in(architecture, encoder) for name in group["names"]}
    frozen = [p for name, p in model.named_parameters() if rates.get(name) == min(rates.values())]
    try:
        for parameter in frozen:
            parameter.requires_grad_(False)
        groups = groups_of(model)
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
    left = {name: group["lr"] for group in groups for name in group["names"]}
    assert left == {name: rate for name, rate in rates.items() if rate != min(rates.values())}


@pytest.mark.parametrize("name", choices("scheduler"))
def test_the_ratio_between_groups_outlives_every_schedule(name: str) -> None:
    config = configured(f"scheduler={name}", "++scheduler.patience=0" if name == "plateau" else "seed=0")
    make: Callable[..., Schedule] = instantiate(config.scheduler, _convert_="all")
    groups = groups_in("Unet", "resnet18")
    planned = [group["lr"] for group in groups]
    optimizer = SGD([{**group} for group in groups])
    schedule = make(optimizer, total_steps=40, steps_per_epoch=4)
    rates = set()
    for step in range(1, 40):
        now = [group["lr"] for group in optimizer.param_groups]
        assert [rate / now[-1] for rate in now] == pytest.approx([rate / planned[-1] for rate in planned])
        rates.add(now[-1])
        optimizer.step()
        schedule.step()
        if step % 4 == 0:
            schedule.epoch_end(1 / step)  # falls, so that the plateau is left
    assert len(rates) > 1 or name == "constant"


@pytest.mark.parametrize(("architecture", "encoder"), [("Unet", "mobilenet_v2"), ("Unet", "tu-convnext_atto")])
def test_with_equal_gradients_each_group_moves_in_the_ratio_of_its_rate(architecture: str, encoder: str) -> None:
    model = network(architecture, encoder)
    groups = parameter_groups(model, LR, 0.0, LAYER_DECAY, HEAD)
    head = max(group["depth"] for group in groups)
    optimizer = SGD([{**group} for group in groups])
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    depths = model.parameter_depths()
    for name, parameter in model.named_parameters():
        factor = HEAD if depths[name] == head else LAYER_DECAY ** (head - depths[name])
        moved = before[name] - parameter.detach()
        torch.testing.assert_close(moved, torch.full_like(moved, LR * factor), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", image_models())
def test_the_groups_of_every_shipped_model_are_disjoint_complete_and_rise_to_the_head(name: str) -> None:
    config = configured(f"model={name}", *SMALL.get(name, ()), "optimizer.layer_decay=0.5", "optimizer.lr=0.1")
    classes = Classes.from_entries(config.dataset.classes)
    model = build_model(config, classes, options(), torch.device("cpu"), pretrained=False)
    groups = build_optimizer(config, model).param_groups
    names = [name for group in groups for name in group["names"]]
    assert sorted(names) == sorted(trainable(model))
    rates = {group["depth"]: group["lr"] for group in groups}
    head = max(rates)
    assert head >= 2
    assert rates == {depth: pytest.approx(0.1 * 0.5 ** (head - depth)) for depth in range(head + 1)}
    assert all(group["lr"] == rates[group["depth"]] for group in groups)


class Stages(nn.Module):
    """Knows nothing of depths: stem, body and head in the order in which it has them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.body = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        self.head = nn.Conv2d(4, 2, 1)


def test_a_model_that_knows_no_depths_is_taken_in_the_order_of_its_modules() -> None:
    model = Stages()
    assert not isinstance(model, KnowsDepths)
    found = {tuple(group["names"]): (group["lr"], group["weight_decay"]) for group in groups_of(model)}
    assert found == {
        ("stem.weight",): (pytest.approx(LR / 4), WEIGHT_DECAY),
        ("stem.bias",): (pytest.approx(LR / 4), 0.0),
        ("body.0.weight",): (pytest.approx(LR / 2), WEIGHT_DECAY),
        ("body.0.bias", "body.1.weight", "body.1.bias"): (pytest.approx(LR / 2), 0.0),
        ("head.weight",): (pytest.approx(LR * HEAD), WEIGHT_DECAY),
        ("head.bias",): (pytest.approx(LR * HEAD), 0.0),
    }


def test_without_decay_and_multiplier_all_rates_are_equal() -> None:
    assert {group["lr"] for group in parameter_groups(Stages(), LR, WEIGHT_DECAY)} == {LR}


def test_depths_that_are_not_of_the_models_parameters_are_refused() -> None:
    class Forgetful(Stages):
        def parameter_depths(self) -> dict[str, int]:
            return {name: 0 for name, _ in self.named_parameters() if name != "head.bias"}

    with pytest.raises(ValueError, match=r"head\.bias"):
        groups_of(Forgetful())


def test_the_table_counts_every_parameter() -> None:
    groups = groups_of(Stages())
    header, rows = describe_groups(groups)
    assert all(len(row) == len(header) for row in rows)
    counted = sum(int(row[header.index("parameters")].replace(",", "")) for row in rows)
    assert counted == sum(parameter.numel() for parameter in Stages().parameters())
    assert [float(row[header.index("lr")]) for row in rows] == pytest.approx([group["lr"] for group in groups])


def rates_with(*own: OwnGroup) -> dict[str, tuple[float, float]]:
    """Rate and weight decay of each parameter of `Stages`."""
    groups = parameter_groups(Stages(), LR, WEIGHT_DECAY, LAYER_DECAY, HEAD, own)
    return {name: (group["lr"], group["weight_decay"]) for group in groups for name in group["names"]}


def test_own_groups_change_what_they_match_and_nothing_else() -> None:
    usual = rates_with()
    own = rates_with(OwnGroup("*.bias", lr=0.7), OwnGroup("body*", lr_multiplier=10, weight_decay=0.3))
    assert own == {
        **usual,
        **dict.fromkeys(("stem.bias", "body.0.bias", "body.1.bias", "head.bias"), (0.7, 0.0)),
        **dict.fromkeys(("body.0.weight", "body.1.weight"), (pytest.approx(LR / 2 * 10), 0.3)),
    }


def test_own_groups_come_first_and_the_head_stays_last() -> None:
    groups = parameter_groups(Stages(), LR, WEIGHT_DECAY, LAYER_DECAY, HEAD, [OwnGroup("stem*", lr=0.7)])
    assert [group["name"] for group in groups][:2] == ["stem* stage 0", "stem* stage 0, biases and norms"]
    assert groups[-1]["depth"] == 2


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ([OwnGroup("haed*")], "haed* matches none of the 8 trainable"),
        ([OwnGroup("head.wieght")], "did you mean head.weight?"),
        ([OwnGroup("head*"), OwnGroup("head.bias")], "only what groups before it have"),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(own: list[OwnGroup], says: str) -> None:
    with pytest.raises(UserError, match=re.escape(says)):
        rates_with(*own)


def test_a_pattern_for_what_is_frozen_matches_nothing() -> None:
    model = Stages()
    model.stem.requires_grad_(False)
    with pytest.raises(UserError, match="none of the 6 trainable"):
        parameter_groups(model, LR, WEIGHT_DECAY, own=[OwnGroup("stem*")])


@pytest.mark.parametrize(
    ("model", "overrides", "kept"),
    [
        ("vit_linear", (), {"pos_embed", "cls_token"}),
        ("vit_linear", ("model.encoder_name=tu-test_vit4",), {"pos_embed", "reg_token"}),
        ("eomt", (), {"pos_embed", "cls_token", "queries"}),
        (
            "vit_upernet",
            ("model.encoder_name=tu-swin_tiny_patch4_window7_224", "+model.depths=[1,1,1,1]", "+model.embed_dim=24"),
            {"relative_position_bias_table"},
        ),
    ],
)
def test_positions_and_tokens_are_not_decayed(model: str, overrides: tuple[str, ...], kept: set[str]) -> None:
    """Of what has more than one dimension, these alone; timm's models say the same."""
    built = build(model, *overrides)
    groups = parameter_groups(built, LR, WEIGHT_DECAY)
    undecayed = {name for group in groups if group["weight_decay"] == 0 for name in group["names"]}
    wide = {name for name, parameter in built.named_parameters() if parameter.ndim > 1 and parameter.requires_grad}
    assert {name.rpartition(".")[2] for name in undecayed & wide} == kept
    assert {name.rpartition(".")[2] for name in wide - undecayed} == {"weight"}


def test_the_table_tells_the_full_rates_whatever_the_warm_up_has_made_of_them() -> None:
    optimizer = SGD(groups_of(Stages()))
    expected = describe_groups(optimizer.param_groups)
    before = [group["lr"] for group in optimizer.param_groups]
    constant(optimizer, total_steps=100, steps_per_epoch=10, warmup=0.5)
    assert [group["lr"] for group in optimizer.param_groups] != before
    assert describe_groups(optimizer.param_groups) == expected
