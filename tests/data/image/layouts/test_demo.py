from pathlib import Path

import cv2
import numpy as np
import pytest

from segmentation.classes import Classes
from segmentation.data.image.layouts.demo.dataset import demo as open_demo
from segmentation.data.image.layouts.demo.dataset import draw_demo
from segmentation.data.image.layouts.demo.frames import draw_frame
from segmentation.data.image.layouts.demo.scene import NAMES
from segmentation.errors import UserError

SIZE = (120, 160)
CLASSES = Classes(NAMES, tuple((10 * index, 255 - index, index) for index in range(len(NAMES))))
PALETTE = np.array(CLASSES.colors, np.uint8)


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    return float((first == second).mean())


def read_rgb(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return image[..., ::-1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "demo"
    draw_demo(root, CLASSES, videos=5, frames=3, size=SIZE)
    return root


def test_a_frame_is_a_pure_function_of_its_arguments() -> None:
    first = draw_frame(1, 2, SIZE, seed=3)
    draw_frame(0, 0, SIZE, seed=3)
    again = draw_frame(1, 2, SIZE, seed=3)
    for one, other in zip(first, again, strict=True):
        assert one.tobytes() == other.tobytes()
    for video, frame, seed in ((1, 3, 3), (2, 2, 3), (1, 2, 4)):
        image, labels = draw_frame(video, frame, SIZE, seed)
        assert not np.array_equal(image, first[0])
        assert not np.array_equal(labels, first[1])


@pytest.mark.parametrize("size", [(240, 320), (75, 101), (160, 96)])
def test_image_and_labels_have_the_size_asked_for(size: tuple[int, int]) -> None:
    image, labels = draw_frame(0, 500, size)
    assert image.shape == (*size, 3)
    assert labels.shape == size
    assert image.dtype == labels.dtype == np.uint8


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("video", range(10))
def test_every_video_shows_every_class(video: int, seed: int) -> None:
    labels = np.stack([draw_frame(video, frame, SIZE, seed)[1] for frame in (0, 10, 19)])
    counts = np.bincount(labels.ravel(), minlength=len(NAMES))
    assert len(counts) == len(NAMES)
    assert counts.min() > 0, NAMES[int(counts.argmin())]


def test_consecutive_frames_are_alike_and_videos_are_not() -> None:
    labels = np.stack([[draw_frame(video, frame, SIZE)[1] for frame in range(4)] for video in range(4)])
    within = [agreement(video[frame], video[frame + 1]) for video in labels for frame in range(3)]
    across = [agreement(labels[a, 0], labels[b, 0]) for a in range(4) for b in range(a)]
    assert max(across) < min(within) < max(within) < 0.99


def test_the_david_layout_and_colours_are_written(demo: Path) -> None:
    images, labels = (sorted((demo / kind).rglob("*.png")) for kind in ("Images", "Labels"))
    images, labels = [p.relative_to(demo / "Images") for p in images], [p.relative_to(demo / "Labels") for p in labels]
    assert images == labels
    assert images == [Path(f"Video_{v:03d}/v{v:03d}_{f:04d}.png") for v in range(5) for f in range(3)]
    for name in images:
        video, frame = int(name.stem[1:4]), int(name.stem[5:])
        image, ids = draw_frame(video, frame, SIZE)
        np.testing.assert_array_equal(read_rgb(demo / "Images" / name), image)
        np.testing.assert_array_equal(read_rgb(demo / "Labels" / name), PALETTE[ids])
    assert [path.name for path in demo.parent.iterdir()] == [demo.name]


def test_an_interrupted_draw_leaves_nothing(tmp_path: Path) -> None:
    drawn = []

    def interrupt() -> None:
        drawn.append(1)
        if len(drawn) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_demo(tmp_path / "deep" / "demo", CLASSES, videos=2, frames=2, size=SIZE, advance=interrupt)
    assert list((tmp_path / "deep").iterdir()) == []


def test_what_exists_is_left_untouched(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    root.mkdir()
    (root / "mine.txt").write_text("keep")
    draw_demo(root, CLASSES, videos=1, frames=1, size=SIZE)
    assert [path.name for path in root.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    root.mkdir()
    draw_demo(root, CLASSES, videos=1, frames=1, size=SIZE)
    assert (root / "Labels" / "Video_000" / "v000_0000.png").is_file()


def test_a_data_set_finished_meanwhile_stays(tmp_path: Path) -> None:
    root = tmp_path / "demo"

    def finish_first() -> None:
        (root / "Images").mkdir(parents=True)

    draw_demo(root, CLASSES, videos=1, frames=1, size=SIZE, advance=finish_first)
    assert [path.name for path in root.rglob("*")] == ["Images"]
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_class_list_that_lacks_one_of_davids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="car"):
        draw_demo(tmp_path / "demo", CLASSES.without("car"), videos=1, frames=1, size=SIZE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("videos", "frames", "size"), [(4, 3, SIZE), (5, 2, SIZE), (5, 3, (60, 80))])
def test_what_was_drawn_otherwise_stays_and_is_told(
    demo: Path, caplog: pytest.LogCaptureFixture, videos: int, frames: int, size: tuple[int, int]
) -> None:
    open_demo(str(demo), CLASSES.to_entries(), videos=videos, frames=frames, size=size)
    assert "holds 5 videos, 15 frames of 120x160" in caplog.text


def test_what_was_drawn_as_asked_for_is_read_without_a_word(demo: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(open_demo(str(demo), CLASSES.to_entries(), videos=5, frames=3, size=SIZE).samples) == 15
    assert not caplog.records
