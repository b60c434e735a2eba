from math import isnan, nan

import numpy as np
import pytest
import sklearn.metrics
import torch
import torchmetrics.functional.classification as reference

from segmentation.metrics.scores import (
    HEADLINES,
    Counts,
    metric_names,
    metrics_from,
    scores_from,
    scores_over_images,
)

NAMES = ("road", "car", "sky")


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
        "kappa": (15 / 20 - 146 / 400) / (1 - 146 / 400),  # by chance 6 x 6 + 4 x 5 + 10 x 9 of 20 x 20
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
    expected = dict.fromkeys(metric_names(["a"]), 1.0) | {"kappa": nan}
    assert metrics_from(np.array([[7]]), ["a"]) == pytest.approx(expected, abs=0, nan_ok=True)


def test_kappa_where_chance_alone_agrees() -> None:
    """Cohen's is 0/0 where there is one class only; 0 where the prediction is always the same class."""
    assert isnan(scores([[9, 0, 0], [0, 0, 0], [0, 0, 0]])["kappa"])
    assert scores([[6, 0, 0], [3, 0, 0], [0, 0, 0]])["kappa"] == 0
    assert scores([[0, 5, 0], [5, 0, 0], [0, 0, 0]])["kappa"] == -1


def test_kappa_does_not_cancel_where_almost_all_is_of_one_class() -> None:
    """2^40 right, one pixel of each class wrong: chance explains all but 2^-40 of the agreement; by hand
    1 - 2 n / (2 (2^40 + 1)) with n = 2^40 + 2 pixels."""
    many = 2**40
    assert metrics_from(np.array([[many, 1], [1, 0]]), ("a", "b"))["kappa"] == pytest.approx(-1 / (many + 1), rel=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_kappa_agrees_with_scikit_learn_and_torchmetrics(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, 500)
    labels = np.where(random.random(500) < 0.6, truth, random.integers(0, 3, 500))
    kappa = metrics_from(sklearn.metrics.confusion_matrix(truth, labels), NAMES)["kappa"]
    assert kappa == pytest.approx(sklearn.metrics.cohen_kappa_score(truth, labels))
    expected = reference.multiclass_cohen_kappa(torch.tensor(labels), torch.tensor(truth), num_classes=3)
    assert kappa == pytest.approx(expected.item(), rel=1e-5)


def test_many_matrices_at_once_have_the_scores_that_each_has_alone() -> None:
    confusion = np.random.default_rng(0).integers(0, 50, (4, 5, 3, 3))
    confusion[0, 0] = 0
    confusion[1, :, 2] = confusion[1, :, :, 2] = 0
    confusion[2, 2, 1] = 0
    together = scores_from(Counts.of(confusion), NAMES)
    assert list(together) == metric_names(NAMES)
    for place in np.ndindex(4, 5):
        alone = metrics_from(confusion[place], NAMES)
        assert {name: values[place] for name, values in together.items()} == pytest.approx(alone, abs=0, nan_ok=True)


def test_the_headlines_are_the_scores_over_all_classes() -> None:
    assert tuple(name for name in metric_names(NAMES) if "/" not in name) == HEADLINES


def test_names_and_counts_of_other_sizes_are_told() -> None:
    with pytest.raises(ValueError, match="zip"):
        metrics_from(np.zeros((3, 3)), ("road", "car"))


def test_counts_from_matrices_and_their_total() -> None:
    counts = Counts.of(torch.tensor([[[4, 1], [2, 3]], [[0, 5], [0, 1]]]))
    assert counts.hits.tolist() == [[4, 3], [0, 1]]
    assert counts.truth.tolist() == [[5, 5], [5, 1]]
    assert counts.predicted.tolist() == [[6, 4], [0, 6]]
    assert [each.tolist() for each in counts.total()] == [[4, 4], [10, 6], [6, 10]]


def test_mean_and_deviation_over_images_by_hand() -> None:
    """Two images and one that is all void: car is in the first alone, sky in neither."""
    confusion = np.array(
        [
            [[3, 1, 0], [0, 2, 0], [0, 0, 0]],
            [[8, 0, 0], [0, 0, 0], [0, 0, 0]],
            np.zeros((3, 3)),
        ]
    )
    values = scores_over_images(Counts.of(confusion), NAMES)
    first = (3 / 4 + 2 / 3) / 2
    assert values["image_mean/mIoU"] == pytest.approx((first + 1) / 2)
    assert values["image_std/mIoU"] == pytest.approx((1 - first) / 2)
    assert values["image_mean/pixel_accuracy"] == pytest.approx((5 / 6 + 1) / 2)
    assert (values["image_mean/IoU/car"], values["image_std/IoU/car"]) == (pytest.approx(2 / 3), 0)
    assert isnan(values["image_mean/IoU/sky"])
    assert isnan(values["image_std/IoU/sky"])
    kappa = 1 - 1 * 6 / (4 * 3 + 2 * 3)  # of the first alone: the second is of one class
    assert values["image_mean/kappa"] == pytest.approx(kappa)
    assert list(values) == [f"image_{kind}/{name}" for kind in ("mean", "std") for name in metric_names(NAMES)]


def test_one_image_has_its_own_scores_and_no_deviation() -> None:
    confusion = np.array([[4, 1, 1], [1, 3, 0], [1, 1, 8]])
    values = scores_over_images(Counts.of(confusion[None]), NAMES)
    assert {name: values[f"image_mean/{name}"] for name in metric_names(NAMES)} == metrics_from(confusion, NAMES)
    assert {values[f"image_std/{name}"] for name in metric_names(NAMES)} == {0.0}


def test_images_without_anything_counted_have_no_mean() -> None:
    for images in (0, 2):
        values = scores_over_images(Counts.of(np.zeros((images, 3, 3))), NAMES)
        assert all(isnan(value) for value in values.values())
