import pytest
import torch
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses.cross_entropy import CrossEntropy
from segmentation.losses.masked_prediction import MaskedPrediction

VOID = 255


def outputs() -> dict[str, Tensor]:
    """One mesh of one cluster of two faces, the second hidden: its distances are 0.5 and 3 of the embedding, and 0 and
    -2 of the features.
    """
    return {
        "out": torch.tensor([[[[0.0, 3.0]], [[0.0, 1.0]]]]),
        "predicted/embedding": torch.tensor([[[[9.0, 1.5]], [[9.0, 4.0]]]]),
        "wanted/embedding": torch.ones(1, 2, 1, 2),
        "predicted/features": torch.tensor([[[[9.0, 1.0]], [[9.0, -1.0]]]]),
        "wanted/features": torch.ones(1, 2, 1, 2),
        "hidden": torch.tensor([[[[False, True]]]]),
    }


def test_the_mean_distance_of_what_was_hidden_and_the_probe() -> None:
    """Smooth L1: d^2 / 2 below 1, |d| - 1/2 from there on."""
    given, target = outputs(), torch.tensor([[[0, 1]]])
    value = MaskedPrediction(embedding_weight=2.0, features_weight=3.0)(given, target)
    embedding, features = (0.125 + 2.5) / 2, (0 + 1.5) / 2
    probe = CrossEntropy()(given, target).total
    parts = {"embedding": torch.tensor(embedding), "features": torch.tensor(features), "probe": probe}
    torch.testing.assert_close(value.parts, parts)
    torch.testing.assert_close(value.total, 2 * parts["embedding"] + 3 * parts["features"] + probe)


def test_without_labels_the_rest_is_learned_and_with_nothing_hidden_nothing() -> None:
    given, void = outputs(), torch.full((1, 1, 2), VOID)
    value = MaskedPrediction()(given, void)
    assert value.parts["probe"] == 0
    assert value.parts["embedding"] > 1
    predicted = given["predicted/embedding"].requires_grad_()
    nothing = MaskedPrediction()(given | {"hidden": torch.zeros(1, 1, 1, 2, dtype=torch.bool)}, void)
    nothing.total.backward()
    assert nothing.total == 0
    assert predicted.grad is not None
    assert not predicted.grad.any()


def test_what_is_wanted_may_be_of_half_precision() -> None:
    given, target = outputs(), torch.tensor([[[0, 1]]])
    halved = {name: each if name == "hidden" else each.bfloat16() for name, each in given.items()}
    value = MaskedPrediction()(halved, target)
    assert value.total.dtype == torch.float32
    torch.testing.assert_close(value.total, MaskedPrediction()(given, target).total)


def test_in_evaluation_it_is_the_cross_entropy_of_the_probe() -> None:
    logits, target = outputs()["out"], torch.tensor([[[0, VOID]]])
    with torch.no_grad():
        value = MaskedPrediction()(logits, target)
    assert value.total.item() == pytest.approx(torch.tensor(2.0).log().item())


def test_a_model_that_predicts_nothing_and_a_weight_below_zero_are_refused() -> None:
    with pytest.raises(UserError, match=r"^loss=masked_prediction: .* choose model=nomeformer_pretrain$"):
        MaskedPrediction()(torch.randn(1, 2, 1, 2, requires_grad=True), torch.zeros(1, 1, 2, dtype=torch.int64))
    with pytest.raises(UserError, match=r"^embedding_weight is -1\.0: expected 0 or above$"):
        MaskedPrediction(embedding_weight=-1.0)
