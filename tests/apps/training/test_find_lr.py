from pathlib import Path

import pytest
from PIL import Image

from segmentation.apps.config.check import faults_in
from segmentation.apps.training.train import train
from segmentation.runtime.files import read_json
from tests.apps.training.test_batch_size import roomy
from tests.conftest import Compose


def test_it_leaves_a_picture_and_a_suggestion_and_trains_nothing(
    small: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        assert train(roomy(small, 2, "trainer.find_lr=true"), tmp_path) is None
    assert {file.name for file in tmp_path.iterdir()} <= {"find_lr.json", "find_lr.png", "train.log"}
    found = read_json(tmp_path / "find_lr.json")
    assert f"suggested: optimizer.lr={found['suggestion']:.1e}" in caplog.text
    assert 10 < len(found["lr"]) == len(found["loss"]) <= 100
    assert found["lr"][0] < found["suggestion"] < found["lr"][-1]
    assert Image.open(tmp_path / "find_lr.png").size == (660, 440)


def test_it_does_not_go_with_a_run_that_goes_on(composed: Compose) -> None:
    (fault,) = faults_in(composed("trainer.find_lr=true", "trainer.resume=auto"))
    assert "trainer.resume does not go with it" in fault
