from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segmentation.apps.dataset.augmentations import draw_augmentations
from segmentation.errors import UserError
from tests.conftest import SMALL, Compose
from tests.data.image.david_files import random_ids, write_frame

DATA = ("dataset=david", "dataset.split={train:2,val:1,test:1}", *SMALL, "dataset.image_size=[48,64]")


def drawn(composed: Compose, root: Path, path: Path, *overrides: str) -> np.ndarray:
    own = (f"dataset.root={root}", f"output={path}", *overrides)
    assert draw_augmentations(composed(*DATA, *own, name="augmentations")) == path
    return np.asarray(Image.open(path))


def test_the_picture_shows_the_samples_and_changes_with_the_augmentation(
    composed: Compose, tiny_root: Path, tmp_path: Path
) -> None:
    """Of four training samples the first three are shown: the fourth place of the row stays empty."""
    plain = drawn(composed, tiny_root, tmp_path / "new" / "plain.png", "augmentation=none", "count=3")
    assert plain.shape[1] == 8 + 8 * (240 + 8)
    image, over = plain[23 : 23 + 180, 8 : 8 + 240], plain[23 : 23 + 180, 256 : 256 + 240]
    assert image.std() > 10
    assert not np.array_equal(image, over)
    assert (plain[23 : 23 + 180, 8 + 6 * 248 :] == 250).all()
    strong = drawn(composed, tiny_root, tmp_path / "strong.png", "augmentation=strong", "count=3")
    assert not np.array_equal(plain, strong)
    again = drawn(composed, tiny_root, tmp_path / "again.png", "augmentation=strong", "count=3")
    np.testing.assert_array_equal(strong, again)


def test_more_samples_than_an_epoch_has_and_what_needs_the_counts(
    composed: Compose, tiny_root: Path, tmp_path: Path
) -> None:
    mixing = [f"augmentation.mixing.{name}=0.5" for name in ("mosaic", "cutmix", "classmix", "copy_paste")]
    crop = ("augmentation.crop.size=[32,32]", "augmentation.crop.rare_probability=0.5")
    picture = drawn(
        composed, tiny_root, tmp_path / "a.png", *mixing, *crop, "trainer.sampling=class_balanced", "count=9"
    )
    assert picture.shape[0] > 3 * 240


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("trainer.batch_size=2", r"images of 2 sizes .* set dataset\.image_size, .* trainer\.batch_by_size"),
        ("augmentation.transforms=[{RandomCrop:{height:99,width:9,p:1}}]", r"RandomCrop cannot .*\(99, 9\) vs \("),
    ],
)
def test_what_makes_no_batch_is_told_before_the_work(
    composed: Compose, tmp_path: Path, override: str, told: str
) -> None:
    for video, size in enumerate([(32, 48), (48, 32), (32, 48), (32, 48)]):
        write_frame(tmp_path, f"Video_{video}", "a", random_ids(video, size))
    split = "dataset.split={train:[Video_0,Video_1],val:[Video_2],test:[Video_3]}"
    with pytest.raises(UserError, match=told):
        drawn(composed, tmp_path, tmp_path / "a.png", split, "dataset.image_size=null", override)
    alone = ("dataset.image_size=null", "trainer.batch_size=1", "count=2")
    assert drawn(composed, tmp_path, tmp_path / "a.png", split, *alone).any()


def test_faults_are_told_together(composed: Compose, tmp_path: Path) -> None:
    cfg = composed(
        "augmentation.transforms=[HorizontalFlop]", "count=0", f"output={tmp_path / 'a.png'}", name="augmentations"
    )
    with pytest.raises(UserError, match=r"HorizontalFlop is no transform[\s\S]*count=0: expected a whole number"):
        draw_augmentations(cfg)
    assert not list(tmp_path.iterdir())
