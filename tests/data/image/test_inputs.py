from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from segmentation.data.image import inputs
from segmentation.data.image.files import PixelFormat
from segmentation.data.image.inputs import Inputs, WholePicture, WindowedPicture, find_inputs
from segmentation.errors import UserError
from tests.data.image.david_files import random_image, write_picture
from tests.data.image.layouts.painted_files import number_in, write_video

RGB = PixelFormat()
IMAGE = random_image(0, (40, 50))


def keys(found: Inputs) -> list[str]:
    return [picture.key for picture in found.pictures]


def test_a_file_is_one_picture(tmp_path: Path) -> None:
    found = find_inputs(str(write_picture(tmp_path / "a.b.png", IMAGE)), RGB)
    assert keys(found) == ["a.b"]
    assert found.pictures[0].size == (40, 50)
    np.testing.assert_array_equal(found.pictures[0].read(), IMAGE)
    np.testing.assert_array_equal(found.pictures[0].read(slice(3, 9), slice(None, 7)), IMAGE[3:9, :7])
    assert (found.videos, found.unreadable) == ((), ())


def test_a_folder_is_all_below_it_that_is_not_hidden(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "sub/c.tif", "sub/deep/d.bmp", ".hidden/e.png", ".f.png"):
        write_picture(tmp_path / name, IMAGE)
    (tmp_path / "notes.txt").write_text("no picture")
    assert keys(find_inputs(str(tmp_path), RGB)) == ["a", "b", "sub/c", "sub/deep/d"]


def test_results_below_the_input_are_no_input(tmp_path: Path) -> None:
    for name in ("a.png", "out/masks/a.png", "outer/b.png"):
        write_picture(tmp_path / name, IMAGE)
    assert keys(find_inputs(str(tmp_path), RGB, tmp_path / "out")) == ["a", "outer/b"]
    assert keys(find_inputs(str(tmp_path / "**/*.png"), RGB, tmp_path / "out")) == ["a", "outer/b"]


def test_results_have_a_folder_of_their_own(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", IMAGE)
    for given in (tmp_path, tmp_path / "*.png"):
        with pytest.raises(UserError, match="are one folder"):
            find_inputs(str(given), RGB, tmp_path)
    assert keys(find_inputs(str(tmp_path / "a.png"), RGB, tmp_path)) == ["a"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", ["a"]),
        ("**/*.png", ["a", "one/b", "two/b"]),
        ("*/b.*", ["one/b", "two/b"]),
        ("two/*", ["b"]),
        ("two/?.p[n]g", ["b"]),
    ],
)
def test_a_pattern_is_what_fits_it(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    for name in ("a.png", "one/b.png", "two/b.png", ".hidden/c.png"):
        write_picture(tmp_path / name, IMAGE)
    assert keys(find_inputs(str(tmp_path / pattern), RGB)) == expected


def test_a_name_with_brackets_is_a_name_where_it_is_there(tmp_path: Path) -> None:
    assert keys(find_inputs(str(write_picture(tmp_path / "a[1].png", IMAGE)), RGB)) == ["a[1]"]


def test_keys_differ(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "b.png", "b.png.png", "clip/0.png"):
        write_picture(tmp_path / name, IMAGE)
    write_video(tmp_path / "clip.avi", 3, "MJPG")
    found = find_inputs(str(tmp_path), RGB)
    assert sorted(keys(found)) == ["a.jpg", "a.png", "b", "b.png.png", "clip/0"]
    assert [video.key for video in found.videos] == ["clip.avi"]


def test_every_kind_of_picture_is_read_or_told(tmp_path: Path) -> None:
    grey = IMAGE[..., 0]
    write_picture(tmp_path / "grey.png", grey)
    write_picture(tmp_path / "rgba.png", np.concatenate([IMAGE, IMAGE[..., :1]], axis=2))
    cv2.imwrite(str(tmp_path / "deep.png"), IMAGE[..., ::-1].astype(np.uint16) * 257)
    flat = np.full((40, 50, 3), (200, 90, 30), np.uint8)
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(IMAGE).save(tmp_path / "turned.png", exif=exif)
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("this is no picture")
    write_picture(tmp_path / "short.png", IMAGE)
    (tmp_path / "short.png").write_bytes((tmp_path / "short.png").read_bytes()[:2000])
    (tmp_path / "empty.mp4").touch()
    found = find_inputs(str(tmp_path), RGB)
    pictures = {picture.key: picture for picture in found.pictures}
    assert list(pictures) == ["cmyk", "deep", "grey", "rgba", "short", "turned"]
    assert np.abs(pictures["cmyk"].read().astype(int) - flat).max() <= 4
    np.testing.assert_allclose(pictures["deep"].read(), IMAGE / np.float32(255), atol=1e-6)
    np.testing.assert_array_equal(pictures["grey"].read(), np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(pictures["rgba"].read(), IMAGE)
    assert pictures["turned"].size == (50, 40)
    np.testing.assert_array_equal(pictures["turned"].read(), np.rot90(IMAGE, -1))
    with pytest.raises(UserError, match=r"short\.png is no readable picture: it is damaged or cut short"):
        pictures["short"].read()
    told = [
        "empty.mp4 is no readable video",
        "empty.png is no readable picture",
        "text.jpg is no readable picture",
    ]
    assert len(found.unreadable) == len(told)
    assert all(part in line and "\n" not in line for part, line in zip(told, found.unreadable, strict=True))


def test_a_picture_is_decoded_once_until_it_is_closed(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", IMAGE)
    (picture,) = find_inputs(str(path), RGB).pictures
    first = picture.read()
    write_picture(path, IMAGE[::-1].copy())
    assert np.shares_memory(picture.read(slice(0, 5)), first)
    picture.close()
    np.testing.assert_array_equal(picture.read(), IMAGE[::-1])


def test_a_large_tiff_is_read_in_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LARGE", 1999)
    rgba = np.concatenate([IMAGE, IMAGE[..., :1]], axis=2)
    tifffile.imwrite(tmp_path / "large.tif", rgba, photometric="rgb", extrasamples=["unassalpha"], tile=(16, 16))
    tifffile.imwrite(tmp_path / "small.tif", IMAGE[:30], photometric="rgb", tile=(16, 16))
    tifffile.imwrite(tmp_path / "cmyk.tif", rgba, photometric="separated")
    Image.fromarray(IMAGE).save(tmp_path / "lzw.tif", compression="tiff_lzw")
    write_picture(tmp_path / "large.png", IMAGE)
    found = find_inputs(str(tmp_path), RGB)
    assert [(type(picture), picture.is_large) for picture in found.pictures] == [
        (WholePicture, True),
        (WholePicture, True),
        (WindowedPicture, True),
        (WholePicture, False),
    ]
    assert len(found.unreadable) == 1
    assert "lzw.tif cannot be read" in found.unreadable[0]
    large = found.pictures[2]
    np.testing.assert_array_equal(large.read(slice(7, 33), slice(20, 50)), IMAGE[7:33, 20:50])
    large.close()
    np.testing.assert_array_equal(large.read(), IMAGE)


def test_windows_have_the_values_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 50), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", deep, tile=(16, 16))
    (whole,) = find_inputs(str(tmp_path / "a.tif"), RGB).pictures
    monkeypatch.setattr(inputs, "LARGE", 1)
    (windowed,) = find_inputs(str(tmp_path / "a.tif"), RGB).pictures
    assert isinstance(windowed, WindowedPicture)
    np.testing.assert_array_equal(windowed.read(), whole.read())
    assert windowed.read().dtype == np.float32


def test_bands_that_the_model_does_not_have_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LARGE", 1)
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((40, 50, 5), np.uint8), planarconfig="contig", photometric="minisblack"
    )
    with pytest.raises(UserError, match=r"a\.tif is of shape 40x50x5: expected 3 channels"):
        find_inputs(str(tmp_path / "a.tif"), RGB).pictures[0].read()
    assert find_inputs(str(tmp_path / "a.tif"), PixelFormat(5)).pictures[0].read().shape == (40, 50, 5)


def test_nothing_to_predict_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    for given, told in (
        ("", "holds no picture and no video: known are .png"),
        ("*.png", "holds no picture and no video: known are .png"),
        ("notes.txt", "is no picture and no video by its name"),
        ("missing.png", "there is no such file, folder or pattern"),
    ):
        with pytest.raises(UserError, match=told):
            find_inputs(str(tmp_path / given), RGB)


def test_a_video_gives_its_frames_in_order(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 30, "MJPG")
    (video,) = find_inputs(str(tmp_path), RGB).videos
    assert (video.key, video.path, video.promised, video.size) == ("a", path, 30, (32, 160))
    assert video.fps == pytest.approx(25, abs=1e-3)
    assert [number_in(frame) for frame in video.frames()] == list(range(30))


def test_of_a_video_that_is_cut_short_all_frames_are_given_that_are_there(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 60, "MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (video,) = find_inputs(str(tmp_path), RGB).videos
    numbers: list[int] = []
    with pytest.raises(UserError, match=r"a\.avi ends early: its header says 60 frames, \d+ could be read"):
        numbers.extend(number_in(frame) for frame in video.frames())
    assert numbers == list(range(len(numbers)))
    assert 15 < len(numbers) < 45
