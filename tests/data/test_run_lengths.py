import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segmentation.data.patch import Patch
from segmentation.data.run_lengths import RunLengths

SIZE = (6, 8)
SQUARE = np.zeros(SIZE, bool)
SQUARE[1:4, 2:5] = True
RUNS = [13, 3, 3, 3, 3, 3, 20]  # column by column: two of six and one pixel, three of each square column, the rest


def packed(mask: np.ndarray) -> str:
    return str(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode())


def whole(patch: Patch, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[patch.top : patch.top + patch.mask.shape[0], patch.left : patch.left + patch.mask.shape[1]] = patch.mask
    return mask


def test_plain_and_compressed_runs_are_the_same_mask() -> None:
    assert RunLengths.of(RUNS, SIZE) == RunLengths.of(packed(SQUARE), SIZE)
    patch = RunLengths.of(RUNS, SIZE).patch(SIZE)
    assert (patch.top, patch.left, patch.mask.shape) == (1, 2, (3, 3))
    assert patch.mask.all()


@pytest.mark.parametrize("seed", range(5))
def test_any_mask_comes_back_exactly(seed: int) -> None:
    generator = np.random.default_rng(seed)
    size = (int(generator.integers(1, 200)), int(generator.integers(1, 200)))
    mask = generator.random(size) < generator.choice([0.001, 0.5, 0.999])
    np.testing.assert_array_equal(whole(RunLengths.of(packed(mask), size).patch(size), size), mask)


@pytest.mark.parametrize("value", [False, True])
def test_empty_and_full_masks(value: bool) -> None:
    mask = np.full(SIZE, value)
    np.testing.assert_array_equal(whole(RunLengths.of(packed(mask), SIZE).patch(SIZE), SIZE), mask)


@pytest.mark.parametrize(
    "counts",
    [RUNS[:-1], [*RUNS[:-1], 21], [], [-3, 51], packed(SQUARE)[:-2], packed(SQUARE) + "5", "", packed(SQUARE)[:-1]],
)
def test_runs_that_do_not_fill_the_picture_are_told(counts: str | list[int]) -> None:
    with pytest.raises(ValueError, match="run lengths"):
        RunLengths.of(counts, SIZE)


@pytest.mark.parametrize("counts", [["a"], None, 7, "\N{SNOWMAN}"])
def test_other_things_are_told(counts: object) -> None:
    with pytest.raises(ValueError, match="run lengths"):
        RunLengths.of(counts, SIZE)  # type: ignore[arg-type]
