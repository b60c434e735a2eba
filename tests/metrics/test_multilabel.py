from math import isnan

import pytest
import sklearn.metrics
import torch
from torch import Tensor

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.metrics import MultiLabelMetric, metric_names

VOID = 255
CLASSES = Classes(("crack", "stain", "hole"), ((128, 64, 128), (0, 0, 142), (70, 130, 180)))


def random_batch(*size: int) -> tuple[Tensor, Tensor]:
    """Size (B, *S)."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(size[0], 3, *size[1:], generator=generator)
    target = torch.randint(0, 3, logits.shape, generator=generator)
    return logits, target.where(target < 2, VOID)


def test_by_hand() -> None:
    """The third label is neither there nor predicted; void says nothing whatever is predicted."""
    logits = torch.tensor([[[1.0, 1.0, -1.0, 1.0, 0.0], [-1.0, -1.0, 1.0, 1.0, -1.0], [-1.0] * 5]])
    target = torch.tensor([[[1, 0, 1, VOID, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, VOID]]])
    metric = MultiLabelMetric(CLASSES)
    metric.update({"out": logits}, target, ["a"])
    assert metric.confusion.tolist() == [[[1, 1], [1, 1]], [[2, 0], [1, 2]], [[4, 0], [0, 0]]]
    assert metric.confusion.dtype == torch.int64
    values = metric.compute()
    assert list(values) == metric_names(CLASSES.names)
    assert values["IoU/crack"] == pytest.approx(1 / 3)
    assert values["IoU/stain"] == pytest.approx(2 / 3)
    assert isnan(values["IoU/hole"])
    assert values["mIoU"] == pytest.approx((1 / 3 + 2 / 3) / 2)
    assert values["mDice"] == pytest.approx((1 / 2 + 4 / 5) / 2)
    assert values["FWIoU"] == pytest.approx(2 / 5 * 1 / 3 + 3 / 5 * 2 / 3)
    assert values["pixel_accuracy"] == pytest.approx((2 + 4 + 4) / (4 + 5 + 4))
    assert values["precision/stain"] == 1
    assert values["recall/stain"] == pytest.approx(2 / 3)


def test_counts_equal_scikit_learn() -> None:
    logits, target = random_batch(4, 20, 20)
    metric = MultiLabelMetric(CLASSES)
    metric.update(logits[:3], target[:3], list("abc"))
    metric.update(logits[3:], target[3:], ["d"])
    for label in range(3):
        valid = target[:, label] != VOID
        expected = sklearn.metrics.confusion_matrix(target[:, label][valid], logits[:, label][valid] > 0)
        assert metric.confusion[label].tolist() == expected.tolist()


def test_any_number_of_dimensions_until_reset() -> None:
    logits, target = random_batch(2, 24)
    flat, shaped = MultiLabelMetric(CLASSES), MultiLabelMetric(CLASSES)
    flat.update(logits, target, ["a", "b"])
    shaped.update(logits.view(2, 3, 4, 6), target.view(2, 3, 4, 6), ["a", "b"])
    assert shaped.confusion.equal(flat.confusion)
    shaped.reset()
    assert shaped.confusion.sum() == 0
    assert all(isnan(value) for value in shaped.compute().values())


def test_counts_on_the_device_and_of_inference_mode() -> None:
    """A meta tensor raises on whatever would have to be read on the host."""
    logits, target = random_batch(2, 4, 4)
    metric = MultiLabelMetric(CLASSES)
    metric.update(logits.to("meta"), target.to("meta"), ["a", "b"])
    assert metric.confusion.is_meta
    metric.reset()
    with torch.inference_mode():
        metric.update(logits, target, ["a", "b"])
    metric.confusion.add_(1)


def test_bad_shapes() -> None:
    metric = MultiLabelMetric(CLASSES)
    with pytest.raises(UserError, match=r"^.* 4 labels.* 3: .*$"):
        metric.update(torch.randn(1, 4, 4), torch.zeros(1, 4, 4), ["a"])
    with pytest.raises(ValueError, match="same shape"):
        metric.update(torch.randn(1, 3, 4), torch.zeros(1, 4), ["a"])
