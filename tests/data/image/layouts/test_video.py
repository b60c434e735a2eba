import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.data.image.layouts.video import video
from segmentation.data.image.scan import scan_masks
from segmentation.errors import UserError
from tests.data.image.david_files import random_image, write_picture
from tests.data.image.layouts.painted_files import number_in, write_video

SIZE = (32, 160)
CLASSES = ["road", "car"]


def told(root: Path, **how: Any) -> str:
    with pytest.raises(UserError) as error:
        video(str(root), **how)
    return str(error.value)


def write_mask(path: Path, value: int, size: tuple[int, int] = SIZE) -> Path:
    return write_picture(path, np.full(size, value, np.uint8))


def write_frames(folder: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        write_picture(folder / name, random_image(seed, SIZE))
    return folder


def test_one_video_file_without_labels(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 12)
    source = pickle.loads(pickle.dumps(video(str(path), stride=5)))
    assert [(sample.key, sample.group, sample.frame) for sample in source.samples] == [
        ("a/000000", "a", 0),
        ("a/000005", "a", 5),
        ("a/000010", "a", 10),
    ]
    assert [number_in(source.read_image(sample)) for sample in source.samples] == [0, 5, 10]
    assert (source.read_mask(source.samples[0]) == 255).all()
    assert source.read_mask(source.samples[0]).shape == SIZE
    assert "3 of 12 frames" in source.title


def test_several_videos_are_groups_and_masks_are_found_by_number(tmp_path: Path) -> None:
    for place, name in enumerate(("b", "a")):
        write_video(tmp_path / f"{name}.avi", 6, "MJPG")
        for number in (0, 3):
            write_mask(tmp_path / "labels" / name / f"{name}_{number:03d}.png", place)
    source = video(str(tmp_path), labels="labels", classes=CLASSES)
    assert source.classes.names == ("road", "car")
    assert [sample.key for sample in source.samples] == ["a/000000", "a/000003", "b/000000", "b/000003"]
    assert [sample.group for sample in source.samples] == ["a", "a", "b", "b"]
    assert [int(source.read_mask(sample)[0, 0]) for sample in source.samples] == [1, 1, 0, 0]
    assert [number_in(source.read_image(sample)) for sample in source.samples] == [0, 3, 0, 3]
    assert scan_masks(source).counts.sum(axis=0).tolist() == [2 * 32 * 160, 2 * 32 * 160, 0]
    assert "4 of 12 frames" in source.title


def test_masks_of_one_video_need_no_folder_of_their_own(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 4)
    write_mask(tmp_path / "masks" / "2_mask.png", 1)
    source = video(str(path), labels=str(tmp_path / "masks"), classes=CLASSES, mask_suffix="_mask")
    assert [sample.frame for sample in source.samples] == [2]


def test_numbers_that_begin_with_one(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 4)
    for number in (1, 4):
        write_mask(tmp_path / "labels" / f"{number:04d}.png", 1)
    source = video(str(tmp_path), labels="labels", classes=CLASSES, first_number=1)
    assert [number_in(source.read_image(sample)) for sample in source.samples] == [0, 3]


def test_the_stride_is_of_frames_with_and_without_masks(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 8)
    for number in (0, 1, 2, 4):
        write_mask(tmp_path / "labels" / f"{number}.png", 1)
    source = video(str(tmp_path), labels="labels", classes=CLASSES, stride=4)
    assert [sample.frame for sample in source.samples] == [0, 4]


def test_a_folder_of_frames_is_a_video_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "drive", "f10.png", "f2.png", "f1.png")
    source = video(str(folder))
    assert [(sample.key, sample.group, sample.frame, sample.size) for sample in source.samples] == [
        ("drive/f1", "drive", None, SIZE),
        ("drive/f2", "drive", None, SIZE),
        ("drive/f10", "drive", None, SIZE),
    ]
    np.testing.assert_array_equal(source.read_image(source.samples[2]), random_image(0, SIZE))


def test_folders_of_frames_with_masks_by_number_beside_them(tmp_path: Path) -> None:
    write_frames(tmp_path / "a", "x1.png", "x2.png")
    write_frames(tmp_path / "b", "y7.png")
    for name in ("a/m_01.png", "a/m_02.png", "b/m_07.png"):
        write_mask(tmp_path / "labels" / name, 1)
    source = video(str(tmp_path), labels="labels", classes=CLASSES)
    assert [sample.key for sample in source.samples] == ["a/x1", "a/x2", "b/y7"]
    assert source.samples[1].mask == tmp_path / "labels/a/m_02.png"


def test_frames_with_a_suffix_behind_their_numbers(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "aachen", "a_10_left.png", "a_2_left.png", "a_2_right.png")
    write_mask(tmp_path / "labels" / "a_10.png", 1)
    assert [sample.key for sample in video(str(folder), image_suffix="_left").samples] == ["aachen/a_2", "aachen/a_10"]
    labelled = video(str(folder), labels=str(tmp_path / "labels"), classes=CLASSES, image_suffix="_left")
    assert [sample.key for sample in labelled.samples] == ["aachen/a_10"]


def test_masks_of_other_formats(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 2)
    write_mask(tmp_path / "labels" / "0.png", 200)
    write_mask(tmp_path / "per_class" / "car" / "1.png", 255)
    binary = video(str(tmp_path), labels="labels", classes=CLASSES, mask_format="binary")
    assert (binary.read_mask(binary.samples[0]) == 1).all()
    painted = video(str(tmp_path), labels="per_class", classes=CLASSES, mask_format="per_class")
    assert [sample.frame for sample in painted.samples] == [1]
    assert (painted.read_mask(painted.samples[0]) == 1).all()


def test_a_video_that_ends_early_is_told_with_both_counts(tmp_path: Path) -> None:
    write_video(tmp_path / "good.avi", 5, "MJPG")
    path = write_video(tmp_path / "short.avi", 60, "MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    lines = told(tmp_path).splitlines()
    assert "has 1 fault:" in lines[0]
    assert f"{path} ends early: its header says 60 frames, " in lines[1]
    assert len(lines) == 2


def test_files_that_are_no_videos_are_told_together(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mov"):
        (tmp_path / name).write_bytes(b"nothing")
    assert "has 2 faults" in told(tmp_path)
    assert "b.mov is no readable video" in told(tmp_path / "b.mov")


def test_two_videos_of_one_name_are_told(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 2)
    write_video(tmp_path / "a.avi", 2, "MJPG")
    assert "a.avi and a.mp4: one name, two videos" in told(tmp_path)


def test_two_frames_of_one_name_are_told(tmp_path: Path) -> None:
    write_frames(tmp_path / "v", "1.png", "1.bmp")
    assert "1.bmp and 1.png" in told(tmp_path)


def write_mask_beyond_the_end(labels: Path) -> str:
    write_mask(labels / "9.png", 1)
    return "the mask 9 is of no frame"


def write_mask_without_number(labels: Path) -> str:
    write_mask(labels / "first.png", 1)
    return "the mask first is of no frame"


def write_second_mask_of_a_frame(labels: Path) -> str:
    write_mask(labels / "x_0.png", 1)
    return "is the second one of a/000000"


def write_mask_of_another_size(labels: Path) -> str:
    path = write_mask(labels / "1.png", 1, (32, 161))
    return f"{path} is 161x32 pixels, its video 160x32"


def write_empty_mask(labels: Path) -> str:
    (labels / "2.png").write_bytes(b"")
    return f"{labels / '2.png'} is no readable picture"


FAULTS = [
    write_mask_beyond_the_end,
    write_mask_without_number,
    write_second_mask_of_a_frame,
    write_mask_of_another_size,
    write_empty_mask,
]


def test_faulty_masks_are_named_and_told_together(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 4)
    write_mask(tmp_path / "labels" / "0.png", 1)
    expected = [write(tmp_path / "labels") for write in FAULTS]
    message = told(tmp_path, labels="labels", classes=CLASSES)
    assert f"has {len(FAULTS)} faults" in message
    for fault in expected:
        assert sum(fault in line for line in message.splitlines()) == 1


def test_a_video_without_a_folder_of_masks_among_several_is_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", 2)
    write_mask(tmp_path / "labels" / "a" / "0.png", 1)
    message = told(tmp_path, labels="labels", classes=CLASSES)
    assert f"{tmp_path / 'b.mp4'} has no folder of masks {tmp_path / 'labels/b'}" in message


def test_a_stride_that_meets_no_mask_is_told(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 8)
    write_mask(tmp_path / "labels" / "1.png", 1)
    assert "dataset.stride=1" in told(tmp_path, labels="labels", classes=CLASSES, stride=2)
    assert "dataset.stride=0" in told(tmp_path, stride=0)


def test_nothing_that_is_a_video_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").touch()
    assert "found neither" in told(tmp_path)
    assert f"dataset.root={tmp_path / 'nowhere'}" in told(tmp_path / "nowhere")
    write_video(tmp_path / "a.mp4", 2)
    assert "dataset.labels=masks: there is no such folder" in told(tmp_path, labels="masks", classes=CLASSES)


def test_a_folder_of_masks_beside_the_frames_is_no_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_frames(tmp_path / "frames", "1.jpg", "2.jpg")
    write_mask(tmp_path / "Masks/1.png", 0)
    assert {sample.group for sample in video(str(tmp_path)).samples} == {"frames"}
    assert "dataset.labels=Masks makes use of them" in caplog.text
    assert {sample.group for sample in video(str(tmp_path / "Masks")).samples} == {"Masks"}


@pytest.mark.parametrize(("numbers", "advised"), [((1, 2, 3), True), ((0, 1, 2, 3), False), ((1, 9), False)])
def test_masks_numbered_from_one_are_recognized(tmp_path: Path, numbers: tuple[int, ...], advised: bool) -> None:
    write_video(tmp_path / "a.mp4", 3)
    for number in numbers:
        write_mask(tmp_path / "labels" / f"{number}.png", 1)
    message = told(tmp_path, labels="labels", classes=CLASSES)
    assert f"the mask {numbers[-1]} is of no frame" in message
    assert ("set dataset.first_number=1" in message) is advised
