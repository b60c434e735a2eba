from math import isnan
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
import torch
import torchmetrics.functional.classification as reference
from torch import Tensor

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.metrics.counting import count_by_sample, sum_by_sample
from segmentation.metrics.scores import metric_names
from segmentation.metrics.segmentation import SegmentationMetric, confusion_counts

VOID = 255
NAMES = ("road", "car", "sky")
CLASSES = Classes(NAMES, ((128, 64, 128), (0, 0, 142), (70, 130, 180)))
MEANS = ("mean_accuracy", "mIoU", "mDice", "mean_precision", "mean_recall", "mean_F1")


def logits_of(labels: Tensor, num_classes: int) -> Tensor:
    return torch.nn.functional.one_hot(labels, num_classes).movedim(-1, 1).float()


def random_batch(num_classes: int, *size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, num_classes + 1, size, generator=generator)
    return torch.randn(size[0], num_classes, *size[1:], generator=generator), target.where(target < num_classes, VOID)


def test_where_nothing_was_counted_all_is_nan() -> None:
    metric = SegmentationMetric(CLASSES)
    assert metric.confusion.equal(torch.zeros(3, 3, dtype=torch.int64))
    assert all(isnan(value) for value in metric.compute().values())
    metric.update(torch.randn(2, 3, 4, 4), torch.full((2, 4, 4), VOID), ["a", "b"])
    assert metric.confusion.equal(torch.zeros(3, 3, dtype=torch.int64))
    assert all(isnan(value) for value in metric.compute().values())


def test_counts_of_one_image_by_hand() -> None:
    target = torch.tensor([[[0, 0, 1], [2, VOID, 1]]])
    labels = torch.tensor([[[0, 1, 1], [2, 2, 0]]])
    metric = SegmentationMetric(CLASSES)
    metric.update(logits_of(labels, 3), target, ["image"])
    assert metric.confusion.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert metric.confusion.dtype == torch.int64
    assert metric.compute()["pixel_accuracy"] == 3 / 5


@pytest.mark.parametrize("size", [(2, 24), (2, 4, 6), (2, 2, 3, 4)])
def test_any_number_of_dimensions_and_a_mapping(size: tuple[int, ...]) -> None:
    logits, target = random_batch(3, 2, 24)
    flat, shaped = SegmentationMetric(CLASSES), SegmentationMetric(CLASSES)
    flat.update(logits, target, ["a", "b"])
    shaped.update({"out": logits.view(2, 3, *size[1:]), "aux": -logits}, target.view(size), ["a", "b"])
    assert shaped.confusion.equal(flat.confusion)


def test_batches_add_up_to_one_large_batch_until_reset() -> None:
    logits, target = random_batch(3, 7, 8, 8)
    whole, parts = SegmentationMetric(CLASSES), SegmentationMetric(CLASSES)
    whole.update(logits, target, list("abcdefg"))
    for start, stop in ((0, 3), (3, 6), (6, 7)):
        parts.update(logits[start:stop], target[start:stop], list("abcdefg")[start:stop])
    assert parts.confusion.equal(whole.confusion)
    assert parts.compute() == whole.compute()
    parts.reset()
    assert parts.confusion.sum() == 0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
@pytest.mark.parametrize("num_classes", [2, 19, 150])
def test_counts_equal_scikit_learn(num_classes: int, dtype: torch.dtype) -> None:
    logits, target = random_batch(num_classes, 2, 32, 32)
    labels, valid = logits.argmax(dim=1), target != VOID
    counts = confusion_counts(labels, target.to(dtype), num_classes, VOID)
    expected = sklearn.metrics.confusion_matrix(target[valid], labels[valid], labels=range(num_classes))
    assert np.array_equal(counts.sum(dim=0).numpy(), expected)
    assert counts.equal(
        torch.cat([confusion_counts(labels[i : i + 1], target[i : i + 1], num_classes, VOID) for i in (0, 1)])
    )


@pytest.mark.parametrize("ignore_index", [-100, -1, 0, 3, 255])
def test_the_ignored_and_what_is_no_class_is_not_counted(ignore_index: int) -> None:
    target = torch.tensor([[0, 1, 2, ignore_index, 4, 254, -7]])
    counts = confusion_counts(torch.tensor([[0, 1, 2, 0, 1, 2, 0]]), target, 3, ignore_index)
    expected = [int(index != ignore_index) for index in range(3)]
    assert counts.tolist() == [torch.diag(torch.tensor(expected)).tolist()]


@pytest.mark.parametrize("ignore_index", [-1, 65535])
def test_a_byte_mask_may_have_more_classes_than_a_byte_holds(ignore_index: int) -> None:
    target = torch.tensor([[0, 255]], dtype=torch.uint8)
    counts = confusion_counts(torch.tensor([[299, 255]]), target, 300, ignore_index)
    assert counts.nonzero().tolist() == [[0, 0, 299], [0, 255, 255]]


def test_areas_are_counted_beside_the_places() -> None:
    target = torch.tensor([[[0, 0, 1], [2, VOID, 1]]])
    labels = torch.tensor([[[0, 1, 1], [2, 2, 0]]])
    metric = SegmentationMetric(CLASSES)
    metric.update(logits_of(labels, 3), target, ["mesh"], torch.tensor([[[5, 7, 11], [13, 1000, 17]]]))
    assert metric.confusion.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert metric.sums["area"].tolist() == [[5, 7, 0], [17, 11, 0], [0, 0, 13]]
    values = metric.compute()
    assert (values["pixel_accuracy"], values["area_accuracy"]) == (3 / 5, 29 / 53)
    assert values["area_mIoU"] == pytest.approx((5 / 29 + 11 / 35 + 1) / 3)
    assert (values["area_IoU/car"], values["area_recall/road"]) == (11 / 35, 5 / 12)
    assert list(values) == metric_names(NAMES, by_area=True)
    metric.reset()
    metric.update(logits_of(labels, 3), target, ["image"])
    assert list(metric.compute()) == metric_names(NAMES)


def test_areas_are_exact_where_floating_point_is_not() -> None:
    """Sums above 2**53 by integers of Python, and those of scikit-learn, which adds integers as such."""
    logits, target = random_batch(3, 2, 32, 32)
    weights = torch.randint(2**53, 2**55, target.shape, generator=torch.Generator().manual_seed(1)) | 1
    labels, valid = logits.argmax(dim=1), target != VOID
    counts = confusion_counts(labels, target, 3, VOID, weights).sum(dim=0).tolist()
    expected = [[0] * 3 for _ in range(3)]
    for truth, said, weight in zip(
        target[valid].tolist(), labels[valid].tolist(), weights[valid].tolist(), strict=True
    ):
        expected[truth][said] += weight
    assert counts == expected
    assert any(int(float(cell)) != cell for row in expected for cell in row)
    reference_counts = sklearn.metrics.confusion_matrix(
        target[valid], labels[valid], sample_weight=weights[valid].numpy()
    )
    assert reference_counts.tolist() == expected


def test_scores_by_area_agree_with_scikit_learn() -> None:
    logits, target = random_batch(3, 4, 40, 40)
    weights = torch.randint(0, 10_000, target.shape, generator=torch.Generator().manual_seed(1))
    metric = SegmentationMetric(CLASSES)
    for part in (slice(0, 3), slice(3, 4)):
        metric.update(logits[part], target[part], list("abcd")[part], weights[part])
    values, valid = metric.compute(), target != VOID
    truth, labels, areas = target[valid].numpy(), logits.argmax(dim=1)[valid].numpy(), weights[valid].numpy()
    iou = sklearn.metrics.jaccard_score(truth, labels, average=None, sample_weight=areas)
    f1 = sklearn.metrics.f1_score(truth, labels, average=None, sample_weight=areas)
    assert [values[f"area_IoU/{name}"] for name in NAMES] == pytest.approx(list(iou))
    assert [values[f"area_F1/{name}"] for name in NAMES] == pytest.approx(list(f1))
    assert (values["area_mIoU"], values["area_mDice"]) == pytest.approx((iou.mean(), f1.mean()))
    assert values["area_accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(truth, labels, sample_weight=areas))
    assert values["area_kappa"] == pytest.approx(sklearn.metrics.cohen_kappa_score(truth, labels, sample_weight=areas))


def test_the_count_for_other_devices_is_the_same() -> None:
    """A meta tensor takes the way of a GPU, and raises on whatever would have to be read on the host."""
    cells = torch.randint(0, 12, (2, 1000), generator=torch.Generator().manual_seed(0))
    assert sum_by_sample(cells, torch.ones_like(cells), 14).equal(count_by_sample(cells, 14))
    metric = SegmentationMetric(CLASSES)
    target = torch.zeros(2, 4, 4, dtype=torch.uint8, device="meta")
    metric.update(torch.randn(2, 3, 4, 4, device="meta"), target, ["a"], target.long())
    assert metric.confusion.is_meta
    assert metric.sums["area"].is_meta


def test_counts_of_inference_mode_may_be_changed_outside_of_it() -> None:
    metric = SegmentationMetric(CLASSES)
    with torch.inference_mode():
        metric.update(*random_batch(3, 2, 4, 4), ["a", "b"])
    before = metric.confusion.clone()
    metric.confusion.add_(before)
    assert metric.confusion.equal(2 * before)


def test_agrees_with_torchmetrics_and_scikit_learn() -> None:
    logits, target = random_batch(3, 4, 40, 40)
    metric = SegmentationMetric(CLASSES)
    metric.update(logits, target, list("abcd"))
    values = metric.compute()

    def by_class(score: str) -> list[float]:
        return [values[f"{score}/{name}"] for name in NAMES]

    each: dict[str, Any] = {"num_classes": 3, "ignore_index": VOID, "average": "none"}
    assert by_class("IoU") == pytest.approx(reference.multiclass_jaccard_index(logits, target, **each).tolist())
    assert by_class("F1") == pytest.approx(reference.multiclass_f1_score(logits, target, **each).tolist())
    assert by_class("recall") == pytest.approx(reference.multiclass_accuracy(logits, target, **each).tolist())
    assert by_class("Dice") == by_class("F1")

    valid = target != VOID
    truth, labels = target[valid].numpy(), logits.argmax(dim=1)[valid].numpy()
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(truth, labels)
    iou = sklearn.metrics.jaccard_score(truth, labels, average=None)
    for score, expected in (("precision", precision), ("recall", recall), ("F1", f1), ("IoU", iou)):
        assert by_class(score) == pytest.approx(list(expected))
    assert values["pixel_accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(truth, labels))
    assert values["mean_accuracy"] == pytest.approx(sklearn.metrics.balanced_accuracy_score(truth, labels))
    assert values["FWIoU"] == pytest.approx(np.average(iou, weights=support))
    assert values["kappa"] == pytest.approx(sklearn.metrics.cohen_kappa_score(truth, labels))
    for name, expected in zip(MEANS, (recall, iou, f1, precision, recall, f1), strict=True):
        assert values[name] == pytest.approx(expected.mean())


def test_one_logit_stands_for_two_classes() -> None:
    metric = SegmentationMetric(Classes(("background", "defect"), ((0, 0, 0), (255, 0, 0))))
    metric.update(torch.tensor([[[2.0, -1.0, 0.5, 3.0]]]), torch.tensor([[1, 0, 0, VOID]]), ["a"])
    assert metric.confusion.tolist() == [[1, 1], [0, 1]]
    with pytest.raises(UserError, match=r"^.* 2 classes.* 3: .*$"):
        SegmentationMetric(CLASSES).update(torch.randn(1, 1, 4), torch.zeros(1, 4, dtype=torch.int64), ["a"])


def test_bad_shapes() -> None:
    metric = SegmentationMetric(CLASSES)
    target = torch.zeros(1, 4, 4, dtype=torch.int64)
    with pytest.raises(UserError, match=r"^.* 4 classes.* 3: .*$"):
        metric.update(torch.randn(1, 4, 4, 4), target, ["a"])
    with pytest.raises(ValueError, match="same shape"):
        metric.update(torch.randn(1, 3, 4, 1), target, ["a"])
