import doctest
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import softmax

from segmentation.classes import Classes
from segmentation.errors import UserError
from segmentation.inference import scoring
from segmentation.inference.exported import ExportedModel
from segmentation.inference.scoring import Band, ExportedScorer, enlarged, pieces
from segmentation.inference.windows import Tiles, Window, spans
from tests.inference.onnx_files import write_convolution
from tests.inference.pictures import Held, noise

CLASSES = Classes(("road", "car", "sky"), ((128, 64, 128), (0, 0, 142), (70, 130, 180)))
POINTWISE = np.random.default_rng(2).normal(0, 4, (3, 3, 1, 1))
WIDE = np.random.default_rng(3).normal(0, 1, (3, 3, 5, 5))


def scorer_of(tmp_path: Path, kernels: np.ndarray = POINTWISE, whole: bool = True, **options: object) -> ExportedScorer:
    size, tile, overlap = options.pop("size", None), options.pop("tile", (16, 16)), options.pop("overlap", 0.5)
    path = write_convolution(tmp_path / "model.onnx", kernels, CLASSES, **options)  # type: ignore[arg-type]
    tiles = Tiles(tile, overlap, 2)  # type: ignore[arg-type]
    return ExportedScorer(ExportedModel.open(path, threads=1), CLASSES, size, tiles, whole)  # type: ignore[arg-type]


def by_hand(image: np.ndarray, kernels: np.ndarray = POINTWISE) -> np.ndarray:
    """Probabilities `[C, H, W]`."""
    pixels = torch.from_numpy(image / 255).permute(2, 0, 1)[None]
    logits = F.conv2d(pixels, torch.from_numpy(kernels), padding=kernels.shape[-1] // 2)[0].numpy()
    shares: np.ndarray = softmax(logits, axis=0)
    return shares


def test_the_examples_are_true() -> None:
    result = doctest.testmod(scoring)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_a_file_gives_its_probabilities(tmp_path: Path, layout: str) -> None:
    image = noise(20, 33)
    (strip,) = scorer_of(tmp_path, layout=layout).strips(Held(image))
    np.testing.assert_allclose(strip, by_hand(image), atol=1e-5)


def test_a_file_that_fails_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the exported file fails on 1x20x33x2: "):
        next(scorer_of(tmp_path).strips(Held(noise(20, 33)[..., :2])))


@pytest.mark.parametrize("size", [(7, 40), (16, 16), (37, 50), (3, 3)])
def test_of_a_large_picture_come_strips_that_together_are_the_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    picture = Held(noise(*size), is_large=True)
    strips = list(scorer_of(tmp_path).strips(picture))
    np.testing.assert_allclose(np.concatenate(strips, axis=1), by_hand(picture.image), atol=1e-5)
    assert len(strips) == len(spans(size[0], 16, 0.5))
    assert all(rows[1] - rows[0] <= 16 for rows in picture.reads)
    assert len(picture.reads) == len(strips), "tiles side by side share one read"


def test_tiles_of_a_model_that_looks_around_agree_with_the_whole(tmp_path: Path) -> None:
    image = noise(60, 90)
    whole = np.concatenate(list(scorer_of(tmp_path, WIDE).strips(Held(image))), axis=1)
    tiled = scorer_of(tmp_path, WIDE, whole=False, tile=(32, 32)).strips(Held(image))
    labels = np.concatenate(list(tiled), axis=1).argmax(axis=0)
    assert (labels == whole.argmax(axis=0)).mean() > 0.995
    np.testing.assert_allclose(whole, by_hand(image, WIDE), atol=1e-4)


def test_a_model_is_shown_the_size_of_its_training_and_the_answer_enlarged(tmp_path: Path) -> None:
    picture = Held(noise(40, 60))
    scorer = scorer_of(tmp_path, size=(20, 24))
    assert scorer.sizes == [(20, 24)]
    (strip,) = scorer.strips(picture)
    small = torch.from_numpy(np.log(by_hand(picture.resized((20, 24)))))[None]
    expected = F.interpolate(small, size=(40, 60), mode="bilinear", align_corners=False)[0].softmax(dim=0)
    np.testing.assert_allclose(strip, expected.numpy(), atol=1e-4)


def test_a_file_of_class_ids_alone_is_sure_of_them(tmp_path: Path) -> None:
    image = noise(20, 20)
    for whole in (True, False):
        given = np.concatenate(list(scorer_of(tmp_path, whole=whole, probabilities=False).strips(Held(image))), axis=1)
        assert (given.argmax(axis=0) == by_hand(image).argmax(axis=0)).all()
        assert given.max(axis=0).min() > 0.999


@pytest.mark.parametrize("size", [(40, 31), (10, 50), (9, 9)])
def test_rows_enlarged_one_by_one_are_those_of_the_whole(size: tuple[int, int]) -> None:
    scores = np.random.default_rng(0).normal(size=(4, 10, 12)).astype(np.float32)
    whole = F.interpolate(torch.from_numpy(scores)[None], size=size, mode="bilinear", align_corners=False)[0].numpy()
    for rows in (slice(0, size[0]), slice(0, 1), slice(3, 8), slice(size[0] - 1, size[0])):
        np.testing.assert_allclose(enlarged(scores, rows, size), whole[:, rows], atol=1e-5)


def test_what_is_enlarged_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "AT_ONCE", 100)
    assert [(rows.start, rows.stop) for rows in pieces((10, 8), classes=3)] == [(0, 4), (4, 8), (8, 10)]
    assert len(list(pieces((10, 1000), classes=3))) == 10, "at least a row"


def test_a_picture_smaller_than_a_tile_is_mirrored() -> None:
    image = noise(3, 6)
    (rows,), (columns,) = spans(3, 4, 0.5), spans(6, 8, 0.5)
    (tile,) = Band(Held(image), (4, 8)).tiles([Window(rows, columns)])
    assert (tile[3] == tile[1]).all()
    assert (tile[:, 6] == tile[:, 4]).all()
    assert (tile[:3, :6] == image).all()
