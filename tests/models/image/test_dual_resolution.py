import pytest
import torch
from torch import Tensor

from segmentation.losses import Auxiliary, CrossEntropy
from segmentation.models.image.dual_resolution import DualResolution, Exchange, Pyramid, dual_resolution_model
from segmentation.models.image.pixels import ImageModel
from tests.models.image.small import pixels

MEAN, STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]


def built(auxiliary_head: bool = False, bands: int = 3, dropout: float = 0.0) -> ImageModel:
    torch.manual_seed(0)
    return dual_resolution_model(5, MEAN[:1] * bands, STD[:1] * bands, 8, 1, dropout, auxiliary_head)


def network_of(model: ImageModel) -> DualResolution:
    assert isinstance(model.network, DualResolution)
    return model.network


def test_as_shipped_it_is_compact() -> None:
    parameters = sum(parameter.numel() for parameter in dual_resolution_model(11, MEAN, STD).parameters())
    assert 3.5e6 < parameters < 4.5e6


def test_width_and_depth_are_those_that_are_asked_for() -> None:
    network = network_of(dual_resolution_model(5, MEAN, STD, channels=12, depth=3))
    assert len(network.eighth) == len(network.sixteenth.detail) == len(network.thirty_second.context) == 3
    with torch.no_grad():
        assert network.stem(torch.zeros(2, 3, 64, 64)).shape == (2, 12, 16, 16)


@pytest.mark.parametrize(("halvings", "context", "expected"), [(1, (6, 10), (3, 5)), (2, (3, 5), (2, 3))])
def test_detail_keeps_its_size_and_context_halves(
    halvings: int, context: tuple[int, int], expected: tuple[int, int]
) -> None:
    exchange = Exchange(4, halvings, depth=1)
    width = 4 * 2 ** (halvings - 1)
    detail, lower = exchange(torch.randn(2, 4, 6, 10), torch.randn(2, width, *context))
    assert detail.shape == (2, 4, 6, 10)
    assert lower.shape == (2, 2 * width, *expected)


def depends_on(output: Tensor, given: Tensor) -> bool:
    (gradient,) = torch.autograd.grad(output.sum(), given, retain_graph=True, allow_unused=True)
    return gradient is not None and bool(gradient.any())


def test_each_branch_takes_what_the_other_has() -> None:
    exchange = Exchange(4, 1, depth=1).eval()
    detail, context = torch.randn(1, 4, 8, 8, requires_grad=True), torch.randn(1, 4, 8, 8, requires_grad=True)
    for output in exchange(detail, context):
        assert depends_on(output, detail)
        assert depends_on(output, context)


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (12, 15)])
def test_the_pyramid_keeps_the_size_and_sees_all_of_it(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    pyramid = Pyramid(4, 16, 32).eval()
    features = torch.randn(1, 4, *size, requires_grad=True)
    refined = pyramid(features)
    assert refined.shape == (1, 32, *size)
    (gradient,) = torch.autograd.grad(refined[..., 0, 0].sum(), features)
    assert gradient[..., -1, -1].any()


def test_the_auxiliary_head_is_there_in_training_alone_and_learns() -> None:
    model, images = built(auxiliary_head=True), pixels(2, 3, 40, 61)
    outputs = model.train()(images)
    assert outputs["out"].shape == (2, 5, 40, 61)
    assert outputs["aux"].shape == (2, 5, 5, 8)  # an eighth
    target = torch.randint(0, 5, (2, 40, 61), generator=torch.Generator().manual_seed(0))
    Auxiliary(CrossEntropy(), {"aux": 0.4})(outputs, target).total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert model.eval()(images).shape == (2, 5, 40, 61)
    assert built().train()(images).shape == (2, 5, 40, 61)


def test_one_image_is_a_batch_in_training_too() -> None:
    assert built().train()(pixels(1, 3, 64, 64)).isfinite().all()


def test_nothing_is_padded_where_whole_cells_fit() -> None:
    """360 x 480 are whole eighths and no whole thirty-seconds."""
    model = built().eval()
    seen: list[torch.Size] = []
    network_of(model).register_forward_pre_hook(lambda network, given: seen.append(given[0].shape))
    with torch.inference_mode():
        model(pixels(1, 3, 360, 480))
    assert seen == [(1, 3, 360, 480)]


def test_layer_decay_goes_from_the_stem_to_the_heads() -> None:
    depths = built(auxiliary_head=True).parameter_depths()
    by_part = {name.split(".")[1]: depth for name, depth in depths.items()}
    order = ["stem", "eighth", "sixteenth", "thirty_second", "pyramid", "decoder", "heads"]
    assert by_part == {part: depth for depth, part in enumerate(order)}


def test_dropout_is_of_training() -> None:
    model, images = built(dropout=0.5), pixels(2, 3, 64, 64)
    network_of(model).train()
    assert not torch.equal(model(images), model(images))
    with torch.inference_mode():
        assert torch.equal(model.eval()(images), model(images))


def test_other_bands() -> None:
    assert built(bands=5).eval()(pixels(1, 5, 32, 32)).shape == (1, 5, 32, 32)


def test_one_batch_is_learned_by_heart() -> None:
    model, images = built().train(), pixels(2, 3, 32, 32)
    target = torch.zeros(2, 32, 32, dtype=torch.long)
    target[0, :, 16:], target[1, 16:] = 1, 2
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        CrossEntropy()(model(images), target).total.backward()
        optimizer.step()
    with torch.inference_mode():
        assert (model(images).argmax(dim=1) == target).float().mean() > 0.95
