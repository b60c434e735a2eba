import pytest
import torch
import torch.nn.functional as F

from segmentation.outputs import at_size_of, labels_from, logits_from, probabilities_from

LOGITS = torch.tensor([[[[1.0, 5.0], [0.0, -3.0]], [[2.0, 4.0], [0.5, -4.0]], [[0.0, 9.0], [0.1, -5.0]]]])


@pytest.mark.parametrize("outputs", [LOGITS, {"out": LOGITS, "aux": -LOGITS}], ids=["tensor", "mapping"])
def test_labels_are_the_classes_of_the_largest_logits(outputs: torch.Tensor | dict[str, torch.Tensor]) -> None:
    assert logits_from(outputs) is LOGITS
    labels = labels_from(outputs)
    assert labels.tolist() == [[[1, 2], [1, 0]]]
    assert labels.dtype == torch.int64


def test_a_tie_goes_to_the_first_class() -> None:
    assert labels_from(torch.zeros(1, 4, 2, 2)).tolist() == [[[0, 0], [0, 0]]]


@pytest.mark.parametrize("shape", [(2, 5, 7), (2, 5, 7, 3), (2, 5, 4, 3, 2)])
def test_labels_have_the_shape_of_the_samples_whatever_their_dimensions(shape: tuple[int, ...]) -> None:
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(labels_from(logits), logits.argmax(dim=1))


def test_labels_carry_no_gradient() -> None:
    assert not labels_from(LOGITS.clone().requires_grad_()).requires_grad


def test_one_logit_tells_two_classes_apart() -> None:
    labels = labels_from(torch.tensor([[[2.0, -1.0, 0.0]]]))
    assert labels.tolist() == [[1, 0, 0]]
    assert labels.dtype == torch.int64


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_probabilities_are_of_every_class(dtype: torch.dtype) -> None:
    probabilities = probabilities_from({"out": LOGITS.to(dtype), "aux": LOGITS})
    assert probabilities.dtype == torch.float32
    torch.testing.assert_close(probabilities, LOGITS.to(dtype).float().softmax(dim=1))


def test_one_logit_has_the_probabilities_of_two_classes() -> None:
    logits = torch.tensor([[[0.0, 3.0, -40.0]]])
    of_one = torch.sigmoid(logits[:, 0])
    torch.testing.assert_close(probabilities_from(logits), torch.stack([torch.sigmoid(-logits[:, 0]), of_one], dim=1))


def test_logits_of_the_right_size_are_left_as_they_are() -> None:
    assert at_size_of({"out": LOGITS}, torch.zeros(1, 2, 2)) is LOGITS
    faces = torch.randn(1, 3, 4, 5)
    assert at_size_of(faces, torch.zeros(1, 4, 5)) is faces
    assert at_size_of(faces, torch.zeros(1, 3, 4, 5)) is faces, "label maps"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_of_another_size_are_interpolated_in_full_precision(dtype: torch.dtype) -> None:
    logits = LOGITS.to(dtype)
    resized = at_size_of(logits, torch.zeros(1, 5, 3))
    assert resized.dtype == torch.float32
    torch.testing.assert_close(
        resized, F.interpolate(logits.float(), size=(5, 3), mode="bilinear", align_corners=False), rtol=0, atol=0
    )
    assert resized[0, 0, 0, 0] == 1, "the corners stay: pixels are areas, not points of a lattice"
    assert at_size_of(logits, torch.zeros(1, 3, 5, 3)).equal(resized), "label maps"
