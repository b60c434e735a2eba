"""The drawn data set on disk, in the DAVID layout, so that training can start without a download."""

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.layouts.david import david
from segmentation.data.image.layouts.demo.frames import draw_frame
from segmentation.data.image.layouts.demo.scene import NAMES, Size
from segmentation.data.image.source import ImageSource
from segmentation.errors import UserError
from segmentation.runtime.console import progress_bar

log = logging.getLogger("segmentation")


def demo(
    root: str,
    classes: Sequence[Mapping[str, Any]],
    labels: str | None = None,
    include: Sequence[str] | None = None,
    ignore_void: bool = False,
    ignore_index: int = 255,
    videos: int = 10,
    frames: int = 20,
    size: Sequence[int] = (240, 320),
) -> ImageSource:
    """The drawn data set under `root`, drawn now if nothing is there; the rest is as for `david`.

    What is there stays as it was drawn, and a warning says where that is not what is asked for.
    """
    folder = Path(root)
    if _is_there(folder):
        _warn_of_other_drawing(folder, videos, frames, (size[0], size[1]))
    else:
        log.info("drawing %d street scenes into %s", videos * frames, root)
        known = Classes.from_entries(classes, ignore_index)
        with progress_bar("drawing", videos * frames) as bar:
            draw_demo(folder, known, videos, frames, (size[0], size[1]), advance=bar.advance)
    return david(root, classes, labels, include, ignore_void, ignore_index)


def draw_demo(
    root: Path,
    classes: Classes,
    videos: int = 10,
    frames: int = 20,
    size: Size = (240, 320),
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Write `root/Images/Video_000/v000_0000.png` and so on, and the same under `Labels` in the colours of `classes`.

    A `root` that already holds anything is left as it is. The data set is drawn beside `root` and renamed at the end,
    so that an interrupted run leaves nothing; if another process finishes first, its data set stays.
    `advance` is called after each frame. Raises `UserError` where a class of DAVID is not among the `classes`.
    """
    if _is_there(root):
        return
    missing = [name for name in NAMES if name not in classes.names]
    if missing:
        raise UserError(f"the drawn data set has DAVID's classes; dataset.classes lacks {', '.join(missing)}")
    palette = np.array([classes.colors[classes.names.index(name)] for name in NAMES], np.uint8)
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}-", dir=root.parent) as scratch:
        draft = Path(scratch) / root.name
        for video in range(videos):
            folders = [draft / kind / f"Video_{video:03d}" for kind in ("Images", "Labels")]
            for folder in folders:
                folder.mkdir(parents=True)
            for frame in range(frames):
                image, labels = draw_frame(video, frame, size, seed)
                for folder, picture in zip(folders, (image, np.take(palette, labels, axis=0)), strict=True):
                    write_png(folder / f"v{video:03d}_{frame:04d}.png", picture)
                advance()
        try:
            draft.rename(root)
        except OSError:  # not empty any more: another process was quicker
            if not _is_there(root):
                raise


def _warn_of_other_drawing(root: Path, videos: int, frames: int, size: Size) -> None:
    """Every video has as many frames as any other, all of one size."""
    drawn = sorted((root / "Images").glob("*/*.png"))
    folders = {frame.parent for frame in drawn}
    image = cv2.imread(str(drawn[0]), cv2.IMREAD_COLOR) if drawn else None
    if image is None or (len(folders), len(drawn), image.shape[:2]) == (videos, videos * frames, tuple(size)):
        return
    height, width = image.shape[:2]
    log.warning(
        "%s holds %d videos, %d frames of %dx%d in all, not as dataset.videos, frames and size say: "
        "remove the folder, or name another dataset.root, to have it drawn anew",
        *(root, len(folders), len(drawn), height, width),
    )


def _is_there(root: Path) -> bool:
    return root.is_dir() and any(root.iterdir())


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an RGB image, quickly rather than tightly. Raises `OSError`: OpenCV itself only returns False."""
    if not cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise OSError(f"cannot write {path}")
