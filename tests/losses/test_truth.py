"""The two kinds of target, and what is told where a loss cannot take one."""

from collections.abc import Callable

import pytest
import torch

from segmentation.errors import UserError
from segmentation.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Dice,
    Focal,
    Jaccard,
    Loss,
    LovaszHinge,
    LovaszSoftmax,
    OhemCrossEntropy,
    SigmoidFocal,
    Tversky,
)
from segmentation.losses.truth import label_maps, probabilities

VOID = 255
OF_CLASSES = [CrossEntropy, Focal, OhemCrossEntropy, LovaszSoftmax]
OF_LABELS = [BinaryCrossEntropy, SigmoidFocal, LovaszHinge, Dice, Jaccard, Tversky]


def test_class_ids_become_a_map_for_each_class() -> None:
    logits = torch.randn(1, 3, 4)
    maps = label_maps(logits, torch.tensor([[0, 2, VOID, 1]]), VOID)
    assert maps.logits is logits
    assert maps.truth.int().tolist() == [[[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]]]
    assert maps.valid.tolist() == [[[True, True, False, True]]]


def test_label_maps_are_taken_as_they_are() -> None:
    target = torch.tensor([[[0, 1, VOID], [1, VOID, 1]]])
    maps = label_maps(torch.randn(1, 2, 3), target, VOID)
    assert maps.truth.int().tolist() == [[[0, 1, 0], [1, 0, 1]]]
    assert maps.valid.int().tolist() == [[[1, 1, 0], [1, 0, 1]]]


def test_an_ignore_index_of_one_is_not_a_label_that_holds() -> None:
    assert not label_maps(torch.randn(1, 1, 2), torch.tensor([[[0, 1]]]), ignore_index=1).truth.any()


def test_probabilities_are_a_softmax_of_classes_and_a_sigmoid_of_labels() -> None:
    logits = torch.tensor([[[0.0], [0.0]]])
    assert probabilities(logits, torch.tensor([[1]])).tolist() == [[[0.5], [0.5]]]
    logits = torch.tensor([[[3.0], [3.0]]])
    assert probabilities(logits, torch.tensor([[1]])).tolist() == [[[0.5], [0.5]]]
    torch.testing.assert_close(probabilities(logits, torch.tensor([[[1], [1]]])), logits.sigmoid())
    torch.testing.assert_close(probabilities(logits[:, :1], torch.tensor([[1]])), logits[:, :1].sigmoid())


@pytest.mark.parametrize("make", OF_LABELS)
def test_one_logit_is_learnt_from_class_ids_and_from_a_map_alike(make: Callable[[], Loss]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, 4, 5, generator=generator)
    target = torch.randint(0, 3, (2, 4, 5), generator=generator)
    target = target.where(target < 2, VOID)
    total = make()(logits, target).total
    assert total > 0
    assert total == make()(logits, target.unsqueeze(1)).total


@pytest.mark.parametrize("make", OF_CLASSES)
@pytest.mark.parametrize(("channels", "size"), [(1, (2, 3)), (2, (2, 2, 3))], ids=["one logit", "label maps"])
def test_a_loss_over_classes_says_what_takes_labels(
    make: Callable[[], Loss], channels: int, size: tuple[int, ...]
) -> None:
    with pytest.raises(UserError, match=r"^.*loss=bce, .*dice.*$"):
        make()(torch.randn(2, channels, 3), torch.zeros(size, dtype=torch.int64))


def test_wrong_number_of_labels() -> None:
    with pytest.raises(UserError, match=r"^the model gives 2 logits for 3 labels.*$"):
        BinaryCrossEntropy()(torch.randn(1, 2, 4), torch.zeros(1, 3, 4, dtype=torch.int64))


@pytest.mark.parametrize("size", [(1, 5), (2, 4), (1, 2, 5)])
def test_sizes_that_differ(size: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="differ in their sizes"):
        BinaryCrossEntropy()(torch.randn(1, 2, 4), torch.zeros(size, dtype=torch.int64))
