"""What tests of the whole program share: a tiny drawn data set and configurations composed as the command line does."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from segmentation.apps.command import config_folder

ROOT = Path(__file__).resolve().parents[1]
SMALL = (
    "dataset.image_size=[32,64]",
    "trainer.batch_size=2",
    "trainer.val_batch_size=2",
    "trainer.num_workers=0",
    "trainer.precision=fp32",
    "trainer.device=cpu",
    "trainer.visualization_count=1",
)
Compose = Callable[..., DictConfig]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """On networks this small threads only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing that tests compute goes to the user's cache."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drawn videos of two frames, 64x48 pixels, in the DAVID layout."""
    from segmentation.classes import Classes
    from segmentation.data.image.layouts.demo.dataset import draw_demo

    root = tmp_path_factory.mktemp("data") / "tiny"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        entries = compose("config", ["dataset=david"]).dataset.classes
    draw_demo(root, Classes.from_entries(entries), videos=4, frames=2, size=(48, 64))
    return root


@pytest.fixture
def composed() -> Compose:
    """`composed("model=unet", ..., name="config")`: the configuration that this command line gives."""

    def make(*overrides: str, name: str = "config") -> DictConfig:
        with initialize_config_dir(str(config_folder(ROOT / f"{name}.py")), version_base="1.3"):
            return compose(name, list(overrides))

    return make


@pytest.fixture
def small(tiny_root: Path, composed: Compose) -> Compose:
    """A training configuration on the tiny data set, two videos for training, one each for val and test."""

    def make(*overrides: str) -> DictConfig:
        data = (f"dataset.root={tiny_root}", "dataset.split={train:2,val:1,test:1}")
        has_dataset = any(override.startswith("experiment=") for override in overrides)
        return (
            composed(*overrides, *data, *SMALL) if has_dataset else composed("dataset=david", *data, *SMALL, *overrides)
        )

    return make


@pytest.fixture
def run_script(tmp_path: Path) -> Run:
    """`run_script("train.py", "seed=1", ...)` in an empty folder, as a user runs it."""

    def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / script), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    return run
