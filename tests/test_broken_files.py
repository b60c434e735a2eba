"""Files that break after the check of the data, as disks and other programs break them."""

import logging
import shutil
from pathlib import Path

import pytest

from segmentation.apps.training.train import train
from segmentation.errors import UserError
from tests.conftest import Compose

SPLIT = "{train:[Video_000,Video_001],val:[Video_002],test:[Video_003]}"


@pytest.fixture
def root(tiny_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_root, tmp_path / "data"))


def cut(root: Path, video: str) -> Path:
    """The check before training (quick) looks at masks and at headers: this image has a header still."""
    path = sorted((root / "Images" / video).iterdir())[1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def trained(small: Compose, root: Path, *overrides: str) -> None:
    cfg = small("trainer.epochs=1", "trainer.visualization_count=0", *overrides, f"dataset.split={SPLIT}")
    cfg.dataset.root = str(root)
    train(cfg, root.parent / "run")


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("video", ["Video_001", "Video_002"])
def test_a_broken_image_ends_the_run_with_its_name(small: Compose, root: Path, video: str, workers: int) -> None:
    path = cut(root, video)
    with pytest.raises(UserError, match=f"^{path} is no readable picture.*restore or remove it$"):
        trained(small, root, f"trainer.num_workers={workers}")


@pytest.mark.parametrize("workers", [0, 2])
def test_up_to_the_limit_broken_images_are_told_once_and_left_out(
    small: Compose, root: Path, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [cut(root, "Video_001"), cut(root, "Video_002")]
    with caplog.at_level(logging.WARNING, "segmentation"):
        trained(small, root, "trainer.max_bad_samples=2", f"trainer.num_workers={workers}")
    told = [record.getMessage() for record in caplog.records if "bad sample" in record.getMessage()]
    assert len(told) == 2
    for number, (line, path) in enumerate(zip(told, paths, strict=True), 1):
        assert line.startswith(f"{path} is no readable picture")
        assert line.endswith(f"(bad sample {number}, trainer.max_bad_samples=2)")


def test_beyond_the_limit_the_run_ends_with_the_name(small: Compose, root: Path) -> None:
    cut(root, "Video_001")
    path = cut(root, "Video_002")
    with pytest.raises(UserError, match=rf"^{path} .* \(bad sample 2, more than trainer.max_bad_samples=1 allows\)$"):
        trained(small, root, "trainer.max_bad_samples=1")
