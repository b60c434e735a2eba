from math import log

import pytest
import torch
import torch.nn.functional as F

from segmentation.errors import UserError
from segmentation.losses import BinaryCrossEntropy

VOID = 255
LOGITS = torch.tensor([[[0.25, 0.5, 0.2], [0.75, 0.5, 0.8]]]).logit()


def test_label_maps_by_hand() -> None:
    target = torch.tensor([[[1, 0, VOID], [1, VOID, VOID]]])
    total, parts = BinaryCrossEntropy()(LOGITS, target)
    assert total.item() == pytest.approx((log(4) + log(2) + log(4 / 3)) / 3)
    assert parts == {"bce": total}


def test_weights_of_positives_by_hand() -> None:
    target = torch.tensor([[[1, 0, VOID], [1, VOID, VOID]]])
    total = BinaryCrossEntropy(pos_weight=[3.0, 2.0])(LOGITS, target).total
    assert total.item() == pytest.approx((3 * log(4) + log(2) + 2 * log(4 / 3)) / 3)
    total = BinaryCrossEntropy(pos_weight=3)(LOGITS, target).total
    assert total.item() == pytest.approx((3 * log(4) + log(2) + 3 * log(4 / 3)) / 3)


def test_class_ids_are_one_against_all_others() -> None:
    total = BinaryCrossEntropy()(LOGITS, torch.tensor([[1, 0, VOID]])).total
    maps = torch.tensor([[[0, 1, VOID], [1, 0, VOID]]])
    assert total == BinaryCrossEntropy()(LOGITS, maps).total
    assert total.item() == pytest.approx((log(4 / 3) + log(4 / 3) + log(2) + log(2)) / 4)


@pytest.mark.parametrize("as_map", [False, True])
def test_one_logit_takes_ids_or_a_map(as_map: bool) -> None:
    target = torch.tensor([[1, 0, VOID]])
    total = BinaryCrossEntropy()(LOGITS[:, :1], target.unsqueeze(1) if as_map else target).total
    assert total.item() == pytest.approx((log(4) + log(2)) / 2)


def test_equals_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 9, 7, generator=generator)
    target = torch.randint(0, 3, logits.shape, generator=generator)
    valid = target < 2
    weight = torch.tensor([0.5, 1.0, 2.0, 4.0])
    each = F.binary_cross_entropy_with_logits(
        logits, target.clamp(max=1).float(), pos_weight=weight.view(-1, 1, 1), reduction="none"
    )
    total = BinaryCrossEntropy(pos_weight=weight.tolist())(logits, target.where(valid, VOID)).total
    torch.testing.assert_close(total, each[valid].mean())


@pytest.mark.parametrize("pos_weight", [0.0, -1.0, float("inf"), [1.0, float("nan")], []])
def test_bad_weights(pos_weight: float | list[float]) -> None:
    with pytest.raises(UserError, match=r"^pos_weight is .*$"):
        BinaryCrossEntropy(pos_weight=pos_weight)


def test_wrong_number_of_weights() -> None:
    with pytest.raises(UserError, match=r"^pos_weight holds 3 numbers for 2 labels.*$"):
        BinaryCrossEntropy(pos_weight=[1.0, 1.0, 1.0])(LOGITS, torch.tensor([[1, 0, VOID]]))
