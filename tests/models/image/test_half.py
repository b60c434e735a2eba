import torch

from segmentation.models.image.half import in_half
from tests.models.image.small import build, pixels


def test_a_copy_in_half_precision_comes_close() -> None:
    model = build("own").eval()
    halved = in_half(model)
    assert {parameter.dtype for parameter in halved.parameters()} == {torch.float16}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    images = pixels(2, 3, 33, 47)
    with torch.inference_mode():
        expected, given = model(images), halved(images)
    assert given.dtype == torch.float32
    torch.testing.assert_close(given, expected, rtol=1e-2, atol=1e-2)
    assert not torch.equal(given, expected)
