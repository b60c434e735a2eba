import logging
from pathlib import Path

import pytest
import torch
from torch import nn

from segmentation.errors import UserError
from segmentation.models.options import ModelOptions
from segmentation.models.start import freeze_all_but, load_start
from segmentation.runtime.checkpoint import save_checkpoint


class Net(nn.Module):
    def __init__(self, classes: int = 2, late: str = "late") -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        self.add_module(late, nn.Conv2d(4, 4, 1))
        self.head = nn.Conv2d(4, classes, 1)


def saved(folder: Path, model: nn.Module, ema: nn.Module | None = None) -> Path:
    average = None if ema is None else {"model": ema.state_dict()}
    save_checkpoint(folder / "best.pt", {"model": model.state_dict(), "ema": average})
    return folder / "best.pt"


def test_what_fits_is_taken_and_what_does_not_is_told_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other, model = Net(classes=5, late="middle"), Net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with caplog.at_level(logging.INFO, "segmentation"):
        load_start(model, saved(tmp_path, other))
    for name, value in model.state_dict().items():
        source = other.state_dict() if name.startswith("encoder") else before
        assert torch.equal(value, source[name])
    (message,) = caplog.messages
    assert "2 of another shape: head.weight, head.bias" in message
    assert "2 not in it: late.weight, late.bias" in message
    assert "2 without a place: middle.weight, middle.bias" in message


def test_the_averaged_weights_are_taken_where_there_are_some(tmp_path: Path) -> None:
    raw, average, model = Net(), Net(), Net()
    load_start(model, saved(tmp_path, raw, average))
    assert all(torch.equal(value, average.state_dict()[name]) for name, value in model.state_dict().items())


def test_the_folder_of_a_run_is_its_best_checkpoint(tmp_path: Path) -> None:
    other, model = Net(), Net()
    with pytest.raises(UserError, match=r"there is no checkpoint .*best\.pt"):
        load_start(model, tmp_path)
    saved(tmp_path / "checkpoints", other)
    load_start(model, tmp_path)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_checkpoint_of_which_nothing_fits_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    with pytest.raises(UserError, match="none of its 7 weights fits") as error:
        load_start(Net(), path)
    assert "\n" not in str(error.value)


def test_a_part_starts_from_one_run_and_another_from_another(tmp_path: Path) -> None:
    first, second, model = Net(), Net(), Net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    runs = {}
    for part, other in (("encoder", first), ("head", second)):
        (tmp_path / part).mkdir()
        runs[part] = str(saved(tmp_path / part, other))
    ModelOptions(checkpoint=runs).apply_to(model, pretrained=True)
    for name, value in model.state_dict().items():
        source = {"encoder": first.state_dict(), "head": second.state_dict()}.get(name.partition(".")[0], before)
        assert torch.equal(value, source[name]), name


@pytest.mark.parametrize(
    ("part", "says"), [("encodr", "did you mean encoder"), ("late", "none of its 0 weights of late fits the model")]
)
def test_a_part_that_is_not_there_is_refused(part: str, says: str, tmp_path: Path) -> None:
    path = saved(tmp_path, Net(late="middle"))
    with pytest.raises(UserError, match=says) as error:
        load_start(Net(), path, part)
    assert "\n" not in str(error.value)


def test_all_but_the_named_are_frozen_and_frozen_ones_stay_so() -> None:
    model = Net()
    model.get_parameter("head.bias").requires_grad_(False)
    freeze_all_but(model, ["head.*", "encoder.1.?eight"])
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {"head.weight", "encoder.1.weight"}


@pytest.mark.parametrize(
    ("patterns", "says"), [(["head.*", "hed.weight"], "did you mean head.weight"), ([], "nothing would be trained")]
)
def test_a_pattern_that_matches_nothing_is_refused_and_nothing_is_frozen(patterns: list[str], says: str) -> None:
    model = Net()
    with pytest.raises(UserError, match=says):
        freeze_all_but(model, patterns)
    assert all(parameter.requires_grad for parameter in model.parameters())
