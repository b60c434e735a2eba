"""Training on one image at a time, by models that can and that cannot."""

from pathlib import Path

import pytest

from segmentation.apps.training.train import train
from segmentation.errors import UserError
from tests.conftest import Compose


def test_a_model_that_pools_to_one_pixel_is_refused_before_anything_is_written(small: Compose, tmp_path: Path) -> None:
    cfg = small("model=deeplabv3plus", "model.encoder_name=tu-test_resnet", "trainer.batch_size=1")
    with pytest.raises(UserError, match=r"trainer\.batch_size=1 .*aspp.* raise trainer\.batch_size") as error:
        train(cfg, tmp_path / "run")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_one_that_does_not_is_trained(small: Compose, tmp_path: Path) -> None:
    cfg = small("model=vit_linear", "model.encoder_name=tu-test_vit", "trainer.batch_size=1", "trainer.max_steps=1")
    train(cfg, tmp_path / "run")
    assert (tmp_path / "run" / "checkpoints" / "last.pt").is_file()
