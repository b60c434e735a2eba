from math import log

import pytest
import torch
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses import CrossEntropy, OhemCrossEntropy

VOID = 255


def four_pixels() -> tuple[Tensor, Tensor]:
    """The true class has 0.9, 0.6, 0.3 and 0.8, and a fifth pixel is void."""
    of_truth = torch.tensor([0.9, 0.6, 0.3, 0.8, 0.01])
    target = torch.tensor([[0, 1, 0, 1, VOID]])
    first = of_truth.where(target == 0, 1 - of_truth)
    return torch.stack([first, 1 - first], dim=1).log(), target


@pytest.mark.parametrize(
    ("threshold", "min_kept", "kept"),
    [
        (0.7, 0.0, [0.6, 0.3]),
        (0.7, 0.2, [0.6, 0.3]),
        (0.7, 0.6, [0.6, 0.3, 0.8]),
        (0.2, 0.2, [0.3]),
        (0.2, 0.4, [0.6, 0.3]),
        (0.2, 1.0, [0.9, 0.6, 0.3, 0.8]),
        (1.0, 0.0, [0.9, 0.6, 0.3, 0.8]),
    ],
)
def test_by_hand(threshold: float, min_kept: float, kept: list[float]) -> None:
    total, parts = OhemCrossEntropy(threshold=threshold, min_kept=min_kept)(*four_pixels())
    assert total.item() == pytest.approx(-sum(map(log, kept)) / len(kept))
    assert parts == {"ohem": total}


def test_class_weights_by_hand() -> None:
    """They choose nothing: the pixels of 0.6 and 0.3 are the hardest whatever they weigh."""
    total = OhemCrossEntropy(threshold=0.7, min_kept=0.0, class_weights=[3.0, 1.0])(*four_pixels()).total
    assert total.item() == pytest.approx(-(log(0.6) + 3 * log(0.3)) / 4)


def test_no_pixel_is_hard() -> None:
    logits, target = four_pixels()
    assert OhemCrossEntropy(threshold=0.2, min_kept=0.0)(logits, target).total.item() == 0


def test_with_all_pixels_it_is_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, 5, generator=generator)
    target = torch.randint(0, 4, (2, 6, 5), generator=generator)
    expected = CrossEntropy()(logits, target).total
    torch.testing.assert_close(OhemCrossEntropy(threshold=1.0)(logits, target).total, expected)
    torch.testing.assert_close(OhemCrossEntropy(threshold=1e-9, min_kept=1.0)(logits, target).total, expected)


def test_a_model_that_diverged_is_not_hidden() -> None:
    logits = torch.full((1, 2, 3), torch.nan)
    assert OhemCrossEntropy()(logits, torch.zeros(1, 3, dtype=torch.int64)).total.isnan()


@pytest.mark.parametrize(
    ("option", "value"), [("threshold", 0.0), ("threshold", 1.1), ("min_kept", -0.1), ("min_kept", 2)]
)
def test_bad_options(option: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"^{option} is .*$"):
        OhemCrossEntropy(**{option: value})  # type: ignore[arg-type]
