from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from segmentation.data.image.layouts.camvid import camvid
from segmentation.data.image.scan import scan_masks
from segmentation.errors import UserError
from tests.data.image.david_files import CONF, SHARED_DATA, random_ids, random_image, write_picture

ENTRIES: Any = OmegaConf.to_container(OmegaConf.load(CONF / "dataset" / "camvid.yaml").classes)
SIZE = (4, 6)


def write(root: Path, part: str, stem: str, seed: int = 0) -> None:
    write_picture(root / part / f"{stem}.jpg", random_image(seed, SIZE))
    write_picture(root / f"{part}annot" / f"{stem}.png", random_ids(seed, SIZE, 12))


def told(root: Path) -> list[str]:
    with pytest.raises(UserError) as error:
        camvid(str(root), ENTRIES)
    return str(error.value).splitlines()


def test_parts_and_recordings(tmp_path: Path) -> None:
    for part, stem in (("train", "0006R0_f01080"), ("train", "0016E5_04350"), ("val", "0016E5_07959")):
        write(tmp_path, part, stem)
    write(tmp_path, "Test", "Seq05VD_f00030")
    (tmp_path / "Testannot").rename(tmp_path / "testannot")
    assert [(sample.key, sample.group, sample.part) for sample in camvid(str(tmp_path), ENTRIES).samples] == [
        ("train/0006R0_f01080", "0006R0", "train"),
        ("train/0016E5_04350", "0016E5", "train"),
        ("val/0016E5_07959", "0016E5", "val"),
        ("test/Seq05VD_f00030", "Seq05VD", "test"),
    ]


def test_void_is_ignored_or_a_class(tmp_path: Path) -> None:
    write(tmp_path, "train", "a_1")
    ids = random_ids(0, SIZE, 12)
    ignored, kept = camvid(str(tmp_path), ENTRIES), camvid(str(tmp_path), ENTRIES, ignore_void=False)
    assert (len(ignored.classes), len(kept.classes)) == (11, 12)
    np.testing.assert_array_equal(ignored.read_mask(ignored.samples[0]), np.where(ids == 11, 255, ids))
    np.testing.assert_array_equal(kept.read_mask(kept.samples[0]), ids)
    assert ignored.labels.look(ignored.samples[0])[1] == {}


def test_faults_of_all_parts_are_told_together(tmp_path: Path) -> None:
    write(tmp_path, "train", "a_1")
    write(tmp_path, "val", "b_1")
    (tmp_path / "trainannot/a_1.png").unlink()
    (tmp_path / "val/b_1.jpg").unlink()
    title, *lines = told(tmp_path)
    assert "2 faults" in title
    assert "train/a_1.jpg has no mask in" in lines[0]
    assert "valannot/b_1.png has no image in" in lines[1]


@pytest.mark.parametrize(
    ("missing", "named"), [("train", "train"), ("valannot", "valannot"), ("trainannot", "trainannot")]
)
def test_a_folder_that_is_missing_is_named(tmp_path: Path, missing: str, named: str) -> None:
    write(tmp_path, "train", "a_1")
    write(tmp_path, "val", "a_2")
    (tmp_path / missing).rename(tmp_path / "away")
    (line,) = told(tmp_path)
    assert line.endswith(f"found no folder {named}")


@pytest.mark.skipif(not (SHARED_DATA / "camvid").is_dir(), reason=f"{SHARED_DATA}/camvid is not here")
def test_real_camvid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = camvid(str(SHARED_DATA / "camvid"), ENTRIES)
    counts = {(s.part, s.group): 0 for s in source.samples}
    for sample in source.samples:
        counts[sample.part, sample.group] += 1
    assert counts == {
        ("train", "0001TP"): 62,
        ("train", "0006R0"): 101,
        ("train", "0016E5"): 204,
        ("val", "0016E5"): 101,
    }
    assert {sample.size for sample in source.samples} == {(360, 480)}
    scan = scan_masks(source)
    assert scan.unknown == {}
    assert (scan.counts.sum(axis=0) > 0).all()
