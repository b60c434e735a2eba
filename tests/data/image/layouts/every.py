"""A tiny data set in each layout, for `dataset=NAME`: a function writes it under `root` and returns the overrides.

Eight pictures of 64x48 pixels, parts where the layout has them: random images, random masks.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tests.data.image.david_files import random_ids, random_image, write_david, write_picture
from tests.data.image.layouts.painted_files import OwnData, annotation, write_coco, write_video, write_yolo

SIZE = (48, 64)
STEMS = [f"{place:04d}" for place in range(8)]
PART_OF = dict(zip(STEMS, [*["train"] * 5, *["val"] * 2, "test"], strict=True))
Layout = Callable[[Path], list[str]]


def write_image(path: Path, seed: int) -> Path:
    return write_picture(path, random_image(seed, SIZE))


def write_ids(path: Path, seed: int, classes: int = 2) -> Path:
    """An index mask."""
    return write_picture(path, random_ids(seed, SIZE, classes))


def write_binary(path: Path, seed: int) -> Path:
    """0 where there is nothing, 255 where the object is."""
    return write_picture(path, random_ids(seed, SIZE, 2) * np.uint8(255))


def david(root: Path) -> list[str]:
    write_david(root, {"Video_000": 3, "Video_001": 3, "Video_002": 2}, SIZE)
    return ["dataset=david", f"dataset.root={root}", "dataset.split={train:1,val:1,test:1}"]


def folder(root: Path) -> list[str]:
    for seed, (stem, part) in enumerate(PART_OF.items()):
        write_image(root / part / "images" / f"{stem}.png", seed)
        write_ids(root / part / "labels" / f"{stem}.png", seed, 3)
    return ["dataset=folder", f"dataset.root={root}", "dataset.classes=[background,crack,stain]"]


def env(root: Path) -> list[str]:
    """`DATASET_PATH` and `CLASS_NAMES` are the environment's."""
    folder(root)
    return ["dataset=env"]


def split_files(root: Path) -> list[str]:
    for seed, stem in enumerate(STEMS):
        write_image(root / "images" / f"{stem}.jpg", seed)
        write_binary(root / "masks" / f"{stem}.png", seed)
    for part in ("train", "val", "test"):
        stems = [stem for stem, own in PART_OF.items() if own == part]
        (root / f"{part}.txt").write_text("\n".join(["# stems", "", *stems]), encoding="utf-8")
    binary = ("dataset.mask_format=binary", "dataset.threshold=128", "dataset.classes=[intact,defect]")
    return ["dataset=split_files", f"dataset.root={root}", *binary]


def camvid(root: Path) -> list[str]:
    for seed, (stem, part) in enumerate(PART_OF.items()):
        write_image(root / part / f"0016E5_{stem}.jpg", seed)
        write_ids(root / f"{part}annot" / f"0016E5_{stem}.png", seed, 12)
    return ["dataset=camvid", f"dataset.root={root}"]


def grocery(root: Path) -> list[str]:
    lines = ["image,mask,split,class"]
    for seed, (stem, part) in enumerate(PART_OF.items()):
        image = write_image(root / "images" / f"{stem}.png", seed)
        for product in ("milk", "bread"):
            mask = write_binary(root / "masks" / product / f"{stem}.png", seed + len(product))
            lines.append(f"{image.relative_to(root)},{mask.relative_to(root)},{part},{product}")
    (root / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return ["dataset=grocery", f"dataset.root={root}"]


def coco(root: Path) -> list[str]:
    images = {number: root / "images" / f"{stem}.png" for number, stem in enumerate(STEMS)}
    objects = [annotation([[8, 8, 40, 8, 40, 30 + number, 8, 40]], number, 2 + 5 * (number % 2)) for number in images]
    write_coco(root / "objects.json", images, objects, SIZE)
    return ["dataset=coco", f"dataset.root={root}"]


def yolo(root: Path) -> list[str]:
    write_yolo(root, {f"{part}/{stem}": "1 0.1 0.1 0.9 0.1 0.5 0.9\n" for stem, part in PART_OF.items()}, size=SIZE)
    return ["dataset=yolo", f"dataset.root={root}"]


def objects(root: Path) -> list[str]:
    for seed, stem in enumerate(STEMS):
        write_image(root / "images" / f"{stem}.png", seed)
        write_binary(root / "objects" / stem / "car_0.png", seed)
    return ["dataset=objects", f"dataset.root={root}"]


def video(root: Path) -> list[str]:
    for place, name in enumerate(("a", "b", "c")):
        write_video(root / f"{name}.mp4", 4, size=SIZE)
        for frame in range(4):
            write_ids(root / "labels" / name / f"{frame:04d}.png", 10 * place + frame)
    split = "dataset.split={train:1,val:1,test:1}"
    return ["dataset=video", f"dataset.root={root}", "dataset.labels=labels", "dataset.classes=[road,car]", split]


def own(root: Path) -> list[str]:
    root.mkdir(parents=True, exist_ok=True)
    of_tests = f"dataset.dataset._target_={OwnData.__module__}.{OwnData.__qualname__}"
    return ["dataset=own", f"dataset.root={root}", of_tests, "dataset.classes=[road,car]"]


LAYOUTS: Mapping[str, Layout] = {
    "david": david,
    "folder": folder,
    "env": env,
    "split_files": split_files,
    "camvid": camvid,
    "grocery": grocery,
    "coco": coco,
    "yolo": yolo,
    "objects": objects,
    "video": video,
    "own": own,
}
