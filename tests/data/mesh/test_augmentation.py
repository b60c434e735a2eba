from typing import Any

import numpy as np
import pytest

from segmentation.data.mesh.augmentation import MeshAugmentation
from segmentation.data.mesh.features import areas
from segmentation.errors import UserError
from tests.data.mesh.mesh_files import BOX, TRIANGLES

BOX32 = BOX.astype(np.float32)
OFF = {"rotate": (0, 0, 0), "flip": (0, 0)}


def moved(seed: int = 0, vertices: np.ndarray = BOX32, **options: object) -> tuple[np.ndarray, float, bool]:
    made = MeshAugmentation(**{**OFF, **options})  # type: ignore[arg-type]
    return made.move(vertices, np.random.default_rng(seed))


def test_with_all_off_nothing_moves() -> None:
    vertices, factor, mirrored = moved()
    np.testing.assert_array_equal(vertices, BOX32)
    assert (factor, mirrored) == (1, False)


def test_around_z_heights_stay_and_lengths_stay_around_all() -> None:
    around_z, around_all = moved(rotate=(0, 0, 180))[0], moved(rotate=(20, 20, 180))[0]
    np.testing.assert_allclose(around_z[:, 2], BOX32[:, 2], atol=1e-6)
    assert np.abs(around_all[:, 2] - BOX32[:, 2]).max() > 0.05
    for vertices in (around_z, around_all):
        assert np.abs(vertices - BOX32).max() > 0.5
        np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), np.linalg.norm(BOX32, axis=1), rtol=1e-5)


def test_angles_are_within_their_range() -> None:
    point = np.array([[1, 0, 0]], np.float32)
    angles = [np.rad2deg(np.arctan2(*moved(seed, point, rotate=(0, 0, 30))[0][0, [1, 0]])) for seed in range(200)]
    assert -30 <= min(angles) < -25
    assert 25 < max(angles) <= 30


def test_the_whole_mesh_is_scaled_by_one_factor() -> None:
    factors = []
    for seed in range(100):
        vertices, factor, _ = moved(seed, scale=(0.5, 2))
        np.testing.assert_allclose(vertices, BOX32 * factor, rtol=1e-6)
        factors.append(factor)
    assert 0.5 <= min(factors) < 0.6
    assert 1.9 < max(factors) <= 2


def test_noise_is_in_metres() -> None:
    vertices = moved(vertices=np.zeros((20000, 3), np.float32), noise=0.2, scale=(5, 5))[0]
    np.testing.assert_allclose(vertices.std(axis=0), 0.2, rtol=0.05)


@pytest.mark.parametrize(("flip", "mirrored"), [((1, 0), True), ((0, 1), True), ((1, 1), False)])
def test_a_mirrored_box_still_faces_outwards(flip: tuple[float, float], mirrored: bool) -> None:
    vertices, _, told = moved(flip=flip)
    assert told == mirrored
    np.testing.assert_allclose(vertices, BOX32 * [1 - 2 * flip[0], 1 - 2 * flip[1], 1])
    corners = vertices[TRIANGLES[:, [0, 2, 1]] if told else TRIANGLES]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = corners.mean(axis=1) - vertices.mean(axis=0)
    assert ((normals * outwards).sum(axis=1) > 0).all()
    np.testing.assert_allclose(areas(corners), areas(BOX[TRIANGLES]))


def test_chances_are_kept() -> None:
    assert 0.4 < np.mean([moved(seed, flip=(0.5, 0))[2] for seed in range(200)]) < 0.6


def test_the_seed_decides() -> None:
    all_on: dict[str, Any] = {"rotate": (9, 9, 90), "scale": (0.8, 1.2), "noise": 0.1, "flip": (0.5, 0.5)}
    np.testing.assert_array_equal(moved(3, **all_on)[0], moved(3, **all_on)[0])
    assert (moved(3, **all_on)[0] != moved(4, **all_on)[0]).any()


def recolored(pixels: object, seed: int = 0, **options: float) -> np.ndarray:
    return MeshAugmentation(**options).recolor(np.array(pixels, np.uint8), np.random.default_rng(seed))  # type: ignore[arg-type]


def test_colours_stay_without_jitter_and_change_with_it() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3))
    np.testing.assert_array_equal(recolored(pixels), pixels)
    for name in ("brightness", "contrast", "saturation"):
        results = {recolored(pixels, seed, **{name: 0.5}).tobytes() for seed in range(5)}
        assert len(results) == 5


def test_brightness_keeps_the_hue_contrast_the_middle_and_saturation_the_grey() -> None:
    factors = [recolored([[40, 80, 120]], seed, brightness=0.5).astype(float)[0] / (40, 80, 120) for seed in range(9)]
    assert max(np.ptp(factor) for factor in factors) < 0.03
    assert min(factor.mean() for factor in factors) < 0.8
    assert max(factor.mean() for factor in factors) > 1.2
    around = recolored([[100, 127, 155]], 1, contrast=0.5).astype(float)[0]
    assert around[1] == pytest.approx(127.5, abs=1)
    assert around[0] + around[2] == pytest.approx(255, abs=1)
    np.testing.assert_array_equal(recolored([[99, 99, 99]], saturation=1), [[99, 99, 99]])
    colors = recolored([[200, 100, 50]], 1, saturation=0.5).astype(float)[0]
    assert colors @ (0.299, 0.587, 0.114) == pytest.approx(200 * 0.299 + 100 * 0.587 + 50 * 0.114, abs=1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rotate": (0, 180)}, r"augmentation.rotate=\[0, 180\]"),
        ({"rotate": (0, 0, 200)}, "augmentation.rotate"),
        ({"scale": (1.1, 0.9)}, "augmentation.scale"),
        ({"scale": (0, 1)}, "augmentation.scale"),
        ({"noise": -1}, "augmentation.noise=-1"),
        ({"flip": (0.5, 2)}, "augmentation.flip"),
        ({"contrast": 2}, "contrast and saturation"),
    ],
)
def test_values_that_cannot_be_are_told(options: dict[str, object], told: str) -> None:
    with pytest.raises(UserError, match=told):
        MeshAugmentation(**options)  # type: ignore[arg-type]
