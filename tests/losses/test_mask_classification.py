from itertools import permutations
from math import exp, log, log1p

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses import CrossEntropy
from segmentation.losses.mask_classification import MaskClassification, truth_of
from segmentation.outputs import MaskPrediction

VOID = 255


def softplus(x: float) -> float:
    return log1p(exp(x))


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def outputs_of(*predictions: MaskPrediction, num_classes: int) -> dict[str, Tensor]:
    masks = predictions[0].masks
    outputs = {"out": torch.zeros(len(masks), num_classes, *masks.shape[-2:])}
    for index, prediction in enumerate(predictions):
        outputs |= {f"masks/{index}": prediction.masks, f"classes/{index}": prediction.classes}
    return outputs


def random_prediction(batch: int, queries: int, num_classes: int, side: int, seed: int = 0) -> MaskPrediction:
    generator = torch.Generator().manual_seed(seed)
    masks = torch.randn(batch, queries, side, side, generator=generator)
    classes = torch.randn(batch, queries, num_classes + 1, generator=generator)
    return MaskPrediction(masks.requires_grad_(), classes.requires_grad_())


def test_truth_is_counted_in_cells_and_void_is_no_area() -> None:
    target = torch.tensor([[0, 0, 1, VOID], [0, 1, 1, VOID], [1, 1, 1, 1], [1, 1, 0, 0]])[None]
    truth = truth_of(target, num_classes=3, height=2, width=2, ignore_index=VOID)
    assert truth.masks[0].tolist() == [[0.75, 0, 0, 0.5], [0.25, 0.5, 1, 0.5], [0, 0, 0, 0]]
    assert truth.valid[0].tolist() == [[1, 0.5, 1, 1]]
    assert truth.present[0].tolist() == [True, True, False]


@pytest.mark.parametrize("size", [(7, 5), (2, 9), (6, 3)])
def test_every_pixel_lies_in_one_cell(size: tuple[int, int]) -> None:
    truth = truth_of(torch.zeros(1, *size, dtype=torch.long), num_classes=1, height=2, width=3, ignore_index=VOID)
    assert truth.masks.sum() == pytest.approx(6)
    assert (truth.masks > 0).all()


def test_a_hand_example() -> None:
    """Two classes side by side; query 0 has the mask of class 1, query 2 that of class 0, query 1 nothing."""
    target = torch.tensor([[[0, 1], [0, 1]]])
    x = 2.0
    left, right = torch.tensor([[x, -x], [x, -x]]), torch.tensor([[-x, x], [-x, x]])
    masks = torch.stack([right, torch.full((2, 2), -x), left])[None]
    classes = torch.tensor([[[0.0, log(2), 0.0], [0.0, 0.0, log(3)], [log(4), 0.0, 0.0]]])
    prediction = MaskPrediction(masks, classes)
    loss = MaskClassification()
    (match,) = loss.matches([prediction], truth_of(target, 2, 2, 2, VOID))
    assert match.query.tolist() == [0, 2]
    assert match.label.tolist() == [1, 0]

    total, parts = loss(outputs_of(prediction, num_classes=2), target)
    expected_class = (-log(2 / 4) - 0.1 * log(3 / 5) - log(4 / 6)) / (1 + 0.1 + 1)
    expected_mask = softplus(-x)
    expected_dice = 1 - (2 * 2 * sigmoid(x) + 1) / (2 * sigmoid(x) + 2 * sigmoid(-x) + 2 + 1)
    assert parts["class"].item() == pytest.approx(expected_class, rel=1e-5)
    assert parts["mask"].item() == pytest.approx(expected_mask, rel=1e-5)
    assert parts["dice"].item() == pytest.approx(expected_dice, rel=1e-5)
    assert total.item() == pytest.approx(2 * expected_class + 5 * expected_mask + 5 * expected_dice, rel=1e-5)


def test_the_match_is_the_cheapest_of_all() -> None:
    """Costs as the paper writes them, pixel by pixel, and every assignment tried."""
    generator = torch.Generator().manual_seed(1)
    target = torch.randint(0, 3, (1, 4, 4), generator=generator)
    target[0, 0] = VOID
    prediction = random_prediction(1, 4, 3, side=4)
    valid = target[0] != VOID
    cost = torch.zeros(4, 3)
    for query in range(4):
        for label in range(3):
            logits, truth = prediction.masks[0, query][valid], (target[0][valid] == label).float()
            p = logits.sigmoid()
            dice = 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
            named = prediction.classes[0, query].softmax(0)[label]
            cost[query, label] = 5 * F.binary_cross_entropy_with_logits(logits, truth) + 5 * dice - 2 * named
    best = min(permutations(range(4), 3), key=lambda queries: sum(cost[q, c].item() for c, q in enumerate(queries)))
    (match,) = MaskClassification().matches([prediction], truth_of(target, 3, 4, 4, VOID))
    assert {int(c): int(q) for q, c in zip(match.query, match.label, strict=True)} == dict(enumerate(best))


def test_of_queries_with_the_same_mask_the_class_decides() -> None:
    classes = torch.tensor([[[0.0, 3.0, 0.0], [3.0, 0.0, 0.0]]])
    (match,) = MaskClassification().matches(
        [MaskPrediction(torch.zeros(1, 2, 2, 2), classes)], truth_of(torch.tensor([[[0, 0], [1, 1]]]), 2, 2, 2, VOID)
    )
    assert dict(zip(match.query.tolist(), match.label.tolist(), strict=True)) == {0: 1, 1: 0}


def test_masks_of_a_lower_size_count_for_every_pixel_of_a_cell() -> None:
    target = torch.randint(0, 3, (2, 8, 12), generator=torch.Generator().manual_seed(0))
    target[0, :3, :5] = VOID
    small = MaskPrediction(torch.randn(2, 5, 2, 3), torch.randn(2, 5, 4))
    large = MaskPrediction(small.masks.repeat_interleave(4, 2).repeat_interleave(4, 3), small.classes)
    loss = MaskClassification(dice_weight=0)  # Dice adds 1, of a cell's or a pixel's area
    expected = loss(outputs_of(large, num_classes=3), target).total
    torch.testing.assert_close(loss(outputs_of(small, num_classes=3), target).total, expected)


def test_the_total_is_the_sum_over_predictions_and_parts_are_means() -> None:
    target = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    one, other = (random_prediction(2, 5, 3, side=4, seed=seed) for seed in (0, 1))
    loss = MaskClassification()
    first, second = (loss(outputs_of(prediction, num_classes=3), target) for prediction in (one, other))
    both = loss(outputs_of(one, other, num_classes=3), target)
    torch.testing.assert_close(both.total, first.total + second.total)
    for name in ("class", "mask", "dice"):
        torch.testing.assert_close(both.parts[name], (first.parts[name] + second.parts[name]) / 2)
        assert not both.parts[name].requires_grad


def test_void_only_gives_a_finite_zero_with_zero_gradients() -> None:
    prediction = random_prediction(2, 5, 3, side=4)
    total, parts = MaskClassification()(outputs_of(prediction, num_classes=3), torch.full((2, 8, 8), VOID))
    total.backward()
    assert total == 0
    assert all(part == 0 for part in parts.values())
    for logits in prediction:
        assert logits.grad is not None
        assert logits.grad.eq(0).all()


def test_a_void_image_and_void_pixels_teach_nothing() -> None:
    target = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    target[0, :, 4:] = VOID
    target[1] = VOID
    prediction = random_prediction(2, 5, 3, side=8)
    loss = MaskClassification()
    total = loss(outputs_of(prediction, num_classes=3), target).total
    total.backward()
    assert prediction.masks.grad is not None
    assert prediction.masks.grad[..., 4:].eq(0).all()
    assert prediction.masks.grad[0, ..., :4].ne(0).any()
    assert prediction.masks.grad[1].eq(0).all()
    assert prediction.classes.grad is not None
    assert prediction.classes.grad[1].eq(0).all()
    alone = MaskPrediction(prediction.masks[:1], prediction.classes[:1])
    torch.testing.assert_close(loss(outputs_of(alone, num_classes=3), target[:1]).total, total)


def test_with_fewer_queries_than_classes_each_still_gets_one() -> None:
    target = torch.arange(4).view(1, 2, 2)
    prediction = random_prediction(1, 2, 4, side=2)
    (match,) = MaskClassification().matches([prediction], truth_of(target, 4, 2, 2, VOID))
    assert sorted(match.query.tolist()) == [0, 1]
    assert MaskClassification()(outputs_of(prediction, num_classes=4), target).total.isfinite()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_is_computed_in_float32_whatever_the_logits_are(dtype: torch.dtype) -> None:
    target = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    rounded = MaskPrediction(*(logits.detach().to(dtype) for logits in random_prediction(2, 5, 3, side=8)))
    expected = MaskClassification()(
        outputs_of(MaskPrediction(*(logits.float() for logits in rounded)), num_classes=3), target
    )
    with torch.autocast("cpu", torch.bfloat16):
        value = MaskClassification()(outputs_of(rounded, num_classes=3), target)
    assert value.total.dtype == torch.float32
    torch.testing.assert_close(value.total, expected.total)


def test_what_is_not_finite_is_not_hidden() -> None:
    prediction = MaskPrediction(torch.full((1, 2, 2, 2), float("nan")), torch.zeros(1, 2, 4))
    total = MaskClassification()(outputs_of(prediction, num_classes=3), torch.zeros(1, 2, 2, dtype=torch.long)).total
    assert total.isnan()


def test_evaluation_is_the_cross_entropy_of_the_pixels() -> None:
    logits = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).log_softmax(dim=1)
    target = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert MaskClassification()(logits, target) == CrossEntropy()(logits, target)


def test_what_cannot_be_learned_from_is_told() -> None:
    target = torch.zeros(1, 2, 2, dtype=torch.long)
    with pytest.raises(UserError, match=r"^loss=mask_classification: the model gives no masks.*use model=eomt.*$"):
        MaskClassification()(torch.zeros(1, 3, 2, 2), target)
    with pytest.raises(UserError, match=r"^.*chooses between two classes.*$"):
        MaskClassification()(torch.zeros(1, 3, 2, 2), target.unsqueeze(1))
    with pytest.raises(UserError, match=r"^no_object is -1.*$"):
        MaskClassification(no_object=-1)
