import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from segmentation.data.faults import noting_faults
from segmentation.data.image.dataset import ImageDataset, collate, start_worker
from segmentation.data.image.files import PixelFormat
from segmentation.data.image.layouts.own import own
from segmentation.data.image.scan import scan_masks
from segmentation.data.image.source import ImageSource
from segmentation.data.sampler import Draw
from segmentation.errors import UserError
from tests.data.image.david_files import random_ids, random_image
from tests.data.image.layouts.painted_files import OwnData

SIZE = (4, 6)
CLASSES = ["road", "car"]
IMAGE, MASK = random_image(0, SIZE), random_ids(0, SIZE, 2)


class Returns:
    """A data set whose item 1 is what is given; 0 is a good one."""

    def __init__(self, item: Any) -> None:
        self.item, self.calls = item, 0

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        self.calls += 1
        if isinstance(self.item, Exception) and index:
            raise self.item
        return self.item if index else (IMAGE, MASK)


class Broken(OwnData):
    def __getitem__(self, index: int) -> Any:
        raise KeyError(index)


def made(dataset: Any, **how: Any) -> ImageSource:
    return own(".", dataset, **{"classes": CLASSES, **how})


def read(item: Any, pixels: PixelFormat | None = None) -> tuple[np.ndarray, np.ndarray]:
    source = made(Returns(item))
    image = source.reader(source.samples[1], pixels or source.pixels, None)
    return image, source.read_mask(source.samples[1])


def test_pairs_are_read_by_index() -> None:
    source = made(OwnData(12, *SIZE))
    assert [sample.key for sample in source.samples[:11:5]] == ["00", "05", "10"]
    assert {sample.size for sample in source.samples} == {SIZE}
    assert source.classes.names == ("road", "car")
    for index in (11, 3):
        np.testing.assert_array_equal(source.read_image(source.samples[index]), random_image(index, SIZE))
        np.testing.assert_array_equal(source.read_mask(source.samples[index]), random_ids(index, SIZE, 2))
    assert "OwnData (12 items)" in source.title


@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        Image.fromarray(IMAGE),
        Image.fromarray(np.dstack([IMAGE, np.full(SIZE, 9, np.uint8)])),
        np.dstack([IMAGE, np.full(SIZE, 9, np.uint8)]),
    ],
)
@pytest.mark.parametrize("mask", [MASK, Image.fromarray(MASK), MASK.astype(np.int64), MASK == 1, MASK[..., None]])
def test_arrays_and_pictures(image: Any, mask: Any) -> None:
    shown, ids = read((image, mask))
    np.testing.assert_array_equal(shown, IMAGE)
    np.testing.assert_array_equal(ids, MASK)
    assert ids.dtype == np.uint8


@pytest.mark.parametrize("shape", [SIZE, (*SIZE, 1)])
def test_grey_becomes_three_equal_channels_or_stays_one(shape: tuple[int, ...]) -> None:
    grey = IMAGE[..., :1].reshape(shape)
    np.testing.assert_array_equal(read((grey, MASK))[0], np.repeat(IMAGE[..., :1], 3, axis=2))
    np.testing.assert_array_equal(read((grey, MASK), PixelFormat(1))[0], IMAGE[..., :1])


def test_sixteen_bits_and_floats_become_floats_from_0_to_1() -> None:
    deep = np.full((*SIZE, 5), 65535, np.uint16)
    assert read((deep, MASK), PixelFormat(5))[0].tolist() == np.ones((*SIZE, 5)).tolist()
    floats = np.full((*SIZE, 3), 0.25)
    image, _ = read((floats, MASK))
    assert image.dtype == np.float32
    assert (image == 0.25).all()


def test_values_that_are_no_class_are_ignored_and_found() -> None:
    source = made(Returns((IMAGE, np.full(SIZE, 7))))
    assert (source.read_mask(source.samples[1]) == 255).all()
    assert scan_masks(source).unknown["1"].commonest == {(7,): 24}


WRONG: dict[str, tuple[Any, str]] = {
    "image alone": (IMAGE, "returned uint8 [4, 6, 3]: expected an image and a mask"),
    "three things": ((IMAGE, MASK, 1), "returned tuple"),
    "by name": ({"image": IMAGE, "mask": MASK}, "returned dict"),
    "nothing": (None, "returned NoneType"),
    "other size": ((IMAGE, MASK[:, 1:]), "image uint8 [4, 6, 3] and a mask uint8 [4, 5]: expected one size"),
    "channels first": ((IMAGE.transpose(2, 0, 1), MASK), "image uint8 [3, 4, 6]"),
    "coloured mask": ((IMAGE, IMAGE), "mask uint8 [4, 6, 3]: expected"),
    "mask of floats": ((IMAGE, MASK.astype(float)), "mask float64 [4, 6]: expected"),
    "signed image": ((IMAGE.astype(int), MASK), "image int64 [4, 6, 3]"),
    "normalised image": ((IMAGE / 64 - 1.5, MASK), "floats from -1.48"),
    "nan": ((np.full(IMAGE.shape, np.nan), MASK), "floats from nan"),
    "error": (KeyError("a.png"), "raised KeyError: 'a.png'"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_pair_is_told_with_its_index(wrong: str) -> None:
    item, expected = WRONG[wrong]
    with pytest.raises(UserError) as told:
        made(Returns(item))
    lines = str(told.value).splitlines()
    assert lines[0] == "1 of the 2 items of Returns cannot be used"
    assert len(lines) == 2
    assert lines[1].startswith("  - Returns[1] ")
    assert expected in lines[1]


def test_a_check_goes_on_with_the_other_items() -> None:
    with noting_faults() as noted:
        source = made(Returns(None))
    assert [sample.key for sample in source.samples] == ["0"]
    assert [len(faults) for _, faults in noted] == [1]
    with noting_faults(), pytest.raises(UserError, match="Broken has no item that can be used"):
        made(Broken(2))


def test_channels_that_the_configuration_does_not_have_are_told() -> None:
    with pytest.raises(UserError, match=r"Returns\[1\] .*\[4, 6, 3\]: expected 5 channels"):
        read((IMAGE, MASK), PixelFormat(5))


@pytest.mark.parametrize("dataset", [7, OwnData(0), iter([1])])
def test_what_is_no_data_set_is_told(dataset: Any) -> None:
    with pytest.raises(UserError, match="is no data set: expected a class with __len__"):
        made(dataset)


def test_the_mask_that_came_with_the_image_is_not_asked_for_again() -> None:
    dataset = Returns((IMAGE, MASK))
    source = made(dataset)
    before = dataset.calls
    source.read_image(source.samples[1])
    source.read_mask(source.samples[1])
    assert dataset.calls == before + 1
    np.testing.assert_array_equal(source.read_mask(source.samples[0]), MASK)
    assert dataset.calls == before + 2


def test_caches_go_by_content(tmp_path: Path) -> None:
    def described(change: Callable[[np.ndarray], np.ndarray]) -> str:
        source = made(Returns((change(IMAGE), MASK)))
        assert all(sample.image.is_file() for sample in source.samples)
        return repr((source.labels, source.reader))

    assert described(lambda image: image) == described(np.copy)
    assert described(lambda image: image) != described(lambda image: image ^ 1)
    assert "object at" not in described(lambda image: image)


def test_workers_read_it() -> None:
    source = pickle.loads(pickle.dumps(made(OwnData(6, *SIZE))))
    loader: DataLoader[Any] = DataLoader(
        ImageDataset(source, source.samples, None),
        batch_sampler=[[Draw(0, 0), Draw(1, 0)], [Draw(2, 0), Draw(5, 0)]],
        collate_fn=collate,
        num_workers=2,
        worker_init_fn=start_worker,
    )
    batches = list(loader)
    assert [batch.keys for batch in batches] == [("0", "1"), ("2", "5")]
    for index, mask in zip((0, 1, 2, 5), [mask for batch in batches for mask in batch.target.numpy()], strict=True):
        np.testing.assert_array_equal(mask, random_ids(index, SIZE, 2))
