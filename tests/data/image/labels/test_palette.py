import pickle
from collections import Counter

import numpy as np
import pytest

from segmentation.classes import Classes, Color
from segmentation.data.image.labels.palette import PaletteDecoder
from segmentation.errors import UserError
from tests.data.image.david_files import CLASSES, random_ids, random_image


def by_comparing(rgb: np.ndarray, classes: Classes) -> np.ndarray:
    """Colour by colour, as slow as it is simple."""
    ids = np.full(rgb.shape[:2], classes.ignore_index, np.uint8)
    for index, color in enumerate(classes.colors):
        ids[(rgb == color).all(axis=2)] = index
    return ids


def many_classes(seed: int, count: int = 200, ignore_index: int = 255) -> Classes:
    colors = np.random.default_rng(seed).choice(2**24, count, replace=False)
    return Classes(
        tuple(f"class {index}" for index in range(count)),
        tuple((int(color) // 65536, int(color) // 256 % 256, int(color) % 256) for color in colors),
        ignore_index,
    )


def stored(rgb: np.ndarray, alpha: int | None = None) -> np.ndarray:
    """As OpenCV reads it."""
    bgr = rgb[..., ::-1]
    if alpha is None:
        return np.ascontiguousarray(bgr)
    return np.concatenate([bgr, np.full((*rgb.shape[:2], 1), alpha, np.uint8)], axis=2)


def test_by_hand() -> None:
    rgb = np.array([[[128, 64, 128], [0, 0, 142], [142, 0, 0]], [[0, 0, 0], [0, 0, 1], [153, 153, 153]]], np.uint8)
    ids = PaletteDecoder(CLASSES)(stored(rgb))
    assert ids.dtype == np.uint8
    assert ids.tolist() == [[0, 1, 255], [3, 255, 2]]


@pytest.mark.parametrize("alpha", [None, 0, 128, 255])
@pytest.mark.parametrize("seed", range(3))
def test_equals_comparing_colour_by_colour(seed: int, alpha: int | None) -> None:
    classes = many_classes(seed)
    rgb = classes.paint(random_ids(seed, (33, 47), classes=len(classes)))
    rgb[::5] = random_image(seed, (33, 47))[::5]
    np.testing.assert_array_equal(PaletteDecoder(classes)(stored(rgb, alpha)), by_comparing(rgb, classes))


@pytest.mark.parametrize("alpha", [None, 7])
def test_views_into_larger_arrays_are_read_right(alpha: int | None) -> None:
    rgb = CLASSES.paint(random_ids(0, (12, 16)))
    view = stored(rgb, alpha)[1::2, ::3]
    np.testing.assert_array_equal(PaletteDecoder(CLASSES)(view), by_comparing(rgb[1::2, ::3], CLASSES))
    channels_first = np.ascontiguousarray(stored(rgb, alpha).transpose(2, 0, 1)).transpose(1, 2, 0)
    np.testing.assert_array_equal(PaletteDecoder(CLASSES)(channels_first), by_comparing(rgb, CLASSES))


def test_painting_and_decoding_are_inverse() -> None:
    classes = many_classes(0, ignore_index=201)
    ids = random_ids(0, (20, 30), classes=200)
    np.testing.assert_array_equal(PaletteDecoder(classes)(stored(classes.paint(ids))), ids)


def test_the_ignore_index_is_the_configured_one() -> None:
    classes = Classes(CLASSES.names, CLASSES.colors, ignore_index=4)
    assert PaletteDecoder(classes)(np.full((1, 1, 3), 9, np.uint8)).tolist() == [[4]]


def test_ignored_void_is_ignored_and_not_unknown() -> None:
    decode = PaletteDecoder(CLASSES.without("void"), ignored=((0, 0, 0),))
    rgb = np.array([[[0, 0, 0], [128, 64, 128], [1, 2, 3]]], np.uint8)
    ids = decode(stored(rgb))
    assert ids.tolist() == [[255, 0, 255]]
    assert decode.unknown(stored(rgb), ids) == {(1, 2, 3): 1}


@pytest.mark.parametrize("alpha", [None, 0, 255])
def test_unknown_colours_are_counted(alpha: int | None) -> None:
    rgb = CLASSES.paint(random_ids(0, (30, 40)))
    rgb[4:9] = random_image(1, (5, 40)) // 64 * 64 + 3
    picture = stored(rgb, alpha)
    decode = PaletteDecoder(CLASSES)
    pixels: Counter[Color] = Counter((int(r), int(g), int(b)) for r, g, b in rgb.reshape(-1, 3))
    expected = {color: count for color, count in pixels.items() if color not in CLASSES.colors}
    assert sum(expected.values()) == 200
    assert decode.unknown(picture, decode(picture)) == expected


def test_a_picture_of_known_colours_has_no_unknown_ones() -> None:
    picture = stored(CLASSES.paint(random_ids(0, (5, 6))))
    decode = PaletteDecoder(CLASSES)
    assert decode.unknown(picture, decode(picture)) == {}


@pytest.mark.parametrize(
    ("shape", "dtype", "named"),
    [
        ((4, 5), np.uint8, "4x5 uint8"),
        ((4, 5), np.uint16, "4x5 uint16"),
        ((4, 5, 3), np.uint16, "4x5x3 uint16"),
        ((4, 5, 4), np.uint16, "4x5x4 uint16"),
        ((4, 5, 2), np.uint8, "4x5x2 uint8"),
    ],
)
def test_grey_and_16_bit_pictures_are_refused(shape: tuple[int, ...], dtype: type[np.generic], named: str) -> None:
    with pytest.raises(UserError, match=rf"^.*{named}.*$"):
        PaletteDecoder(CLASSES)(np.zeros(shape, dtype))


@pytest.mark.parametrize("ignore_index", [-1, -100, 256, 1000])
def test_an_ignore_index_beyond_8_bits_is_refused(ignore_index: int) -> None:
    with pytest.raises(UserError, match=rf"^.*ignore_index={ignore_index} .*$"):
        PaletteDecoder(Classes(CLASSES.names, CLASSES.colors, ignore_index))


def test_more_classes_than_8_bits_are_refused() -> None:
    with pytest.raises(UserError, match="300 classes"):
        PaletteDecoder(many_classes(0, count=300, ignore_index=300))
    assert len(PaletteDecoder(many_classes(0, count=255)).classes) == 255


def test_a_used_decoder_is_small_to_send_to_a_worker() -> None:
    decode = PaletteDecoder(CLASSES)
    decode(np.zeros((2, 2, 3), np.uint8))
    sent = pickle.dumps(decode)
    assert len(sent) < 10_000
    assert pickle.loads(sent)(np.zeros((1, 1, 3), np.uint8)).tolist() == [[3]]
