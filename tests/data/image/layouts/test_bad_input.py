"""Every layout tells what is wrong with its files in one line: by its reader, and two of them by the whole command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from omegaconf import DictConfig

from segmentation.build.data import build_source
from segmentation.data.faults import noting_faults
from segmentation.data.image.source import ImageSource
from segmentation.errors import UserError
from tests.conftest import SMALL, Compose, Run
from tests.data.image.david_files import random_image, write_picture
from tests.data.image.layouts.every import LAYOUTS, SIZE, folder

OF_FILES = sorted(LAYOUTS.keys() - {"own", "env"})  # env is folder
BY_STEM = ("camvid", "david", "folder", "objects", "split_files", "yolo")  # the others list each image by its name
TWICE = [{"name": "a", "color": [1, 1, 1]}, {"name": "a", "color": [2, 2, 2]}]
Read = Callable[..., ImageSource]
nodes: dict[str, DictConfig] = {}  # of each layout; to compose one takes longer than to read it


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def read(root: Path, composed: Compose) -> Read:
    """`read("coco", classes=...)`: what `dataset=coco` finds in `root`, which is written at first."""
    written: list[str] = []

    def make(layout: str, **options: Any) -> ImageSource:
        if not written:
            written.extend(LAYOUTS[layout](root))
        if layout not in nodes:
            nodes[layout] = composed(*written).dataset
        node = nodes[layout].copy()
        for key, value in {"root": str(root), "split_seed": 0, **options}.items():
            node[key] = value
        return build_source(node)

    return make


def told(read: Read, layout: str, **options: Any) -> list[str]:
    with pytest.raises(UserError) as error:
        read(layout, **options)
    return str(error.value).splitlines()


@pytest.mark.parametrize("layout", OF_FILES)
def test_an_empty_image_is_named_and_a_check_goes_on_without_it(layout: str, read: Read) -> None:
    good = read(layout).samples
    good[0].image.write_bytes(b"")
    title, fault = told(read, layout)
    assert "has 1 fault: mend or remove" in title
    assert fault.startswith(f"  - {good[0].image} is no readable ")
    with noting_faults() as noted:
        left = read(layout).samples
    assert noted == [(title, [fault.removeprefix("  - ")])]
    assert left == tuple(sample for sample in good if sample.image != good[0].image)


@pytest.mark.parametrize("layout", BY_STEM)
def test_two_images_of_one_stem_are_named(layout: str, read: Read) -> None:
    image = read(layout).samples[0].image
    again = write_picture(image.with_suffix(".bmp"), random_image(0, SIZE))
    title, fault = told(read, layout)
    assert "has 1 fault: mend or remove" in title
    assert image.name in fault
    assert again.name in fault


@pytest.mark.parametrize("layout", OF_FILES)
@pytest.mark.parametrize("how", ["missing", "empty", "unreadable"])
def test_a_root_without_data_is_told_in_one_line(layout: str, how: str, read: Read, root: Path) -> None:
    read(layout)
    root.rename(root.with_name("away"))
    if how == "empty":
        root.mkdir()
    elif how == "unreadable":
        root.symlink_to(root)  # not even root can follow it
    (line,) = told(read, layout)
    assert line.startswith(f"dataset.root={root}")
    assert "looked for" in line or "set dataset.root" in line


@pytest.mark.parametrize("layout", [*OF_FILES, "own"])
def test_class_names_used_twice_are_told_in_one_line(layout: str, read: Read) -> None:
    (line,) = told(read, layout, classes=TWICE)
    assert line.startswith("class name a is used twice in dataset.classes")


@pytest.mark.parametrize(("layout", "kind"), [("folder", "RGB"), ("camvid", "RGBA"), ("david", "grey")])
def test_a_mask_of_other_channels_is_named_when_it_is_read(layout: str, kind: str, read: Read) -> None:
    source = read(layout)
    colors = random_image(0, SIZE)
    pixels = {"RGB": colors, "RGBA": np.dstack([colors, colors[..., :1]]), "grey": colors[..., 0]}[kind]
    write_picture(source.samples[0].mask, pixels)
    with pytest.raises(UserError) as error:
        source.read_mask(source.samples[0])
    (line,) = str(error.value).splitlines()
    shape = "x".join(map(str, pixels.shape))
    assert line.startswith(f"{source.samples[0].mask}: a ")
    assert f" of {shape} uint8: expected " in line


def cut_in_half(mask: Path) -> str:
    mask.write_bytes(mask.read_bytes()[: mask.stat().st_size // 2])
    return "is no readable picture"


def colour(mask: Path) -> str:
    cv2.imwrite(str(mask), random_image(0, SIZE))
    return "a mask of 48x64x3 uint8: expected one whole number a pixel"


@pytest.mark.parametrize("spoil", [cut_in_half, colour])
def test_training_does_not_start_with_such_a_mask(spoil: Callable[[Path], str], root: Path, run_script: Run) -> None:
    overrides = folder(root)
    mask = root / "train" / "labels" / "0003.png"
    fault = spoil(mask)
    done = run_script("train.py", *overrides, *SMALL, "model=unet", "trainer.max_steps=1")
    assert done.returncode == 1
    assert sum(str(mask) in line and fault in line for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
