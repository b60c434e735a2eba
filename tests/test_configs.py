"""Every configuration that is shipped composes, builds, and takes a step."""

import math
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from segmentation.apps.config_check import RULES, check_config, faults_in
from segmentation.apps.train import train
from segmentation.build import make
from segmentation.errors import UserError
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import ROOT, Compose

GROUPS = ("model", "dataset", "optimizer", "scheduler", "loss", "trainer", "augmentation", "experiment")
SHIPPED = [f"{group}={path.stem}" for group in GROUPS for path in sorted((ROOT / "conf" / group).glob("*.yaml"))]


@pytest.mark.parametrize("choice", SHIPPED)
def test_a_shipped_configuration_takes_a_step(choice: str, small: Compose, tmp_path: Path) -> None:
    cfg = small(choice, "trainer.max_steps=1")
    train(cfg, tmp_path)
    folder = RunFolder(tmp_path)
    row = read_json(folder.history)[0]
    assert row["step"] == 1
    assert math.isfinite(row["train/loss"])
    assert 0 <= row["val/mIoU"] <= 1
    assert folder.checkpoint("last").is_file()


@pytest.mark.parametrize("choice", SHIPPED)
def test_a_shipped_configuration_has_no_faults(choice: str, composed: Compose) -> None:
    assert faults_in(composed(choice)) == []


def test_rules_speak_of_options_that_exist(composed: Compose) -> None:
    known = set().union(*(paths_in(OmegaConf.to_container(composed(choice))) for choice in SHIPPED))
    assert RULES.keys() <= known


def paths_in(node: Any, path: str = "") -> set[str]:
    if not isinstance(node, dict):
        return {path}
    return {path}.union(*(paths_in(value, f"{path}.{key}".lstrip(".")) for key, value in node.items()))


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("trainer.epochs=-1", "trainer.epochs=-1"),
        ("trainer.epochs=many", "trainer.epochs=many"),
        ("trainer.precision=fp8", "trainer.precision=fp8"),
        ("trainer.monitor=val/mIuO", "val/mIoU"),
        ("trainer.monitor=val/IoU/bicycle", "val/IoU/bicycle"),
        ("trainer.early_stopping.monitor=test/mIoU", "test/mIoU"),
        ("trainer.early_stopping.patience=0", "patience=0"),
        ("trainer.average_start=1.5", "average_start=1.5"),
        ("trainer.device=tpu", "trainer.device=tpu"),
        ("trainer.batch_size=0", "batch_size=0"),
        ("trainer.ema_decay=1.0", "ema_decay=1.0"),
        ("optimizer.lr=-0.1", "optimizer.lr=-0.1"),
        ("optimizer.layer_decay=1.2", "layer_decay=1.2"),
        ("scheduler.warmup=2", "scheduler.warmup=2"),
        ("loss.class_weights=sqrt", "loss.class_weights=sqrt"),
        ("dataset.split.train=1.2", "dataset.split.train=1.2"),
        ("dataset.split={train:0.8,val:0.5}", "1.4"),
        ("dataset.split.test=-3", "dataset.split.test=-3"),
        ("dataset.image_size=[256]", "image_size=[256]"),
        ("dataset.ignore_index=300", "ignore_index=300"),
        ("trainer.monitor=val/loss", "trainer.monitor_mode=min"),
        ("scheduler.min_factor=-1", "scheduler.min_factor=-1"),
        ("trainer.early_stopping=null", "trainer.early_stopping"),
        ("+trainer.epoch=3", "did you mean epochs?"),
        ("+optimizer.learning_rate=1", "optimizer.learning_rate"),
        ("+dataset.labls=x", "did you mean labels?"),
        ("+extra=1", "extra: there is no such key"),
        ("augmentation.transforms=[{_target_:albumentations.HorizontalFlip,q:1}]", "augmentation.transforms[0].q"),
        ("augmentation.transforms=[{_target_:albumentations.HorizontalFlop}]", "HorizontalFlop"),
        ("model._target_=segmentation.models.nothing", "segmentation.models.nothing"),
        ("dataset.split_seed=-1", "dataset.split_seed=-1"),
    ],
)
def test_an_impossible_value_is_told(override: str, fault: str, composed: Compose) -> None:
    faults = faults_in(composed("dataset=david", override))
    assert len(faults) == 1
    assert fault in faults[0]
    assert "\n" not in faults[0]


def test_the_monitor_may_be_a_class_unless_it_is_ignored(composed: Compose) -> None:
    monitor = "trainer.monitor=val/IoU/void"
    assert faults_in(composed("dataset=david", monitor)) == []
    assert len(faults_in(composed("dataset=david", monitor, "dataset.ignore_void=true"))) == 1


def test_the_parts_of_a_combined_loss_can_be_monitored(composed: Compose) -> None:
    assert faults_in(composed("loss=combined", "trainer.monitor=val/loss/dice", "trainer.monitor_mode=min")) == []


def test_all_faults_are_told_at_once(composed: Compose) -> None:
    with pytest.raises(UserError) as error:
        check_config(composed("trainer.epochs=-1", "trainer.precision=fp8", "+model.foo=1", "+loss.gamma=2"))
    for fault in ("trainer.epochs=-1", "trainer.precision=fp8", "loss.gamma"):
        assert fault in str(error.value)


def test_an_option_that_the_architecture_does_not_have_is_refused(composed: Compose) -> None:
    with pytest.raises(UserError, match="decoder_chanels"):
        make(composed("+model.decoder_chanels=8").model, num_classes=2)
