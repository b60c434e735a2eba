import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses import Auxiliary, Combined, CrossEntropy, Dice


def batch() -> tuple[dict[str, Tensor], Tensor]:
    generator = torch.Generator().manual_seed(0)
    outputs = {
        "out": torch.randn(2, 3, 8, 6, generator=generator),
        "aux": torch.randn(2, 3, 4, 3, generator=generator),
        "aux_1": torch.randn(2, 3, 8, 6, generator=generator),
    }
    return outputs, torch.randint(0, 3, (2, 8, 6), generator=generator)


def test_is_the_weighted_sum_and_names_the_heads() -> None:
    outputs, target = batch()
    main, second = CrossEntropy()(outputs, target).total, CrossEntropy()(outputs["aux_1"], target).total
    total, parts = Auxiliary(CrossEntropy(), {"aux_1": 0.4})(outputs, target)
    torch.testing.assert_close(total, main + 0.4 * second)
    assert parts == {"cross_entropy": main, "aux_1": second}


def test_heads_of_a_lower_size_are_interpolated() -> None:
    outputs, target = batch()
    resized = F.interpolate(outputs["aux"], size=(8, 6), mode="bilinear")
    _, parts = Auxiliary(CrossEntropy(), {"aux": 0.4})(outputs, target)
    torch.testing.assert_close(parts["aux"], CrossEntropy()(resized, target).total)


def test_deep_supervision_teaches_every_head_that_is_named() -> None:
    outputs, target = batch()
    for logits in outputs.values():
        logits.requires_grad_()
    loss = Auxiliary(Combined({"ce": CrossEntropy(), "dice": Dice()}, {"ce": 1.0, "dice": 1.0}), {"aux": 0.5})
    total, parts = loss(outputs, target)
    total.backward()
    assert parts.keys() == {"ce", "dice", "aux"}
    assert outputs["aux"].grad is not None
    assert outputs["aux_1"].grad is None


def test_a_weight_may_follow_progress() -> None:
    outputs, target = batch()
    loss = Auxiliary(CrossEntropy(), {"aux_1": {"from": 1.0, "to": 0.0}})
    main, second = CrossEntropy()(outputs, target).total, CrossEntropy()(outputs["aux_1"], target).total
    loss.progress = 0.75
    torch.testing.assert_close(loss(outputs, target).total, main + 0.25 * second)


def test_evaluation_takes_the_main_output_alone() -> None:
    outputs, target = batch()
    loss = Auxiliary(CrossEntropy(), {"aux": 0.4})
    expected = CrossEntropy()(outputs, target)
    with torch.inference_mode():
        assert loss(outputs["out"], target) == expected
        assert loss(outputs, target) == expected


def test_a_head_that_the_model_has_not_is_told() -> None:
    outputs, target = batch()
    with pytest.raises(UserError, match=r"^.*names aux_2, .* are aux, aux_1: .*$"):
        Auxiliary(CrossEntropy(), {"aux": 0.4, "aux_2": 0.4})(outputs, target)
    with pytest.raises(UserError, match=r"^.*names aux, .* are none: .*$"):
        Auxiliary(CrossEntropy(), {"aux": 0.4})(outputs["out"], target)


def test_bad_weights() -> None:
    with pytest.raises(UserError, match=r"^weights of the loss: aux = -1.*$"):
        Auxiliary(CrossEntropy(), {"aux": -1.0})
