"""The augmentations of conf/, built as the command line builds them."""

from functools import cache
from typing import Any

import cv2
import numpy as np
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from segmentation.data.image.augmentation.options import Augmentation
from segmentation.data.image.augmentation.transforms import Transforms, transforms_of
from tests.data.image.david_files import CONF

OF_MESHES = {"mesh"}
NAMES = sorted({path.stem for path in (CONF / "augmentation").glob("*.yaml")} - OF_MESHES)


def entries_of(name: str) -> list[dict[str, dict[str, Any]]]:
    """What `augmentation.transforms` lists."""
    content: Any = OmegaConf.to_container(_composed(name).transforms)
    return list(content)


def augmentation(name: str, *overrides: str) -> Augmentation:
    made: Augmentation = instantiate(_composed(name, *overrides), _convert_="all")
    return made


def transforms(name: str, *overrides: str) -> Transforms:
    return augmentation(name, *overrides).for_training()


def always(entry: dict[str, dict[str, Any]]) -> Transforms:
    """One transform alone, every time."""
    ((name, parameters),) = entry.items()
    return transforms_of([{name: {**parameters, "p": 1.0}}], ignore_index=255)


def away_from_borders(mask: np.ndarray, margin: int = 3) -> np.ndarray:
    """Where in a mask it is far from the borders of areas and of the picture: there the image is interpolated."""
    framed = np.pad(mask, 1, constant_values=0)
    kernel = np.ones((2 * margin + 1,) * 2, np.uint8)
    inner = (cv2.dilate(framed, kernel) == framed) & (cv2.erode(framed, kernel) == framed)
    return inner[1:-1, 1:-1]


@cache
def _composed(name: str, *overrides: str) -> Any:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", [f"augmentation={name}", *overrides])
    OmegaConf.resolve(cfg.augmentation)
    return cfg.augmentation
