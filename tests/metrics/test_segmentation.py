import warnings
from collections.abc import Iterator
from math import isnan, nan
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
import torch
import torchmetrics.functional.classification as reference
from torch import Tensor

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.metrics import SegmentationMetric, confusion_counts, metric_names, metrics_from
from segmentation.metrics.segmentation import _count_by_scatter

VOID = 255
NAMES = ("road", "car", "sky")
CLASSES = Classes(NAMES, ((128, 64, 128), (0, 0, 142), (70, 130, 180)))
MEANS = ("mean_accuracy", "mIoU", "mDice", "mean_precision", "mean_recall", "mean_F1")


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def logits_of(labels: Tensor, num_classes: int) -> Tensor:
    return torch.nn.functional.one_hot(labels, num_classes).movedim(-1, 1).float()


def random_batch(num_classes: int, *size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, num_classes + 1, size, generator=generator)
    return torch.randn(size[0], num_classes, *size[1:], generator=generator), target.where(target < num_classes, VOID)


def scores(confusion: list[list[int]]) -> dict[str, float]:
    return metrics_from(np.array(confusion), NAMES)


def test_by_hand() -> None:
    """truth 6, 4, 10; predicted 6, 5, 9; hits 4, 3, 8."""
    values = scores([[4, 1, 1], [1, 3, 0], [1, 1, 8]])
    expected = {
        "pixel_accuracy": 15 / 20,
        "mean_accuracy": (4 / 6 + 3 / 4 + 8 / 10) / 3,
        "mIoU": (4 / 8 + 3 / 6 + 8 / 11) / 3,
        "FWIoU": 6 / 20 * 4 / 8 + 4 / 20 * 3 / 6 + 10 / 20 * 8 / 11,
        "mDice": (8 / 12 + 6 / 9 + 16 / 19) / 3,
        "mean_precision": (4 / 6 + 3 / 5 + 8 / 9) / 3,
        "mean_recall": (4 / 6 + 3 / 4 + 8 / 10) / 3,
        "mean_F1": (8 / 12 + 6 / 9 + 16 / 19) / 3,
        "IoU/road": 4 / 8,
        "IoU/car": 3 / 6,
        "IoU/sky": 8 / 11,
        "Dice/road": 8 / 12,
        "Dice/car": 6 / 9,
        "Dice/sky": 16 / 19,
        "precision/road": 4 / 6,
        "precision/car": 3 / 5,
        "precision/sky": 8 / 9,
        "recall/road": 4 / 6,
        "recall/car": 3 / 4,
        "recall/sky": 8 / 10,
        "F1/road": 8 / 12,
        "F1/car": 6 / 9,
        "F1/sky": 16 / 19,
    }
    assert values == pytest.approx(expected)
    assert list(values) == metric_names(NAMES)


def test_an_absent_class_is_nan_and_out_of_the_means() -> None:
    values = scores([[6, 2, 0], [1, 1, 0], [0, 0, 0]])
    assert all(isnan(values[f"{score}/sky"]) for score in ("IoU", "Dice", "precision", "recall", "F1"))
    assert values["mIoU"] == pytest.approx((6 / 9 + 1 / 4) / 2)
    assert values["mDice"] == pytest.approx((12 / 15 + 2 / 5) / 2)
    assert values["mean_precision"] == pytest.approx((6 / 7 + 1 / 3) / 2)
    assert values["mean_recall"] == pytest.approx((6 / 8 + 1 / 2) / 2)
    assert values["FWIoU"] == pytest.approx(8 / 10 * 6 / 9 + 2 / 10 * 1 / 4)


def test_a_class_only_predicted_is_zero_without_recall() -> None:
    values = scores([[6, 0, 2], [0, 2, 0], [0, 0, 0]])
    assert [values[f"{score}/sky"] for score in ("IoU", "Dice", "precision", "F1")] == [0, 0, 0, 0]
    assert isnan(values["recall/sky"])
    assert values["mean_recall"] == values["mean_accuracy"] == pytest.approx((6 / 8 + 1) / 2)
    assert values["mean_precision"] == pytest.approx((1 + 1 + 0) / 3)
    assert values["mIoU"] == pytest.approx((6 / 8 + 1 + 0) / 3)


def test_a_class_never_predicted_is_zero_throughout() -> None:
    values = scores([[6, 0, 0], [0, 2, 0], [1, 1, 0]])
    assert [values[f"{score}/sky"] for score in ("IoU", "Dice", "precision", "recall", "F1")] == [0, 0, 0, 0, 0]
    assert values["mean_precision"] == pytest.approx((6 / 7 + 2 / 3 + 0) / 3)
    assert values["mean_recall"] == pytest.approx((1 + 1 + 0) / 3)


def test_a_perfect_prediction_is_one_throughout() -> None:
    assert set(scores([[5, 0, 0], [0, 2, 0], [0, 0, 9]]).values()) == {1.0}


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
    assert np.array_equal(counts.numpy(), expected)


@pytest.mark.parametrize("ignore_index", [-100, -1, 0, 3, 255])
def test_the_ignored_and_what_is_no_class_is_not_counted(ignore_index: int) -> None:
    target = torch.tensor([[0, 1, 2, ignore_index, 4, 254, -7]])
    counts = confusion_counts(torch.tensor([[0, 1, 2, 0, 1, 2, 0]]), target, 3, ignore_index)
    expected = [int(index != ignore_index) for index in range(3)]
    assert counts.tolist() == torch.diag(torch.tensor(expected)).tolist()


@pytest.mark.parametrize("ignore_index", [-1, 65535])
def test_a_byte_mask_may_have_more_classes_than_a_byte_holds(ignore_index: int) -> None:
    target = torch.tensor([[0, 255]], dtype=torch.uint8)
    counts = confusion_counts(torch.tensor([[299, 255]]), target, 300, ignore_index)
    assert counts.nonzero().tolist() == [[0, 299], [255, 255]]


def test_the_count_for_other_devices_is_the_same() -> None:
    """A meta tensor takes the way of a GPU, and raises on whatever would have to be read on the host."""
    cells = torch.randint(0, 12, (1000,), generator=torch.Generator().manual_seed(0))
    assert _count_by_scatter(cells, 14).equal(torch.bincount(cells, minlength=14))
    metric = SegmentationMetric(CLASSES)
    metric.update(torch.randn(2, 3, 4, 4, device="meta"), torch.zeros(2, 4, 4, dtype=torch.uint8, device="meta"), ["a"])
    assert metric.confusion.is_meta


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
    for name, expected in zip(MEANS, (recall, iou, f1, precision, recall, f1), strict=True):
        assert values[name] == pytest.approx(expected.mean())


def test_a_class_never_predicted_has_the_precision_of_scikit_learn() -> None:
    truth, labels = [0, 0, 1, 2], [0, 0, 1, 1]
    expected = sklearn.metrics.precision_score(truth, labels, average=None, zero_division=0)
    values = metrics_from(sklearn.metrics.confusion_matrix(truth, labels), NAMES)
    assert [values[f"precision/{name}"] for name in NAMES] == pytest.approx(list(expected))


def test_takes_an_array_or_a_tensor_of_many_pixels() -> None:
    """A float32 would not tell 2^40 + 1 from 2^40."""
    many = 2**40
    confusion = torch.tensor([[many, 1], [0, many]])
    values = metrics_from(confusion, ("a", "b"))
    assert values == metrics_from(confusion.numpy(), ("a", "b"))
    assert values["IoU/a"] == many / (many + 1) < 1


def test_a_single_class() -> None:
    values = metrics_from(np.array([[0]]), ["a"])
    assert values == pytest.approx(dict.fromkeys(metric_names(["a"]), nan), nan_ok=True)
    assert metrics_from(np.array([[7]]), ["a"]) == dict.fromkeys(metric_names(["a"]), 1.0)


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
