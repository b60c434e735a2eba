import torch
from torch import Tensor, nn

from segmentation.models.depth import depths_from_features, depths_in_order


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.middle, self.late, self.unused = (nn.Linear(2, 2, bias=False) for _ in range(4))

    def features(self) -> list[Tensor]:
        inputs = torch.zeros(1, 2)
        stem = self.stem(inputs)
        pooled = stem.relu()
        late = self.late(self.middle(pooled))
        return [inputs, stem, pooled, late]


def test_a_parameter_lies_at_the_first_feature_map_that_brings_parameters_and_depends_on_it() -> None:
    encoder = Encoder()
    depths = depths_from_features(encoder.features(), dict(encoder.named_parameters()))
    # neither the inputs nor the pooled features count as a stage; what nothing depends on belongs to the last
    assert depths == {"stem.weight": 0, "middle.weight": 1, "late.weight": 1, "unused.weight": 1}


def test_no_gradients_are_left_behind() -> None:
    encoder = Encoder()
    depths_from_features(encoder.features(), dict(encoder.named_parameters()))
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_an_encoder_without_parameters_has_no_depths() -> None:
    assert depths_from_features([torch.zeros(1)], {}) == {}


def test_features_without_a_graph_put_all_in_one_stage() -> None:
    encoder = Encoder()
    with torch.no_grad():
        features = encoder.features()
    assert set(depths_from_features(features, dict(encoder.named_parameters())).values()) == {0}


def test_the_order_of_children_is_that_of_the_network_within_wrappers() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Sequential(nn.Conv2d(4, 4, 1)), nn.Conv2d(4, 2, 1))
    expected = {"0": 0, "2.0": 1, "3": 2}
    for wrappers in (0, 1, 2):
        wrapped, prefix = network, "0." * wrappers
        for _ in range(wrappers):
            wrapped = nn.Sequential(wrapped, nn.Sigmoid())
        depths = depths_in_order(wrapped)
        assert depths == {
            f"{prefix}{name}.{kind}": depth for name, depth in expected.items() for kind in ("weight", "bias")
        }


def test_a_single_layer_is_one_stage_and_nothing_has_none() -> None:
    assert depths_in_order(nn.Sequential(nn.Linear(2, 2))) == {"0.weight": 0, "0.bias": 0}
    assert depths_in_order(nn.ReLU()) == {}
