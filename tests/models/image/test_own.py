import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from segmentation.apps.config.check import faults_in
from segmentation.build.model import build_model
from segmentation.build.training import build_options
from segmentation.errors import UserError
from segmentation.models.image.own import own_model
from segmentation.models.image.pixels import ImageModel
from tests.engine.configured import configured
from tests.models.image.own_network import OwnNetwork
from tests.models.image.small import CLASSES, build, pixels

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, width=4):
        super().__init__()
        self.backbone = nn.Conv2d(3, width, 4, 4)
        self.head = nn.ConvTranspose2d(width, num_classes, 4, 4)

    def forward(self, images):
        assert images.shape[-1] % 4 == 0
        return {"out": self.head(self.backbone(images))}
"""


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network of the user's, importable as train.py makes the current folder."""
    (tmp_path / "my_net.py").write_text(NET)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_net", raising=False)
    return tmp_path


def from_file(*overrides: str) -> ImageModel:
    cfg = configured("model=own", "model.network._target_=my_net.Net", "model.divisor=4", *overrides)
    assert faults_in(cfg) == []
    model = build_model(cfg, CLASSES, build_options(cfg, validates=True), torch.device("cpu"), pretrained=True)
    assert isinstance(model, ImageModel)
    return model


def test_a_class_of_a_file_becomes_a_model(beside: Path) -> None:
    model = from_file("+model.network.width=6").eval()
    assert model(pixels(2, 3, 7, 5)).shape == (2, 5, 7, 5)
    assert model.network.get_parameter("head.weight").shape[0] == 6
    assert model.parameter_depths() == {
        "network.backbone.weight": 0,
        "network.backbone.bias": 0,
        "network.head.weight": 1,
        "network.head.bias": 1,
    }


def test_its_encoder_starts_from_a_file(beside: Path) -> None:
    weights = torch.nn.Conv2d(3, 4, 4).state_dict()
    torch.save(weights, beside / "weights.pth")
    model = from_file("model.encoder=backbone", f"model.encoder_weights={beside / 'weights.pth'}")
    assert torch.equal(model.network.get_parameter("backbone.weight"), weights["weight"])
    assert model.encoder is model.network.get_submodule("backbone")


def test_it_is_told_the_bands_where_it_asks_for_them() -> None:
    model = build("own", "dataset.mean=[0.5,0.5]", "dataset.std=[0.5,0.5]", "dataset.in_channels=2")
    assert model.eval()(pixels(1, 2, 8, 8)).shape == (1, 5, 8, 8)


PIXELS = {"num_classes": 3, "mean": [0.5] * 3, "std": [0.5] * 3}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"encoder": "nose"}, "its own are stem, body, classifier"),
        ({"encoder_weights": "a.pth"}, "the submodule that model.encoder names"),
        ({"encoder": "stem", "encoder_weights": "imagenet"}, "takes a file"),
    ],
)
def test_what_does_not_fit_together_is_one_line(given: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        own_model(OwnNetwork, **PIXELS, **given)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_what_is_no_module_is_told() -> None:
    with pytest.raises(UserError, match="gives a dict"):
        own_model(lambda num_classes: {}, **PIXELS)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (lambda logits: logits[..., ::2, ::2], r"logits \[2, 3, 4, 4\]"),
        (lambda logits: logits[:, 1:], r"logits \[2, 2, 8, 8\]"),
        (lambda logits: {"logits": logits}, "a dict"),
        (lambda logits: [logits], "a list"),
    ],
)
def test_an_answer_that_is_no_logits_is_told(answer: Callable[[torch.Tensor], Any], found: str) -> None:
    class Answering(OwnNetwork):
        def forward(self, images: torch.Tensor) -> Any:
            return answer(super().forward(images)["out"])

    model = own_model(Answering, **PIXELS)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"gives {found} for pixels .*: expected logits .2, 3, 8, 8.,") as error:
        model(pixels(2, 3, 8, 8))
    assert "\n" not in str(error.value)


def test_the_network_has_to_be_named() -> None:
    (fault,) = faults_in(configured("model=own"))
    assert fault.startswith("model.network._target_ is needed")
