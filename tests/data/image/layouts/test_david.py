from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from segmentation.data.image.dataset import ImageDataset
from segmentation.data.image.files import read_image
from segmentation.data.image.layouts.david import david
from segmentation.data.image.scan import scan_masks
from segmentation.data.sampler import Draw
from segmentation.errors import UserError
from tests.data.image.david_files import (
    CLASSES,
    CONF,
    ENTRIES,
    SHARED_DATA,
    random_ids,
    random_image,
    write_david,
    write_frame,
    write_picture,
)


def faults_of(root: Path, **how: Any) -> str:
    with pytest.raises(UserError) as told:
        david(str(root), ENTRIES, **how)
    return str(told.value)


def test_frames_are_found_by_video_and_name(tmp_path: Path) -> None:
    write_david(tmp_path, {"Video_007": 1, "Video_000": 2}, size=(6, 8))
    source = david(str(tmp_path), ENTRIES)
    assert source.classes == CLASSES
    assert [(sample.key, sample.group, sample.size) for sample in source.samples] == [
        ("Video_000/0000", "Video_000", (6, 8)),
        ("Video_000/0001", "Video_000", (6, 8)),
        ("Video_007/0000", "Video_007", (6, 8)),
    ]
    for sample in source.samples:
        assert sample.image == tmp_path / "Images" / f"{sample.key}.png"
        assert sample.mask == tmp_path / "Labels" / f"{sample.key}.png"
    assert str(tmp_path) in source.title


def test_masks_become_the_ids_that_were_painted(tmp_path: Path) -> None:
    ids = random_ids(5, (6, 8))
    write_frame(tmp_path, "Video_000", "v000_0000", ids)
    source = david(str(tmp_path), ENTRIES)
    np.testing.assert_array_equal(source.read_mask(source.samples[0]), ids)


def test_rgba_masks_are_accepted(tmp_path: Path) -> None:
    ids = random_ids(5, (6, 8))
    write_picture(tmp_path / "Images/Video_000/a.png", random_image(0, (6, 8)))
    write_picture(tmp_path / "Labels/Video_000/a.png", np.dstack([CLASSES.paint(ids), np.full_like(ids, 255)]))
    source = david(str(tmp_path), ENTRIES)
    np.testing.assert_array_equal(source.read_mask(source.samples[0]), ids)


def test_void_is_a_class_or_ignored(tmp_path: Path) -> None:
    entries = [ENTRIES[3], *ENTRIES[:3]]  # void first: the others move up
    ids = np.array([[0, 1, 2, 3]], np.uint8)
    write_frame(tmp_path, "Video_000", "a", ids)
    trained = david(str(tmp_path), entries)
    ignored = david(str(tmp_path), entries, ignore_void=True, ignore_index=77)
    assert trained.classes.names == ("void", "road", "car", "pole")
    assert trained.read_mask(trained.samples[0]).tolist() == [[1, 2, 3, 0]]
    assert ignored.classes.names == ("road", "car", "pole")
    decoded, unknown = ignored.labels.look(ignored.samples[0])
    assert decoded.tolist() == [[0, 1, 2, 77]]
    assert unknown == {}


@pytest.mark.parametrize(("images", "labels"), [("images", "LABELS"), ("IMAGES", "labels"), ("Images", "Labels")])
@pytest.mark.parametrize(("video", "label_video"), [("video_000", "Video_000"), ("VIDEO_000", "video_000")])
def test_folders_in_upper_and_lower_case(
    tmp_path: Path, images: str, labels: str, video: str, label_video: str
) -> None:
    write_picture(tmp_path / images / video / "a.png", random_image(0, (2, 3)))
    write_picture(tmp_path / labels / label_video / "a.png", CLASSES.paint(random_ids(0, (2, 3))))
    assert [sample.key for sample in david(str(tmp_path), ENTRIES).samples] == [f"{video}/a"]
    assert len(david(str(tmp_path), ENTRIES, include=["Video_000"]).samples) == 1


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG", ".PNG"])
def test_images_in_jpeg_and_upper_case(tmp_path: Path, suffix: str) -> None:
    write_david(tmp_path, {"Video_000": 1}, suffix=suffix)
    (sample,) = david(str(tmp_path), ENTRIES).samples
    assert sample.image == tmp_path / f"Images/Video_000/0000{suffix}"
    assert read_image(sample.image).shape == (6, 8, 3)


def test_a_turned_image_is_measured_as_it_is_shown(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    write_picture(tmp_path / "Labels/Video_000/a.png", CLASSES.paint(random_ids(0, (8, 6))))
    (tmp_path / "Images/Video_000").mkdir(parents=True)
    Image.fromarray(random_image(0, (6, 8))).save(tmp_path / "Images/Video_000/a.jpg", exif=exif)
    assert david(str(tmp_path), ENTRIES).samples[0].size == (8, 6)


def test_other_files_and_hidden_ones_are_passed_over(tmp_path: Path) -> None:
    write_david(tmp_path, {"Video_000": 1})
    (tmp_path / "Images" / "readme.txt").write_text("hello")
    for folder in ("Images/Video_000", "Labels/Video_000"):
        (tmp_path / folder / "Thumbs.db").touch()
        (tmp_path / folder / "._0000.png").touch()
    (tmp_path / "Images" / ".cache").mkdir()
    (tmp_path / "Labels" / ".cache").mkdir()
    write_picture(tmp_path / "Labels" / ".cache" / "a.png", random_image(0, (2, 2)))
    assert len(david(str(tmp_path), ENTRIES).samples) == 1


@pytest.mark.parametrize("place", ["below root", "a whole path", "from where the command is run"])
def test_labels_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    root = write_david(tmp_path / "data", {"Video_000": 2})
    monkeypatch.chdir(tmp_path)
    folder = root / "fine" if place == "below root" else tmp_path / "fine"
    (root / "Labels").rename(folder)
    labels = str(folder) if place == "a whole path" else "fine"
    masks = [sample.mask for sample in david(str(root), ENTRIES, labels=labels).samples]
    assert [mask.resolve() for mask in masks] == [folder / "Video_000/0000.png", folder / "Video_000/0001.png"]


def test_included_videos_alone_are_looked_at(tmp_path: Path) -> None:
    write_david(tmp_path, {"Video_000": 1, "Video_001": 1, "Video_002": 1})
    (tmp_path / "Labels/Video_001/0000.png").unlink()
    source = david(str(tmp_path), ENTRIES, include=["Video_002", "video_000", "Video_002"])
    assert [sample.group for sample in source.samples] == ["Video_000", "Video_002"]
    assert len(david(str(tmp_path), ENTRIES, include="Video_002").samples) == 1


@pytest.mark.parametrize(
    ("include", "named"), [(["Video_000", "Video_009"], "Video_009"), ([], "[]"), ("Video_9", "Video_9"), ([7], "7")]
)
def test_an_unknown_video_is_told_with_those_that_are_there(tmp_path: Path, include: Any, named: str) -> None:
    write_david(tmp_path, {"Video_000": 1, "Video_001": 1})
    message = faults_of(tmp_path, include=include)
    assert "dataset.include" in message
    assert named in message
    assert message.endswith("Video_000, Video_001")
    assert len(message.splitlines()) == 1


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    message = faults_of(tmp_path / "nowhere")
    assert f"dataset.root={tmp_path / 'nowhere'}" in message
    assert "Images/Video_XXX" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("missing", ["Images", "Labels"])
@pytest.mark.parametrize("instead", ["nothing", "a file"])
def test_a_missing_folder_is_named(tmp_path: Path, missing: str, instead: str) -> None:
    write_david(tmp_path, {"Video_000": 1})
    (tmp_path / missing).rename(tmp_path / "away")
    if instead == "a file":
        (tmp_path / missing).touch()
    message = faults_of(tmp_path)
    assert str(tmp_path) in message
    assert f"no folder {missing};" in message


def test_an_empty_root_and_a_root_that_is_a_file_are_named(tmp_path: Path) -> None:
    assert "no folder Images;" in faults_of(tmp_path)
    (tmp_path / "file").touch()
    assert f"dataset.root={tmp_path / 'file'}" in faults_of(tmp_path / "file")


def test_a_missing_other_labels_folder_is_named(tmp_path: Path) -> None:
    write_david(tmp_path, {"Video_000": 1})
    assert "no folder fine;" in faults_of(tmp_path, labels="fine")


def test_images_without_video_folders_are_told(tmp_path: Path) -> None:
    write_picture(tmp_path / "Images" / "a.png", random_image(0, (2, 2)))
    write_picture(tmp_path / "Labels" / "a.png", random_image(0, (2, 2)))
    assert f"{tmp_path / 'Images'} holds no video folder" in faults_of(tmp_path)


def test_leaving_out_void_where_there_is_none_is_told(tmp_path: Path) -> None:
    write_david(tmp_path, {"Video_000": 1})
    with pytest.raises(UserError, match=r"^there is no class void .* road, car, pole$"):
        david(str(tmp_path), ENTRIES[:3], ignore_void=True)


def write_missing_mask(root: Path) -> str:
    (root / "Labels/Video_000/0000.png").unlink()
    return f"{root / 'Images/Video_000/0000.png'} has no mask"


def write_extra_mask(root: Path) -> str:
    write_picture(root / "Labels/Video_000/0099.png", CLASSES.paint(random_ids(0, (6, 8))))
    return f"{root / 'Labels/Video_000/0099.png'} has no image"


def write_extra_video_of_masks(root: Path) -> str:
    write_picture(root / "Labels/Video_009/0000.png", CLASSES.paint(random_ids(0, (6, 8))))
    return f"{root / 'Labels/Video_009'} holds 1 masks"


def write_size_mismatch(root: Path) -> str:
    write_picture(root / "Labels/Video_000/0001.png", CLASSES.paint(random_ids(0, (5, 8))))
    return "Video_000/0001: the image is 8x6, its mask 8x5 pixels"


def write_turned_mask(root: Path) -> str:
    write_picture(root / "Labels/Video_000/0003.png", CLASSES.paint(random_ids(0, (8, 6))))
    return "Video_000/0003: the image is 8x6, its mask 6x8 pixels"


def write_two_images_of_one_stem(root: Path) -> str:
    write_picture(root / "Images/Video_000/0002.jpg", random_image(0, (6, 8)))
    return f"{root / 'Images/Video_000'} holds 0002.jpg and 0002.png"


def write_two_masks_of_one_stem(root: Path) -> str:
    write_picture(root / "Labels/Video_000/0002.jpeg", random_image(0, (6, 8)))
    return f"{root / 'Labels/Video_000'} holds 0002.jpeg and 0002.png"


def write_empty_video(root: Path) -> str:
    (root / "Images/Video_005").mkdir()
    return f"{root / 'Images/Video_005'} holds no"


def write_empty_image(root: Path) -> str:
    (root / "Images/Video_001/0000.png").write_bytes(b"")
    return f"{root / 'Images/Video_001/0000.png'} is no readable picture"


def write_empty_mask(root: Path) -> str:
    (root / "Labels/Video_001/0001.png").write_bytes(b"")
    return f"{root / 'Labels/Video_001/0001.png'} is no readable picture"


FAULTS = [
    write_missing_mask,
    write_extra_mask,
    write_extra_video_of_masks,
    write_size_mismatch,
    write_turned_mask,
    write_two_images_of_one_stem,
    write_two_masks_of_one_stem,
    write_empty_video,
    write_empty_image,
    write_empty_mask,
]


@pytest.mark.parametrize("write", FAULTS, ids=lambda write: write.__name__.removeprefix("write_"))
def test_each_fault_is_named(tmp_path: Path, write: Any) -> None:
    fault = write(write_david(tmp_path, {"Video_000": 4, "Video_001": 2}))
    lines = faults_of(tmp_path).splitlines()
    assert lines[0].startswith(f"dataset.root={tmp_path} has 1 fault:")
    assert len(lines) == 2
    assert fault in lines[1]


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    write_david(tmp_path, {"Video_000": 4, "Video_001": 2})
    faults = [write(tmp_path) for write in FAULTS]
    message = faults_of(tmp_path)
    lines = message.splitlines()
    assert f"{len(FAULTS)} faults" in lines[0]
    assert len(lines) == 1 + len(FAULTS)
    for fault in faults:
        assert sum(fault in line for line in lines) == 1


def test_many_faults_are_counted_and_the_first_named(tmp_path: Path) -> None:
    write_david(tmp_path, {"Video_000": 30}, size=(2, 2))
    for mask in (tmp_path / "Labels/Video_000").iterdir():
        mask.unlink()
    lines = faults_of(tmp_path).splitlines()
    assert "30 faults" in lines[0]
    assert "0000.png" in lines[1]
    assert len(lines) == 4
    assert lines[-1].endswith("(and 27 more like it)")


def test_a_video_without_a_label_folder_is_told_once(tmp_path: Path) -> None:
    write_david(tmp_path, {"Video_000": 1})
    write_picture(tmp_path / "Images/Video_001/a.png", random_image(0, (2, 2)))
    assert "Labels has no folder Video_001 for its masks (images: 1)" in faults_of(tmp_path)


def test_masks_of_videos_not_included_are_no_fault(tmp_path: Path) -> None:
    write_david(tmp_path, {"Video_000": 2})
    write_extra_video_of_masks(tmp_path)
    assert len(david(str(tmp_path), ENTRIES, include=["Video_000"]).samples) == 2


@pytest.mark.skipif(not (SHARED_DATA / "carla_david").is_dir(), reason=f"{SHARED_DATA}/carla_david is not here")
def test_real_carla_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six frames whose images and labels are RGBA, in twelve of DAVID's thirteen colours."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    entries = OmegaConf.to_container(OmegaConf.load(CONF / "dataset" / "david.yaml").classes)
    source = david(str(SHARED_DATA / "carla_david"), entries)  # type: ignore[arg-type]
    assert [sample.key for sample in source.samples] == [
        f"Video_00{video}/v00{video}_000{frame}" for video in (0, 1) for frame in (0, 1, 2)
    ]
    assert {sample.size for sample in source.samples} == {(540, 960)}
    scan = scan_masks(source)
    assert scan.unknown == {}
    assert scan.counts.sum(axis=1).tolist() == [540 * 960] * 6
    assert (scan.counts.sum(axis=0) > 0).sum() == 12
    item = ImageDataset(source, source.samples, None, None)[Draw(0, 0)]
    assert item.image.shape == (540, 960, 3)
    assert item.mask.shape == (540, 960)
