"""Two classes that one logit tells apart, from the command line to the score."""

from pathlib import Path

import pytest
import torch

from segmentation.apps.config.check import faults_in
from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.training.train import train
from segmentation.build.model import build_model
from segmentation.build.training import build_options
from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.runtime.checkpoint import load_checkpoint
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import ROOT, SMALL, Compose
from tests.data.image.layouts.every import LAYOUTS

TILES = ROOT.parent / "shared" / "data" / "magnetic_tile"
BINARY = ("dataset=split_files", "dataset.root=data", "dataset.classes=[intact,defect]", "model.one_logit=true")
MODEL = ("model=unet", "model.encoder_name=resnet18", "model.encoder_weights=null", "model.one_logit=true")


def trained_and_evaluated(composed: Compose, path: Path, *overrides: str) -> RunFolder:
    """Trains three steps; the score that evaluation gives is the one that training had."""
    folder = RunFolder(path)
    train(composed(*overrides, *SMALL, *MODEL, "trainer.max_steps=3", "trainer.epochs=2"), folder.path)
    row = read_json(folder.history)[-1]
    assert row["step"] == 3
    assert evaluate_run(composed(f"run={folder.path}", "checkpoint=last", name="evaluate")) == row["val/mIoU"]
    result = read_json(folder.evaluation / "val-last.json")["metrics"]
    assert result["val/loss"] == row["val/loss"]
    assert result["val/IoU/defect"] == row["val/IoU/defect"]
    return folder


def test_training_and_evaluation_agree(composed: Compose, tmp_path: Path) -> None:
    data = LAYOUTS["split_files"](tmp_path / "data")
    folder = trained_and_evaluated(composed, tmp_path / "run", *data, "loss=bce_dice", "trainer.monitor=val/IoU/defect")
    weights = load_checkpoint(folder.checkpoint("last"))["model"]
    (head,) = [tensor for name, tensor in weights.items() if name.endswith("segmentation_head.0.bias")]
    assert head.shape == (1,)
    assert list(folder.visualizations.rglob("epoch_002/*.png"))


@pytest.mark.skipif(not TILES.is_dir(), reason="the magnetic tiles are not here")
def test_magnetic_tiles(composed: Compose, tmp_path: Path) -> None:
    """A few of them: the lists name which."""
    for part in ("train", "val"):
        stems = (TILES / f"{part}.txt").read_text(encoding="utf-8").split()
        (tmp_path / f"{part}.txt").write_text("\n".join(stems[:: len(stems) // 4]), encoding="utf-8")
    binary = ("dataset.mask_format=binary", "dataset.threshold=128", "dataset.classes=[intact,defect]")
    data = ("dataset=split_files", f"dataset.root={TILES}", f"dataset.lists_dir={tmp_path}", *binary)
    trained_and_evaluated(composed, tmp_path / "run", *data, "loss=bce", "loss.pos_weight=5")


@pytest.mark.parametrize(
    ("loss", "named"),
    [
        ("cross_entropy", "loss._target_=segmentation.losses.cross_entropy"),
        ("lovasz", "loss._target_"),
        ("focal", "loss._target_"),
        ("ohem", "loss._target_"),
        ("focal_dice", "loss.parts.focal._target_"),
        ("auxiliary", "loss.loss._target_"),
    ],
)
def test_a_loss_that_compares_the_logits_of_classes_is_refused(loss: str, named: str, composed: Compose) -> None:
    (fault,) = faults_in(composed(*BINARY, f"loss={loss}"))
    assert fault.startswith(named)
    assert "choose a loss such as bce or dice" in fault


def test_it_takes_two_classes(composed: Compose) -> None:
    three = "dataset.classes=[intact,crack,hole]"
    (fault,) = faults_in(composed(*BINARY, three, "loss=bce"))
    assert fault == "model.one_logit=true: one logit tells two classes apart, dataset.classes has 3; give false"
    cfg = composed(*BINARY, "loss=bce", "dataset.classes=null", "model.encoder_weights=null")
    assert faults_in(cfg) == []
    classes = Classes.from_entries(["intact", "crack", "hole"])
    with pytest.raises(UserError, match=r"^model\.one_logit=true: .* two classes .* 3$"):
        build_model(cfg, classes, build_options(cfg, True), torch.device("cpu"), pretrained=True)


def test_what_is_wrong_with_it_is_told(composed: Compose) -> None:
    assert faults_in(composed(*BINARY, "loss=bce", "loss.pos_weight=[3]")) == []
    (fault,) = faults_in(composed(*BINARY, "loss=bce", "loss.pos_weight=[1,3]"))
    assert fault.startswith("loss.pos_weight=[1, 3]: ")
    (fault,) = faults_in(composed(*BINARY, "loss=bce", "model.one_logit=1"))
    assert fault == "model.one_logit=1: expected true or false"
