import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.data.batch import Batch
from segmentation.engine.evaluate import LossMean, evaluate
from segmentation.losses import Combined, CrossEntropy, Dice, LossValue
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.outputs import Outputs
from segmentation.runtime.device import Precision
from tests.engine.toy import CLASSES, CPU, FP32, TinyNet, val_loader


class GivesItsInput(nn.Module):
    """The batch's inputs are the logits."""

    def forward(self, logits: Tensor) -> Outputs:
        return logits


def certain(labels: list[list[int]]) -> Tensor:
    """Logits `[1, C, H, W]` that say `labels` `[H, W]`."""
    return 10 * F.one_hot(torch.tensor([labels]), len(CLASSES)).permute(0, 3, 1, 2).float()


def scores_of(batches: list[Batch]) -> dict[str, float]:
    return evaluate(GivesItsInput(), batches, CrossEntropy(), SegmentationMetric(CLASSES), CPU, FP32)


def test_scores_are_those_counted_by_hand() -> None:
    target = torch.tensor([[[0, 0, 1], [1, 1, 255]]])
    said = certain([[0, 1, 1], [1, 1, 2]])
    scores = scores_of([Batch(said, target, ("one",))])
    # truth 0: one of two hit, truth 1: all three hit and one too many, class 2: only said where nothing counts
    assert scores["IoU/sky"] == 1 / 2
    assert scores["IoU/road"] == 3 / 4
    assert math.isnan(scores["IoU/car"])
    assert scores["mIoU"] == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert scores["pixel_accuracy"] == pytest.approx(4 / 5)
    right, wrong = math.log(1 + 2 * math.exp(-10)), 10 + math.log(1 + 2 * math.exp(-10))
    assert scores["loss"] == pytest.approx((4 * right + wrong) / 5)


def test_places_with_weights_are_scored_by_them_too() -> None:
    target = torch.tensor([[[0, 0, 1], [1, 1, 255]]])
    said, weights = certain([[0, 1, 1], [1, 1, 2]]), torch.tensor([[[2, 3, 5], [7, 11, 100]]])
    scores = scores_of([Batch(said, target, ("one",), weights=weights)])
    assert (scores["pixel_accuracy"], scores["area_accuracy"]) == (4 / 5, 25 / 28)
    assert not any(name.startswith("area_") for name in scores_of([Batch(said, target, ("one",))]))


def test_every_sample_weighs_the_same_in_the_loss_however_the_batches_are_cut() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, len(CLASSES), 2, 2, generator=generator)
    target = torch.randint(0, len(CLASSES), (5, 2, 2), generator=generator)

    def cut(*sizes: int) -> list[Batch]:
        parts = zip(logits.split(sizes), target.split(sizes), strict=True)
        return [Batch(inputs, truth, ("key",) * len(inputs)) for inputs, truth in parts]

    expected = F.cross_entropy(logits, target).item()
    for batches in (cut(5), cut(4, 1), cut(1, 2, 2)):
        assert scores_of(batches)["loss"] == pytest.approx(expected, rel=1e-6)


def test_logits_are_brought_to_the_size_of_the_target() -> None:
    logits = torch.randn(2, len(CLASSES), 3, 4, generator=torch.Generator().manual_seed(0))
    resized = F.interpolate(logits, size=(7, 6), mode="bilinear", align_corners=False)
    target = resized.argmax(dim=1)
    scores = scores_of([Batch(logits, target, ("a", "b"))])
    assert scores["mIoU"] == 1
    assert scores["loss"] == pytest.approx(F.cross_entropy(resized, target).item(), rel=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_evaluated_in_evaluation_mode_and_left_in_its_own(training: bool) -> None:
    model = TinyNet(normalise=True, dropout=0.5).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss, metric = CrossEntropy(), SegmentationMetric(CLASSES)
    first = evaluate(model, val_loader(5, 2), loss, metric, CPU, FP32)
    assert model.training is training
    assert all(module.training is training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    again = evaluate(model, val_loader(5, 2), loss, metric, CPU, FP32)
    assert again == pytest.approx(first, abs=0, nan_ok=True), "dropout was on, or the first evaluation was counted too"


def test_counts_from_before_are_forgotten() -> None:
    metric = SegmentationMetric(CLASSES)
    metric.update(certain([[0, 0]]), torch.tensor([[[1, 1]]]), ("earlier",))
    scores = evaluate(
        GivesItsInput(),
        [Batch(certain([[0, 1]]), torch.tensor([[[0, 1]]]), ("now",))],
        CrossEntropy(),
        metric,
        CPU,
        FP32,
    )
    assert scores["mIoU"] == 1


def test_targets_travel_small_and_progress_is_told_batch_by_batch() -> None:
    told: list[int] = []
    batch = Batch(certain([[0, 1]]), torch.tensor([[[0, 1]]], dtype=torch.uint8), ("small",))
    scores = evaluate(
        GivesItsInput(), [batch, batch], CrossEntropy(), SegmentationMetric(CLASSES), CPU, FP32, told.append
    )
    assert scores["pixel_accuracy"] == 1
    assert told == [1, 1]


def test_the_network_runs_in_the_given_precision() -> None:
    seen: list[torch.dtype] = []

    class Watched(TinyNet):
        def forward(self, images: Tensor) -> Tensor:
            logits = super().forward(images)
            seen.append(logits.dtype)
            return logits

    bf16 = Precision("bf16", torch.bfloat16, False)
    scores = evaluate(Watched(), val_loader(2, 2), CrossEntropy(), SegmentationMetric(CLASSES), CPU, bf16)
    assert seen == [torch.bfloat16]
    assert math.isfinite(scores["loss"])


def test_losses_of_several_parts_give_each_part() -> None:
    logits, target = certain([[0, 1], [2, 2]]), torch.tensor([[[0, 1], [2, 1]]])
    both = Combined({"ce": CrossEntropy(), "dice": Dice()}, {"ce": 1.0, "dice": 0.5})
    scores = evaluate(GivesItsInput(), [Batch(logits, target, ("one",))], both, SegmentationMetric(CLASSES), CPU, FP32)
    assert scores["loss/ce"] == pytest.approx(CrossEntropy()(logits, target).total.item())
    assert scores["loss"] == pytest.approx(scores["loss/ce"] + 0.5 * scores["loss/dice"])


def test_loss_mean_weighs_by_samples_and_merges() -> None:
    first, second = LossMean(), LossMean()
    first.add(torch.tensor(1.0), {"only": torch.tensor(1.0)}, samples=3)
    second.add(torch.tensor(5.0), {"only": torch.tensor(5.0)}, samples=1)
    first.merge(second)
    assert first.samples == 4
    assert first.compute() == {"loss": 2.0}, "a single part is the loss itself"


def test_loss_mean_holds_no_graph() -> None:
    mean = LossMean()
    weight = torch.ones((), requires_grad=True)
    value = LossValue(weight * 2, {"a": (weight * 2).detach(), "b": torch.tensor(0.0)})
    mean.add(value.total, value.parts, samples=2)
    assert not any(total.requires_grad for total in mean._sums.values())
    assert mean.compute() == {"loss": 2.0, "loss/a": 2.0, "loss/b": 0.0}


def test_the_mean_of_nothing_is_nan() -> None:
    assert math.isnan(LossMean().compute()["loss"])
