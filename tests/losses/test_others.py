"""What losses of torch, torchvision and segmentation-models-pytorch do that those here are kept for.

A test that fails with a new version of theirs says that ours may go.
"""

from collections.abc import Callable
from functools import partial

import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.losses import BinaryCrossEntropy, CrossEntropy, Dice, Focal, Jaccard, Loss, LovaszSoftmax, Tversky

VOID = 255


def batch() -> tuple[Tensor, Tensor]:
    """Four classes, the last two of which do not occur, and some void."""
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 3, (2, 6, 5), generator=generator)
    return torch.randn(2, 4, 6, 5, generator=generator), target.where(target < 2, VOID)


def test_cross_entropy_of_torch_is_no_number_on_void() -> None:
    logits, target = batch()
    void = torch.full_like(target, VOID)
    assert F.cross_entropy(logits, void, ignore_index=VOID).isnan()
    assert CrossEntropy()(logits, void).total == 0


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (partial(smp.losses.DiceLoss, smooth=1.0), Dice(smooth=2.0)),
        (partial(smp.losses.TverskyLoss, smooth=1.0, alpha=0.3, beta=0.7), Tversky(smooth=1.0)),
    ],
    ids=["dice", "tversky"],
)
def test_overlap_of_smp_is_diluted_by_classes_that_do_not_occur(theirs: Callable[..., nn.Module], ours: Loss) -> None:
    """The loss of a batch would fall with the number of classes that it lacks."""
    logits, target = batch()
    of_four = theirs("multiclass", ignore_index=VOID)(logits, target)
    of_two = theirs("multiclass", ignore_index=VOID, classes=[0, 1])(logits, target)
    torch.testing.assert_close(of_four, of_two / 2)
    torch.testing.assert_close(ours(logits, target).total, of_two)


def test_overlap_of_smp_is_no_number_in_float16() -> None:
    """A sum of pixels is beyond what float16 holds."""
    logits, target = torch.zeros(1, 2, 512, 512).half(), torch.arange(512 * 512).remainder(2).view(1, 512, 512)
    assert smp.losses.DiceLoss("multiclass", ignore_index=VOID)(logits, target).isnan()
    assert Dice()(logits, target).total.item() == pytest.approx(0.5, abs=1e-4)


def test_jaccard_of_smp_takes_no_ignore_index() -> None:
    logits, target = batch()
    with pytest.raises(RuntimeError):
        smp.losses.JaccardLoss("multiclass")(logits, target)
    assert Jaccard()(logits, target).total.isfinite()


def test_focal_loss_of_smp_is_no_number_on_void_and_tells_each_class_from_all_others() -> None:
    logits, target = batch()
    theirs = smp.losses.FocalLoss("multiclass", gamma=0.0, ignore_index=VOID)
    assert theirs(logits, torch.full_like(target, VOID)).isnan()
    cross_entropy = F.cross_entropy(logits, target, ignore_index=VOID)
    assert not theirs(logits, target).isclose(cross_entropy, rtol=0.1)
    torch.testing.assert_close(Focal(gamma=0.0)(logits, target).total, cross_entropy)


def test_binary_cross_entropy_of_smp_counts_void_pixels_as_learnt() -> None:
    logits, target = batch()
    theirs = smp.losses.SoftBCEWithLogitsLoss(ignore_index=VOID)(logits[:, 0], target.float())
    share = (target != VOID).float().mean()
    torch.testing.assert_close(BinaryCrossEntropy()(logits[:, :1], target).total, theirs / share)


def test_lovasz_of_smp_gives_nothing_to_differentiate_on_void() -> None:
    logits, target = batch()
    logits.requires_grad_()
    void = torch.full_like(target, VOID)
    assert smp.losses.LovaszLoss("multiclass", ignore_index=VOID)(logits, void).numel() != 1
    assert LovaszSoftmax()(logits, void).total == 0
