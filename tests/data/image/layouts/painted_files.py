"""Small data sets of objects (COCO, YOLO, folders), of videos and of a user's own class, written as files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.data.image.david_files import random_ids, random_image, write_picture

CATEGORIES = [{"id": 2, "name": "car"}, {"id": 7, "name": "person"}]
BITS = 10
SQUARE = [2.0, 1.0, 6.0, 1.0, 6.0, 4.0, 2.0, 4.0]  # columns 2 to 5, rows 1 to 3


def annotation(segmentation: Any, image: Any = 1, category: Any = 2, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "segmentation": segmentation, **more}


def write_coco(
    file: Path,
    images: Mapping[int, Path],
    annotations: Sequence[Mapping[str, Any]],
    size: tuple[int, int] = (6, 8),
    categories: Sequence[Mapping[str, Any]] = CATEGORIES,
) -> Path:
    """The images (by id) as noise, and the json beside them or above."""
    for number, image in images.items():
        write_picture(image, random_image(number, size))
    entries = [
        {"id": number, "file_name": image.name, "height": size[0], "width": size[1]} for number, image in images.items()
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    numbered = [{"id": place, **each} for place, each in enumerate(annotations)]
    content = {"images": entries, "categories": list(categories), "annotations": numbered}
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def write_yolo(
    root: Path,
    labels: Mapping[str, str | None],
    names: str = "[car, person]",
    size: tuple[int, int] = (6, 8),
    more: str = "",
) -> Path:
    """`labels` has the text of each label file by `part/stem`; None writes none."""
    for seed, (key, text) in enumerate(labels.items()):
        write_picture(root / "images" / f"{key}.png", random_image(seed, size))
        if text is not None:
            file = root / "labels" / f"{key}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    parts = sorted({key.split("/")[0] for key in labels})
    lines = [*(f"{part}: images/{part}" for part in parts), f"names: {names}", more]
    (root / "data.yaml").write_text("\n".join(lines), encoding="utf-8")
    return root


def numbered_frame(number: int, size: tuple[int, int] = (32, 160)) -> np.ndarray:
    """RGB; ten stripes show the number's bits, the lowest first, and survive any codec."""
    bits = np.arange(size[1]) * BITS // size[1]
    row = ((number >> bits & 1) * 255).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (*size, 3)).copy()


def number_in(frame: np.ndarray) -> int:
    """Of `[H, W, channels]`."""
    height, width, _ = frame.shape
    middles = (np.arange(BITS) * 2 + 1) * width // (2 * BITS)
    bright = frame[height // 2, middles].mean(axis=1) > frame.max() / 2
    return int((bright << np.arange(BITS)).sum())


def write_video(path: Path, frames: int, codec: str = "mp4v", size: tuple[int, int] = (32, 160)) -> Path:
    """Frames of `numbered_frame`, 25 a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, size[::-1])
    for number in range(frames):
        writer.write(numbered_frame(number, size))
    writer.release()
    return path


class OwnData:
    """What a user may write: PIL pictures and arrays."""

    def __init__(self, length: int = 8, height: int = 48, width: int = 64) -> None:
        self.length, self.size = length, (height, width)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Image.Image, np.ndarray]:
        return Image.fromarray(random_image(index, self.size)), random_ids(index, self.size, 2)
