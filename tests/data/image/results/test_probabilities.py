from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from segmentation.data.image.results.probabilities import (
    as_bytes,
    write_confidence,
    write_large_confidence,
    write_large_probabilities,
    write_probabilities,
)
from segmentation.data.image.results.strips import Strips

SCORES = np.random.default_rng(0).random((3, 600, 40), dtype=np.float32)


def test_probabilities_are_kept_to_half_precision(tmp_path: Path) -> None:
    write_probabilities(tmp_path / "a.npz", SCORES)
    with np.load(tmp_path / "a.npz") as kept:
        assert list(kept) == ["probabilities"]
        assert kept["probabilities"].dtype == np.float16
        np.testing.assert_array_equal(kept["probabilities"], SCORES.astype(np.float16))


def test_those_of_a_large_picture_are_the_same(tmp_path: Path) -> None:
    by_class = []
    for of_class in SCORES:
        by_class.append(Strips(40, np.float16, tmp_path))
        by_class[-1].append(of_class[:100])
        by_class[-1].append(of_class[100:])
    write_large_probabilities(tmp_path / "a.npz", by_class)
    with np.load(tmp_path / "a.npz") as kept:
        np.testing.assert_array_equal(kept["probabilities"], SCORES.astype(np.float16))


def test_confidence_is_a_grey_picture(tmp_path: Path) -> None:
    confidence = np.array([[0, 0.5, 1], [0.2, 1.0000001, 0.998]], np.float32)
    expected = [[0, 128, 255], [51, 255, 254]]
    write_confidence(tmp_path / "a.png", confidence)
    assert np.asarray(Image.open(tmp_path / "a.png")).tolist() == expected
    with Strips(3, np.uint8, tmp_path) as strips:
        strips.append(as_bytes(confidence))
        write_large_confidence(tmp_path / "a.tif", strips)
    assert tifffile.imread(tmp_path / "a.tif").tolist() == expected
