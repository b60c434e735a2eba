from pathlib import Path

import numpy as np
import pytest

from segmentation.data.mesh.texture import read_texture, sample_pixels
from segmentation.errors import UserError
from tests.data.mesh.mesh_files import SUM, needs_sum, write_texture

RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]
QUARTERS = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8).repeat(8, axis=0).repeat(8, axis=1)  # 16 x 16


def sample(*uv: object, picture: np.ndarray = QUARTERS, most: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    corners = np.array(uv, np.float32)
    return sample_pixels(corners, np.zeros(len(corners), int), [picture], most, seed)


def small_at(u: float, v: float) -> list[list[float]]:
    return [[u, v], [u + 0.3, v], [u, v + 0.3]]


@pytest.mark.parametrize(
    ("u", "v", "color"),
    [
        (0.1, 0.6, RED),  # v points up: the first row of the picture is at the top
        (0.6, 0.6, GREEN),
        (0.1, 0.1, BLUE),
        (0.6, 0.1, WHITE),
        (7.1, -2.4, RED),
        (-0.4, 100.1, WHITE),
        (-300.9, -0.9, BLUE),
    ],
)
def test_a_face_shows_its_part_of_the_image_which_repeats(u: float, v: float, color: list[int]) -> None:
    pixels, counts = sample(small_at(u, v))
    assert counts.tolist() == [8]
    np.testing.assert_array_equal(pixels[0], [color] * 8)


def test_a_face_over_the_edge_goes_on_at_the_other_side() -> None:
    """Wrapped by sample and not by corner: between u = 0.9 and u = 1.4 there are green, then red."""
    pixels, counts = sample([[0.9, 0.9], [1.4, 0.9], [0.9, 0.99]], picture=QUARTERS.repeat(9, axis=0))
    assert counts.tolist() == [8]
    assert {tuple(pixel) for pixel in pixels[0].tolist()} == {tuple(RED), tuple(GREEN)}


def test_the_pixels_are_spread_evenly_over_the_face() -> None:
    """Over the lower left triangle of the image: half blue, a quarter red, a quarter white; n points are never far."""
    picture = QUARTERS.repeat(8, axis=0).repeat(8, axis=1)
    for most in (16, 64, 256):
        pixels, counts = sample(*[[[0, 0], [1, 0], [0, 1]]] * 20, picture=picture, most=most)
        assert (counts == most).all()
        for color, share in ((BLUE, 1 / 2), (RED, 1 / 4), (WHITE, 1 / 4), (GREEN, 0)):
            found = (pixels == color).all(axis=2).mean(axis=1)
            assert np.abs(found - share).max() <= 2.5 / most**0.75


def test_a_face_has_as_many_pixels_as_it_covers_and_at_least_one() -> None:
    """Pixels are 1/16 wide: a triangle with legs of 4 of them covers 8."""
    legs = np.array([0, 0.5, 1, 4, 5, 100]) / 16
    _, counts = sample(*([[0, 0], [leg, 0], [0, leg]] for leg in legs), most=10)
    assert counts.tolist() == [1, 1, 1, 8, 10, 10]


def test_what_is_beyond_the_count_is_nothing() -> None:
    pixels, counts = sample([[0, 0], [2 / 16, 0], [0, 2 / 16]])
    assert counts.tolist() == [2]
    assert pixels[0].any(axis=1).tolist() == [True, True, *[False] * 6]


def test_faces_without_an_image_have_no_pixels_and_each_shows_its_own() -> None:
    uv = np.array([small_at(0.1, 0.1)] * 4, np.float32)
    pictures = [np.full((4, 6, 3), value, np.uint8) for value in (50, 60)]
    pixels, counts = sample_pixels(uv, np.array([1, -1, 0, 1]), pictures, 1)
    assert counts.tolist() == [1, 0, 1, 1]
    assert pixels[:, 0, 0].tolist() == [60, 0, 50, 60]


def test_the_seed_decides_which_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    face = [[0, 0], [1, 0], [0, 1]]
    first, again, other = (sample(face, face, picture=noise, seed=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[0] != first[1]).any()  # faces do not share their places


def test_the_corners_of_the_image_are_within_it() -> None:
    for corner in ([0, 0], [1, 1], [1, 0], [-1e-9, 1 - 1e-9]):
        assert sample([corner] * 3)[1].tolist() == [1]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_images_of_any_kind_are_rgb(tmp_path: Path, mode: str) -> None:
    from PIL import Image

    Image.new("RGB", (6, 4), (255, 255, 255)).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_texture(tmp_path / "a.png"), np.full((4, 6, 3), 255))


def test_an_image_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = write_texture(tmp_path / "a.png", QUARTERS)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match=rf"^the texture image {path} cannot be read \(.+\)$"):
        read_texture(path)


@needs_sum
def test_the_sum_sample_has_pixels_for_each_face() -> None:
    from segmentation.data.mesh.formats.ply import read_ply

    mesh = read_ply(SUM / "tiny_test_c.ply")
    assert mesh.uv is not None
    assert mesh.image is not None
    pixels, counts = sample_pixels(mesh.uv, mesh.image, [read_texture(SUM / mesh.images[0])], 16)
    assert (counts >= 1).all()
    vegetation, ground = (pixels[mesh.labels == label][:, 0].mean(axis=0) for label in (2, 1))
    assert vegetation[1] > vegetation[2] + 5  # plants are more green than blue
    assert abs(ground[1] - ground[2]) < abs(vegetation[1] - vegetation[2])
