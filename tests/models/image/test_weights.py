from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants as hub
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from segmentation.errors import UserError
from segmentation.models.image.pixels import ImageModel
from segmentation.models.image.smp import smp_model
from segmentation.models.image.torchvision import torchvision_model
from segmentation.models.image.weights import filters_for_bands, load_encoder_weights
from segmentation.runtime.checkpoint import save_checkpoint
from tests.engine.toy import unequal

Weights = dict[str, Tensor]
PIXELS: dict[str, Any] = {"num_classes": 3, "mean": [0.5] * 3, "std": [0.25] * 3}


def unet(encoder: str = "resnet18", weights: Path | str | None = None, seed: int = 1) -> ImageModel:
    torch.manual_seed(seed)
    return smp_model("Unet", encoder, encoder_weights=None if weights is None else str(weights), **PIXELS)


def encoder_of(model: ImageModel) -> nn.Module:
    return model.network.get_submodule("encoder")


@pytest.fixture(scope="module")
def classifier() -> Weights:
    """A ResNet-18 as it is trained on ImageNet, with its `fc`."""
    torch.manual_seed(0)
    weights: Weights = torchvision.models.resnet18().state_dict()
    weights["bn1.running_mean"] = torch.randn(64)
    return weights


def prefixed(weights: Weights, prefix: str) -> Weights:
    return {f"{prefix}{name}": value for name, value in weights.items()}


def without_fc(weights: Weights) -> Weights:
    return {name: value for name, value in weights.items() if not name.startswith("fc.")}


def backbone_beside_head(weights: Weights) -> Weights:
    head = {name: value for name, value in weights.items() if name.startswith("fc.")}
    return {**prefixed(without_fc(weights), "module.backbone."), **prefixed(head, "module.")}


FORMS: dict[str, Callable[[Weights], dict[str, Any]]] = {
    "as it is": lambda weights: weights,
    "without fc": without_fc,
    "without counters": lambda weights: {n: v for n, v in weights.items() if not n.endswith("num_batches_tracked")},
    "module.": lambda weights: prefixed(weights, "module."),
    "backbone.": lambda weights: prefixed(weights, "backbone."),
    "module.backbone.": lambda weights: prefixed(weights, "module.backbone."),
    "backbone beside head": backbone_beside_head,
    "state_dict": lambda weights: {"epoch": 3, "state_dict": weights},
    "state_dict of module.": lambda weights: {"state_dict": prefixed(weights, "module.")},
    "half precision": lambda weights: {n: v.half() if v.is_floating_point() else v for n, v in weights.items()},
}


@pytest.mark.parametrize(
    ("form", "suffix"),
    [*((form, ".pth") for form in FORMS), ("as it is", ".safetensors"), ("module.backbone.", ".safetensors")],
)
def test_weights_of_a_classifier_load_in_every_form(scratch: Path, classifier: Weights, form: str, suffix: str) -> None:
    content, path = FORMS[form](classifier), scratch / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(content, path)
    else:
        save_file(content.get("state_dict", content), path)
    loaded = encoder_of(unet(weights=path)).state_dict()
    expected = {name: classifier[name] for name in loaded}
    tolerance = 1e-3 if form == "half precision" else 0
    for name, value in loaded.items():
        torch.testing.assert_close(value, expected[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "efficientnet-b0", "mit_b0", "tu-convnext_atto", "tu-resnet18"])
def test_weights_saved_of_an_encoder_load_into_it(scratch: Path, encoder: str) -> None:
    weights = encoder_of(unet(encoder, seed=0)).state_dict()
    assert unequal(encoder_of(unet(encoder)).state_dict(), weights), "the start is another"
    path = saved(scratch / "weights.pth", weights)
    assert not unequal(encoder_of(unet(encoder, path)).state_dict(), weights)


@pytest.mark.parametrize("name", ["convnext_atto", "resnet18", "efficientnet_b0"])
def test_weights_of_timms_classifiers_load_into_its_encoders(scratch: Path, name: str) -> None:
    torch.manual_seed(0)
    classifier = timm.create_model(name)
    path = scratch / "weights.safetensors"
    save_file(classifier.state_dict(), path)
    model = unet(f"tu-{name}", path)
    given = {key.replace("_", "."): value for key, value in classifier.state_dict().items()}
    for key, value in encoder_of(model).state_dict().items():
        assert torch.equal(value, given[key.removeprefix("model.").replace("_", ".")])


def test_the_encoder_of_an_earlier_run_loads_from_its_checkpoint(scratch: Path) -> None:
    earlier = unet(seed=0)
    save_checkpoint(scratch / "best.pt", {"model": earlier.state_dict(), "progress": {"epoch": 3}})
    model = smp_model("FPN", "resnet18", encoder_weights=str(scratch / "best.pt"), **PIXELS)
    assert not unequal(encoder_of(model).state_dict(), encoder_of(earlier).state_dict())


def test_of_a_checkpoint_the_averaged_weights_are_taken_where_there_are_some(scratch: Path) -> None:
    raw, average = unet(seed=0), unet(seed=2)
    content = {"model": raw.state_dict(), "ema": {"model": average.state_dict(), "updates": 3}}
    save_checkpoint(scratch / "best.pt", content)
    assert not unequal(encoder_of(unet(weights=scratch / "best.pt")).state_dict(), encoder_of(average).state_dict())
    save_checkpoint(scratch / "best.pt", {**content, "ema": None})
    assert not unequal(encoder_of(unet(weights=scratch / "best.pt")).state_dict(), encoder_of(raw).state_dict())


def test_weights_load_into_torchvisions_network_too(scratch: Path) -> None:
    torch.manual_seed(0)
    classifier = torchvision.models.resnet50()
    torch.save(classifier.state_dict(), scratch / "resnet50.pth")
    torch.manual_seed(1)
    model = torchvision_model("deeplabv3_resnet50", encoder_weights=str(scratch / "resnet50.pth"), **PIXELS)
    given = classifier.state_dict()
    for name, value in model.network.get_submodule("backbone").state_dict().items():
        assert torch.equal(value, given[name])


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def truncated(folder: Path, weights: Weights, suffix: str) -> Path:
    whole, path = folder / f"whole{suffix}", folder / f"truncated{suffix}"
    save_file(weights, whole) if suffix == ".safetensors" else torch.save(weights, whole)
    path.write_bytes(whole.read_bytes()[:5000])
    return path


def text(folder: Path, suffix: str, content: str = "hello") -> Path:
    path = folder / f"text{suffix}"
    path.write_text(content)
    return path


FAULTY: dict[str, Callable[[Path, Weights], Path]] = {
    "missing": lambda folder, weights: folder / "missing.pth",
    "empty": lambda folder, weights: text(folder, ".pth", ""),
    "truncated .pth": lambda folder, weights: truncated(folder, weights, ".pth"),
    "truncated .safetensors": lambda folder, weights: truncated(folder, weights, ".safetensors"),
    "text .pth": lambda folder, weights: text(folder, ".pth"),
    "text .safetensors": lambda folder, weights: text(folder, ".safetensors"),
    "a tensor": lambda folder, weights: saved(folder / "tensor.pth", torch.zeros(3)),
    "no names": lambda folder, weights: saved(folder / "names.pth", {0: torch.zeros(3)}),
    "no weights": lambda folder, weights: saved(folder / "none.pth", {}),
    "a whole module": lambda folder, weights: saved(folder / "module.pth", nn.Linear(2, 2)),
    "too few": lambda folder, weights: saved(
        folder / "few.pth", {name: value for name, value in weights.items() if not name.startswith("layer4")}
    ),
    "resnet34": lambda folder, weights: saved(folder / "34.pth", torchvision.models.resnet34().state_dict()),
    "resnet50": lambda folder, weights: saved(folder / "50.pth", torchvision.models.resnet50().state_dict()),
    "mobilenet": lambda folder, weights: saved(folder / "m.pth", torchvision.models.mobilenet_v2().state_dict()),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_file_that_is_missing_damaged_or_of_another_architecture_is_one_line(
    scratch: Path, classifier: Weights, fault: str
) -> None:
    path = FAULTY[fault](scratch, classifier)
    with pytest.raises(UserError) as error:
        unet(weights=path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_does_not_fit_leaves_the_encoder_as_it_was(scratch: Path, classifier: Weights) -> None:
    model = unet()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    other = {**classifier, "layer4.1.bn2.bias": torch.zeros(7)}
    with pytest.raises(UserError, match=r"layer4\.1\.bn2\.bias"):
        load_encoder_weights(encoder_of(model), saved(scratch / "other.pth", other))
    assert not unequal(model.state_dict(), before)


@pytest.mark.parametrize("encoder", ["resnet18", "mit_b0", "tu-convnext_atto.d2_in1k"])
@pytest.mark.filterwarnings("ignore:For 'tu-'")
def test_without_the_hub_one_line_says_how_to_go_on(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, encoder: str
) -> None:
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(scratch))
    with pytest.raises(UserError, match=r"model\.encoder_weights=null .* model\.encoder_weights=FILE") as error:
        unet(encoder, "imagenet")
    assert "\n" not in str(error.value)
    assert encoder in str(error.value)
    assert hub.HF_HUB_OFFLINE is True


def test_without_a_network_torchvisions_weights_are_one_line_too(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens on the port named discard
    monkeypatch.setenv("TORCH_HOME", str(scratch))
    with pytest.raises(UserError, match=r"model\.encoder_weights=null .* model\.encoder_weights=FILE") as error:
        torchvision_model("deeplabv3_resnet50", encoder_weights="imagenet", **PIXELS)
    assert "\n" not in str(error.value)


def test_being_offline_is_only_for_the_while_of_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError):
        unet("resnet18", "nosuch")
    assert hub.HF_HUB_OFFLINE is False


@pytest.mark.parametrize(
    "build",
    [
        lambda: unet("resnet18", "nosuch"),
        lambda: torchvision_model("deeplabv3_resnet50", encoder_weights="nosuch", **PIXELS),
    ],
    ids=["smp", "torchvision"],
)
def test_weights_of_an_unknown_name_are_one_line_that_lists_the_known(build: Callable[[], ImageModel]) -> None:
    with pytest.raises(UserError, match="imagenet") as error:
        build()
    assert "\n" not in str(error.value)


BANDS: dict[str, Callable[[str | None, int], ImageModel]] = {
    "smp": lambda path, bands: smp_model("Unet", "resnet18", 3, [0.5] * bands, [0.25] * bands, path),
    "timm": lambda path, bands: smp_model("Unet", "tu-resnet18", 3, [0.5] * bands, [0.25] * bands, path),
    "torchvision": lambda path, bands: torchvision_model(
        "deeplabv3_mobilenet_v3_large", 3, [0.5] * bands, [0.25] * bands, path
    ),
}


@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize("source", BANDS)
def test_filters_for_rgb_are_made_to_take_other_bands(scratch: Path, source: str, bands: int) -> None:
    rgb = BANDS[source](None, 3)
    assert rgb.encoder is not None
    expected = rgb.encoder.state_dict()
    model = BANDS[source](str(saved(scratch / "rgb.pth", expected)), bands)
    assert model.encoder is not None
    weights = model.encoder.state_dict()
    first = next(name for name, weight in expected.items() if weight.ndim == 4)
    torch.testing.assert_close(weights[first], filters_for_bands(expected[first], bands))
    assert not unequal({**weights, first: expected[first]}, expected)
    assert model.eval()(torch.zeros(1, bands, 32, 32, dtype=torch.uint8)).shape == (1, 3, 32, 32)


def test_bands_have_the_filters_of_red_green_and_blue_in_turn() -> None:
    filters = torch.arange(3.0).view(1, 3, 1, 1)
    assert filters_for_bands(filters, 2).flatten().tolist() == [0.0, 1.5]
    assert filters_for_bands(filters, 1).flatten().tolist() == [3.0]
    assert filters_for_bands(filters, 6).flatten().tolist() == [0.0, 0.5, 1.0, 0.0, 0.5, 1.0]


def test_a_transformers_patches_and_positions_are_resampled(scratch: Path) -> None:
    """A classifier with patches of 14 pixels at 28 x 28 gives an encoder with patches of 16 at 64 x 64."""
    torch.manual_seed(0)
    classifier = timm.create_model("test_vit", patch_size=14, img_size=28)
    torch.nn.init.constant_(classifier.get_parameter("pos_embed"), 0.25)
    path = saved(scratch / "vit.pth", classifier.state_dict())
    encoder = smp_model("Linear", "tu-test_vit", encoder_weights=str(path), img_size=64, **PIXELS).encoder
    assert encoder is not None
    weights = encoder.state_dict()
    assert weights["model.patch_embed.proj.weight"].shape[-2:] == (16, 16)
    assert weights["model.pos_embed"].shape[1] in (16, 17)
    torch.testing.assert_close(
        weights["model.pos_embed"][:, 1:], torch.full_like(weights["model.pos_embed"][:, 1:], 0.25)
    )
    key = "blocks.3.attn.qkv.weight"
    assert torch.equal(weights[f"model.{key}"], classifier.state_dict()[key])
