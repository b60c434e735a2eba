from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.optim import SGD

from segmentation.apps.training.schedule import draw_rates, rates_of
from segmentation.engine.schedule import cosine, plateau, poly
from segmentation.errors import UserError
from tests.conftest import SMALL, Compose


def optimizer() -> SGD:
    """Stage 0 is in two groups of one rate."""
    named = {"stage 0": 0.1, "stage 0, biases and norms": 0.1, "head": 0.2, "head, biases and norms": 0.2}
    return SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": lr, "name": name} for name, lr in named.items()])


def test_rates_are_those_of_the_schedule_for_each_rate_that_is_planned() -> None:
    sgd = optimizer()
    rates = rates_of(sgd, poly(sgd, 4, 2, power=1.0), 4, 2)
    assert list(rates) == ["stage 0", "head"]
    assert rates["stage 0"] == pytest.approx([0.1, 0.075, 0.05, 0.025])
    assert rates["head"] == pytest.approx([0.2, 0.15, 0.1, 0.05])


def test_of_a_schedule_that_follows_what_is_measured_only_the_warm_up_shows() -> None:
    sgd = optimizer()
    rates = rates_of(sgd, plateau(sgd, 8, 2, warmup=0.25, patience=0), 8, 2)
    assert rates["head"] == pytest.approx([0.1, *[0.2] * 7])


def test_the_first_step_does_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    sgd = optimizer()
    rates_of(sgd, cosine(sgd, 4, 2), 4, 2)
    assert not list(recwarn)


def test_the_picture_is_drawn_and_changes_with_the_schedule(
    composed: Compose, tiny_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = ("dataset=david", f"dataset.root={tiny_root}", "dataset.split={train:2,val:1,test:1}", *SMALL)
    pictures = []
    for name in ("one_cycle", "warm_restarts"):
        path = tmp_path / "new" / f"{name}.png"
        cfg = composed(*data, f"scheduler={name}", "trainer.epochs=30", f"output={path}", name="schedule")
        with caplog.at_level("INFO"):
            assert draw_rates(cfg) == path
        pictures.append(np.asarray(Image.open(path)))
    assert "60 steps, 30 epochs of 2" in caplog.text, "two videos of two frames, two a batch"
    assert pictures[0].shape == pictures[1].shape
    assert not np.array_equal(pictures[0], pictures[1])


def test_faults_are_told(composed: Compose, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"scheduler\.warmup"):
        draw_rates(composed("scheduler.warmup=-1", f"output={tmp_path / 'a.png'}", name="schedule"))
    with pytest.raises(UserError, match=r"batch_size=auto.*give a number"):
        draw_rates(composed("trainer.batch_size=auto", f"output={tmp_path / 'a.png'}", name="schedule"))
    assert not list(tmp_path.iterdir())
