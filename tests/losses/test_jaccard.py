import pytest
import segmentation_models_pytorch as smp
import torch

from segmentation.errors import UserError
from segmentation.losses import Jaccard

VOID = 255


def test_by_hand() -> None:
    """Three valid pixels: classes 0, 0, 1 with p0 = 0.5, 0.75, 0.25; smooth = 2.

    class 0: overlap 1.25, predicted 1.5, truth 2 -> 1 - (1.25 + 2) / (2.25 + 2) = 1/4.25
    class 1: overlap 0.75, predicted 1.5, truth 1 -> 1 - (0.75 + 2) / (1.75 + 2) = 1/3.75
    """
    logits = torch.tensor([[0.5, 0.75, 0.25, 0.1], [0.5, 0.25, 0.75, 0.9]]).log().unsqueeze(0)
    total, parts = Jaccard(smooth=2.0)(logits, torch.tensor([[0, 0, 1, VOID]]))
    assert total.item() == pytest.approx((1 / 4.25 + 1 / 3.75) / 2)
    assert parts == {"jaccard": total}


def test_label_maps_by_hand() -> None:
    """Sigmoids 0.5 and 0.75, the first label holding at the first pixel alone, the second nowhere: only the first
    counts, with overlap 0.5, predicted 1.25, truth 1 -> 1 - 1.5 / 2.75.
    """
    logits = torch.tensor([[[0.5, 0.75, 0.9], [0.2, 0.3, 0.4]]]).logit()
    target = torch.tensor([[[1, 0, VOID], [0, VOID, 0]]])
    assert Jaccard(smooth=1.0)(logits, target).total.item() == pytest.approx(1 - 1.5 / 2.75)


def test_per_image_by_hand() -> None:
    """The second image holds class 1 alone: 1 - 1/2, 1 - 1/4 where it is given half, where a quarter."""
    logits = torch.tensor([[[0.5], [0.5]], [[0.75], [0.25]]]).log()
    target = torch.tensor([[0], [1]])
    smooth = 1e-6
    assert Jaccard(smooth=smooth, per_image=True)(logits, target).total.item() == pytest.approx(
        (1 / 2 + 3 / 4) / 2, abs=1e-5
    )
    whole = (1 - 0.5 / (1 + 1.25 - 0.5) + 1 - 0.25 / (1 + 0.75 - 0.25)) / 2
    assert Jaccard(smooth=smooth)(logits, target).total.item() == pytest.approx(whole, abs=1e-5)


def test_equals_segmentation_models_pytorch_where_nothing_is_ignored() -> None:
    """Theirs takes no ignore index: 255 in the target makes it raise."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 6, 5, generator=generator)
    target = torch.randint(0, 4, (3, 6, 5), generator=generator)
    expected = smp.losses.JaccardLoss("multiclass", smooth=3.0)(logits, target)
    torch.testing.assert_close(Jaccard(smooth=3.0)(logits, target).total, expected)
    maps = torch.randint(0, 2, logits.shape, generator=generator)
    expected = smp.losses.JaccardLoss("multilabel", smooth=3.0)(logits, maps)
    torch.testing.assert_close(Jaccard(smooth=3.0)(logits, maps).total, expected)


@pytest.mark.parametrize("smooth", [0.0, float("nan")])
def test_bad_smooth(smooth: float) -> None:
    with pytest.raises(UserError, match=r"^smooth .*$"):
        Jaccard(smooth=smooth)
