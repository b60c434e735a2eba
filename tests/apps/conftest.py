"""Run folders as train.py leaves them, without training."""

from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from segmentation.apps.runs.opened import read_classes
from segmentation.apps.training.train import write_description
from segmentation.build.data import build_source, build_split, sample_keys
from segmentation.build.model import build_model
from segmentation.build.training import build_options
from segmentation.runtime.checkpoint import save_checkpoint
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import Compose


@pytest.fixture
def folder(small: Compose, tmp_path: Path) -> RunFolder:
    """As train.py describes a run, before there is a checkpoint."""
    return described(small(), tmp_path / "run")


def described(cfg: DictConfig, path: Path) -> RunFolder:
    source = build_source(cfg.dataset)
    folder = RunFolder(path)
    write_description(folder, cfg, source, sample_keys(build_split(cfg.dataset, source)), {})
    return folder


@pytest.fixture
def scored(small: Compose, tmp_path: Path) -> RunFolder:
    """A run with a checkpoint of a network that was not trained."""
    network = "model.network._target_=tests.models.image.own_network.OwnNetwork"
    cfg = small("model=own", network, "loss.class_weights=null")
    folder = described(cfg, tmp_path / "run")
    model = build_model(
        cfg, read_classes(folder.classes), build_options(cfg, True), torch.device("cpu"), pretrained=False
    )
    save_checkpoint(folder.checkpoint("best"), {"model": model.state_dict(), "epoch": 1})
    return folder
