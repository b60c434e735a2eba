"""The dense CRF beside its definition, summed over all pairs of pixels."""

from functools import partial

import numpy as np
import pytest

from segmentation.inference.crf import DenseCRF, mean_field, normalised
from segmentation.inference.crf import _blurred as blurred

HEIGHT, WIDTH = 12, 14


def picture() -> np.ndarray:
    """A bright box on dark ground, noisy, RGB uint8."""
    image = np.full((HEIGHT, WIDTH, 3), 60.0)
    image[3:9, 4:11] = (200, 180, 150)
    return (image + np.random.default_rng(0).normal(0, 5, image.shape)).astype(np.uint8)


def unsure(num_classes: int = 3) -> np.ndarray:
    """Class 1 in the box and 0 around it, a third of the pixels wrong, no pixel very sure."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.0, (num_classes, HEIGHT, WIDTH))
    logits[0] += 1
    logits[:2, 3:9, 4:11] += np.array([-1, 1])[:, None, None]
    shares = np.exp(logits)
    return (shares / shares.sum(axis=0)).astype(np.float32)


def kernel(features: np.ndarray) -> np.ndarray:
    """`[N, N]`, normalised as the authors' code has it, of features `[H, W, d]`."""
    points = features.reshape(HEIGHT * WIDTH, -1)
    values = np.exp(-((points[:, None] - points[None]) ** 2).sum(axis=-1) / 2)
    degree = values.sum(axis=1)
    return values / np.sqrt(np.outer(degree, degree))


def by_definition(probabilities: np.ndarray, image: np.ndarray, crf: DenseCRF) -> np.ndarray:
    """Equation 3 of the paper, pixel by pixel and class by class: a pixel pays for what others are and it is not."""
    position = np.moveaxis(np.indices((HEIGHT, WIDTH)), 0, -1)
    appearance = np.concatenate([position / crf.appearance_sigma, image / crf.color_sigma], axis=-1)
    pairs = crf.smoothness_weight * kernel(position / crf.smoothness_sigma)
    pairs = pairs + crf.appearance_weight * kernel(appearance)
    unary = -np.log(probabilities.astype(float)).reshape(len(probabilities), -1)
    marginals = np.exp(-unary)
    for _ in range(crf.iterations):
        energy = unary.copy()
        for index in range(len(unary)):
            for other in range(len(unary)):
                if other != index:
                    energy[index] += pairs @ marginals[other]
        marginals = np.exp(-energy)
        marginals /= marginals.sum(axis=0)
    return marginals.reshape(probabilities.shape)


CRF = DenseCRF(iterations=5, smoothness_weight=2, smoothness_sigma=2, appearance_weight=4, appearance_sigma=8)


def test_mean_field_is_that_of_the_definition() -> None:
    """With kernels of all pairs in place of the fast filters."""
    position = np.moveaxis(np.indices((HEIGHT, WIDTH)), 0, -1)
    appearance = np.concatenate([position / CRF.appearance_sigma, picture() / CRF.color_sigma], axis=-1)

    def exact(planes: np.ndarray, features: np.ndarray) -> np.ndarray:
        return (planes.reshape(len(planes), -1) @ kernel(features)).reshape(planes.shape)

    pairwise = [
        (CRF.smoothness_weight, partial(exact, features=position / CRF.smoothness_sigma)),
        (CRF.appearance_weight, partial(exact, features=appearance)),
    ]
    expected = by_definition(unsure(), picture(), CRF)
    np.testing.assert_allclose(mean_field(unsure(), pairwise, CRF.iterations), expected, atol=1e-4)


def test_the_blur_is_the_smoothness_kernel() -> None:
    planes = unsure()
    position = np.moveaxis(np.indices((HEIGHT, WIDTH)), 0, -1)
    expected = (planes.reshape(len(planes), -1) @ kernel(position / 2.5)).reshape(planes.shape)
    given = normalised(partial(blurred, sigma=2.5), (HEIGHT, WIDTH))(planes)
    np.testing.assert_allclose(given, expected, atol=2e-4)


def test_refined_probabilities_are_about_those_of_the_definition() -> None:
    expected = by_definition(unsure(), picture(), CRF)
    given = CRF(unsure(), picture())
    assert np.abs(given - expected).mean() < 0.01
    assert (given.argmax(axis=0) == expected.argmax(axis=0)).mean() > 0.97
    np.testing.assert_allclose(given.sum(axis=0), 1, rtol=1e-5)


def test_labels_follow_the_edges_of_the_image() -> None:
    truth = np.zeros((HEIGHT, WIDTH), int)
    truth[3:9, 4:11] = 1
    before = (unsure().argmax(axis=0) == truth).mean()
    after = (CRF(unsure(), picture()).argmax(axis=0) == truth).mean()
    assert before < 0.8
    assert after == 1


def test_without_iterations_or_weights_probabilities_stay() -> None:
    for crf in (DenseCRF(iterations=0), DenseCRF(smoothness_weight=0, appearance_weight=0)):
        np.testing.assert_allclose(crf(unsure(), picture()), unsure(), rtol=1e-5)


def test_what_is_certain_stays_finite() -> None:
    certain = np.zeros((2, HEIGHT, WIDTH), np.float32)
    certain[0] = 1
    refined = CRF(certain, picture())
    assert np.isfinite(refined).all()
    assert (refined[0] > 0.999).all()


@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_images_may_have_any_bands_and_values(bands: int, dtype: type) -> None:
    image: np.ndarray = np.repeat(picture()[..., :1], bands, axis=-1).astype(dtype)
    refined = CRF(unsure(), image)
    assert refined.dtype == np.float32
    assert refined.shape == unsure().shape
    assert (refined.argmax(axis=0)[3:9, 4:11] == 1).all()
