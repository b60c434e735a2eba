from math import pi

import numpy as np
import pytest
import trimesh

from segmentation.data.mesh.features import WIDTHS, FaceFeatures, areas
from segmentation.errors import UserError
from tests.data.mesh.mesh_files import AREAS, BOX, TRIANGLES

RIGHT = np.array([[[1, 2, 5], [5, 2, 5], [1, 5, 5]]], np.float32)  # legs of 4 and 3, level, seen from above


def features_of(corners: np.ndarray, names: str = "", **options: float) -> np.ndarray:
    made = FaceFeatures(names.split(), **options)  # type: ignore[arg-type]
    count = len(corners)
    around = np.tile(np.array([[7, 8]], np.float32), (count, 1))
    features = made(
        corners, np.tile(np.array([[1, 1, 1]], np.float32), (count, 1)), around, np.zeros((count, 0), np.float32)
    )
    assert features.shape == (count, made.width)
    assert features.dtype == np.float32
    return features


def test_a_triangle_by_hand() -> None:
    expected = [0, 1, 4, 4, 1, 4, 0, 4, 4, pi / 2, np.arctan(3 / 4), np.arctan(4 / 3), 0, 0, 1, 6]
    np.testing.assert_allclose(features_of(RIGHT, "corners angles normal area")[0], expected, rtol=1e-6)


def test_the_default_is_the_published_sixteen() -> None:
    assert FaceFeatures().width == 16
    assert FaceFeatures(tuple(WIDTHS), frequencies=3, extra=("a", "b")).width == 23 + 18 + 2


def test_the_order_is_that_of_the_names() -> None:
    np.testing.assert_allclose(features_of(RIGHT, "area height roughness slope")[0], [6, 7, 8, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("tilt", "slope"), [(0, 0), (30, pi / 6), (90, pi / 2), (150, pi / 6), (180, 0), (270, pi / 2)]
)
def test_the_slope_is_that_of_a_face_with_two_sides(tilt: float, slope: float) -> None:
    turn = np.deg2rad(tilt)
    matrix = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    assert features_of(RIGHT @ matrix.T.astype(np.float32), "slope")[0, 0] == pytest.approx(slope, abs=1e-6)


def test_logarithms_are_of_sides_and_area_and_finite() -> None:
    features = features_of(np.concatenate([RIGHT, RIGHT * 0]), "log_sides log_area")
    np.testing.assert_allclose(np.exp(features), np.array([[4, 5, 3, 6], [1e-4, 1e-4, 1e-4, 1e-8]]), rtol=1e-5)


def test_the_other_winding_turns_the_normal_and_leaves_the_rest() -> None:
    there, back = (features_of(corners, "normal area slope")[0] for corners in (RIGHT, RIGHT[:, [0, 2, 1]]))
    np.testing.assert_allclose(back, [*(-there[:3]), *there[3:]], atol=1e-7)


def test_faces_of_a_real_shape_are_those_of_another_library() -> None:
    shape = trimesh.creation.icosphere(subdivisions=2, radius=3)
    corners = np.asarray(shape.triangles, np.float32)
    features = features_of(corners, "angles normal area")
    np.testing.assert_allclose(features[:, :3], trimesh.triangles.angles(shape.triangles), atol=1e-5)
    np.testing.assert_allclose(features[:, 3:6], shape.face_normals, atol=1e-5)
    np.testing.assert_allclose(features[:, 6], shape.area_faces, rtol=1e-5)
    np.testing.assert_allclose(areas(shape.triangles), shape.area_faces)


@pytest.mark.parametrize(
    ("corners", "angles"),
    [
        ([[1, 1, 1], [1, 1, 1], [1, 1, 1]], [0, 0, 0]),
        ([[0, 0, 0], [1, 0, 0], [3, 0, 0]], [0, pi, 0]),
        ([[0, 0, 0], [0, 0, 0], [3, 0, 0]], [0, 0, 0]),
    ],
)
def test_faces_without_area_have_finite_features(corners: list[list[float]], angles: list[float]) -> None:
    features = features_of(np.array([corners], np.float32), "angles normal area slope")
    np.testing.assert_allclose(features[0], [*angles, 0, 0, 0, 0, 0], atol=1e-6)


def test_the_place_is_encoded_in_waves() -> None:
    """The centroid is at (7/3, 3, 5); the wavelengths are 12 and 6 m."""
    place = np.array([7 / 3, 3, 5])
    expected = [wave(place * 2 * pi / length) for length in (12, 6) for wave in (np.sin, np.cos)]
    features = features_of(RIGHT, frequencies=2, wavelength=12)
    np.testing.assert_allclose(features[0], np.concatenate(expected), atol=1e-5)


def test_the_areas_of_a_box() -> None:
    np.testing.assert_allclose(areas(BOX[TRIANGLES]), AREAS)


def test_numbers_of_the_files_come_last() -> None:
    made = FaceFeatures(("area",), extra=("light",))
    assert made(RIGHT, RIGHT[:, 0], np.zeros((1, 2)), np.array([[9.0]])).tolist() == [[6, 9]]


def test_a_name_that_is_no_feature_is_told() -> None:
    with pytest.raises(UserError, match=r"dataset.features names angels, which is no feature; did you mean angles\?"):
        FaceFeatures(("angels",))
