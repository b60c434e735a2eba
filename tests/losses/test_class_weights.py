"""Class weights, by a method's name or as numbers, wherever a configured loss asks for them."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from segmentation.apps.config.check import faults_in
from segmentation.build.class_weights import asks_for_counts, fill_class_weights
from segmentation.build.make import make
from segmentation.data.class_weights import METHODS, class_weights
from segmentation.errors import UserError
from segmentation.losses import CrossEntropy
from tests.conftest import Compose

DATA = ("dataset=folder", "dataset.root=data", "dataset.classes=[road,car,sky]")
COUNTS = np.array([[60, 20, 0], [0, 80, 40]])
DEEP = ("loss=auxiliary", "loss@loss.loss=combined", "+loss@loss.loss.parts.ohem=ohem", "+loss.loss.weights.ohem=1.0")
AT: dict[str, tuple[Sequence[str], str]] = {
    "alone": (["loss=cross_entropy"], "loss"),
    "in a sum": (["loss=focal_dice"], "loss.parts.focal"),
    "of heads": (["loss=auxiliary"], "loss.loss"),
    "in a sum of heads": (DEEP, "loss.loss.parts.ohem"),
}


@pytest.fixture(params=AT)
def at(request: pytest.FixtureRequest) -> tuple[Sequence[str], str]:
    return AT[request.param]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_becomes_numbers_at_any_depth(at: tuple[Sequence[str], str], method: str, composed: Compose) -> None:
    overrides, path = at
    cfg = composed(*DATA, *overrides, f"{path}.class_weights={method}")
    assert faults_in(cfg) == []
    assert asks_for_counts(cfg) == (method != "none")
    fill_class_weights(cfg.loss, COUNTS)
    assert OmegaConf.select(cfg, f"{path}.class_weights") == class_weights(COUNTS, method)
    assert "'class_weights': 'none'" not in str(cfg.loss), "of the others, too"
    make(cfg.loss)
    assert faults_in(cfg) == [], "as the run's own configuration holds it"


def test_filled_weights_are_those_of_the_loss(composed: Compose) -> None:
    cfg = composed(*DATA, "loss.class_weights=median")
    fill_class_weights(cfg.loss, COUNTS)
    logits, target = torch.randn(1, 3, 8), torch.arange(8).remainder(3).view(1, 8)
    expected = CrossEntropy(class_weights=class_weights(COUNTS, "median"))(logits, target).total
    assert make(cfg.loss)(logits, target).total == expected


@pytest.mark.parametrize("given", ["sqrt", "[1,2]", "[1,2,3,4]", "[0,0,0]", "[1,-1,1]", "1.0"])
def test_what_cannot_be_is_told_in_one_line(at: tuple[Sequence[str], str], given: str, composed: Compose) -> None:
    overrides, path = at
    (fault,) = faults_in(composed(*DATA, *overrides, f"{path}.class_weights={given}"))
    assert fault.startswith(f"{path}.class_weights=")
    assert "none, inverse, median, enet, or a list of numbers" in fault
    assert "one for each class (3)" in fault
    assert "\n" not in fault


def test_a_method_that_came_past_the_check_is_refused(composed: Compose) -> None:
    with pytest.raises(UserError, match=r"^loss\.class_weights=sqrt: choose none, inverse, .*$"):
        fill_class_weights(composed(*DATA, "loss.class_weights=sqrt").loss, COUNTS)
