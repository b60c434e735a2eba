"""`trainer.batch_size=auto`, with a model that has room for so many images."""

from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from segmentation.apps.training.batch_size import find_batch_size, largest_step
from segmentation.apps.training.train import train
from segmentation.build.class_weights import fill_class_weights
from segmentation.build.data import build_source, build_split
from segmentation.errors import UserError
from segmentation.runtime.device import choose_precision
from tests.conftest import Compose

CPU = torch.device("cpu")
AUTO = "trainer.batch_size=auto"
FP32 = choose_precision("fp32", CPU)


class Roomy(nn.Module):
    """As torch reports it, beyond `room` images there is no memory; the failed attempt leaves gradients behind."""

    def __init__(self, num_classes: int, room: int) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, num_classes, 1)
        self.room = room

    def forward(self, images: Tensor) -> Tensor:
        assert all(parameter.grad is None for parameter in self.parameters())
        if len(images) > self.room:
            self.body(images[:1].float()).sum().backward()
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 1.00 GiB")
        return self.body(images.float() / 255)


def roomy(small: Compose, room: int, *overrides: str) -> DictConfig:
    cfg = small(*overrides)
    cfg.model = {"_target_": "tests.apps.training.test_batch_size.Roomy", "room": room}
    return cfg


def searched(cfg: DictConfig) -> int:
    source = build_source(cfg.dataset)
    parts = build_split(cfg.dataset, source)
    fill_class_weights(cfg.loss, None)
    assert len(parts["train"]) == 4
    return largest_step(cfg, source, parts, None, CPU, FP32)


@pytest.mark.parametrize(("room", "found"), [(2, 2), (3, 3), (4, 4), (100, 4)])
def test_a_step_is_tried_with_more_and_more_of_the_training_images(small: Compose, room: int, found: int) -> None:
    """Two videos of two frames: more than 4 images are never in a batch."""
    cfg = roomy(small, room, AUTO)
    assert searched(cfg) == found
    assert cfg.trainer.batch_size == "auto"


def test_too_little_for_two_images_is_one_line(small: Compose) -> None:
    with pytest.raises(UserError, match="not even 2 images fit") as error:
        searched(roomy(small, 1, AUTO))
    assert "\n" not in str(error.value)


def test_on_a_cpu_it_is_refused(small: Compose, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"batch_size=auto: it is for a GPU, training is on cpu; give a number"):
        train(roomy(small, 2, AUTO), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_keeps_the_batch_size_that_was_found(small: Compose, tmp_path: Path) -> None:
    train(roomy(small, 2, "trainer.epochs=1"), tmp_path)
    cfg = roomy(small, 2, AUTO, "trainer.epochs=2", "trainer.resume=auto")
    train(cfg, tmp_path)
    assert cfg.trainer.batch_size == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_is_found(small: Compose) -> None:
    cfg = small(AUTO, "trainer.device=cuda")
    fill_class_weights(cfg.loss, None)
    source = build_source(cfg.dataset)
    assert find_batch_size(cfg, source, build_split(cfg.dataset, source), None, torch.device("cuda"), FP32) == 4
