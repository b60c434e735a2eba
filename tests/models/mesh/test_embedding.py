import pytest
import torch

from segmentation.models.mesh.embedding import FeatureEmbedding, PlaceEmbedding, Standardised


def test_mean_and_variance_are_those_of_all_that_was_valid_in_all_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    standardised, seen = Standardised(3), []
    for faces in (4, 1, 7):
        values = torch.tensor([2.0, 0.1, 5.0]) * torch.randn(2, faces, 3, generator=generator) + 3
        mask = torch.rand(2, faces, generator=generator) < 0.7
        mask[0, 0] = True
        standardised.learn(values, mask)
        seen.append(values[mask])
    together = torch.cat(seen)
    assert standardised.count == len(together)
    torch.testing.assert_close(standardised.mean, together.mean(dim=0))
    torch.testing.assert_close(standardised.variance, together.var(dim=0, correction=0))
    torch.testing.assert_close(standardised(together).var(dim=0, correction=0), torch.ones(3), rtol=1e-3, atol=1e-3)


def test_a_batch_of_padding_teaches_nothing_and_what_is_always_the_same_becomes_zero() -> None:
    standardised = Standardised(1)
    standardised.learn(torch.full((1, 3, 1), 7.0), torch.zeros(1, 3, dtype=torch.bool))
    assert standardised.count == 0
    assert standardised(torch.tensor([[1.0]])).item() == pytest.approx(1.0, abs=1e-5)  # as it is
    standardised.learn(torch.full((1, 3, 1), 7.0), torch.ones(1, 3, dtype=torch.bool))
    assert standardised(torch.tensor([[7.0]])).item() == 0


def test_numbers_are_shown_at_each_scale() -> None:
    """asinh(x) = log(x + sqrt(x^2 + 1))."""
    embedding = FeatureEmbedding(2, 4, scales=(1.0, 0.5)).eval()
    given = embedding.standard(torch.tensor([[[[0.75, 0.0]]]]), torch.ones(1, 1, 1, dtype=torch.bool))
    expected = torch.tensor([2.0, 1.5 + 3.25**0.5, 1.0, 1.0]).log()  # 0.75 at both scales, 0 at both
    torch.testing.assert_close(given.flatten(), expected, rtol=1e-5, atol=1e-5)


def test_statistics_are_learned_in_training_alone_and_not_while_frozen() -> None:
    features, mask = torch.randn(1, 2, 5, 3), torch.ones(1, 2, 5, dtype=torch.bool)
    embedding = FeatureEmbedding(3, 4, scales=(1.0,))
    embedding.eval()(features, mask)
    assert embedding.standardised.count == 0
    embedding.train()(features, mask)
    assert embedding.standardised.count == 10
    embedding.requires_grad_(False).train()(features, mask)
    assert embedding.standardised.count == 10


def test_a_face_is_the_same_in_training_and_in_evaluation_whatever_is_beside_it() -> None:
    mask = torch.ones(1, 1, 4, dtype=torch.bool)
    embedding = FeatureEmbedding(3, 4, scales=(1.0,)).train()
    embedding(torch.randn(1, 1, 4, 3), mask)
    embedding.linear.weight.requires_grad_(False)
    features = torch.randn(1, 1, 4, 3)
    expected = embedding.eval()(features, mask)
    alone = torch.cat([embedding.train()(features[:, :, i : i + 1], mask[:, :, :1]) for i in range(4)], dim=2)
    torch.testing.assert_close(alone, expected)


def test_places_are_seen_at_halved_wavelengths() -> None:
    embedding = PlaceEmbedding(15, frequencies=2, wavelength=8.0)
    torch.nn.init.eye_(embedding.linear.weight)
    torch.nn.init.zeros_(embedding.linear.bias)
    encoded = embedding(torch.tensor([2.0, 4.0, 0.0]))  # a quarter of the wavelength, and a half
    expected = [0.25, 0.5, 0.0, 1, 0, 0, 0, 0, 0, 0, -1, -1, 1, 1, 1]
    torch.testing.assert_close(encoded, torch.tensor(expected), atol=1e-6, rtol=0)
