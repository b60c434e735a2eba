"""The augmentations of conf/, built as the command line builds them."""

from typing import Any

from hydra.utils import instantiate
from omegaconf import OmegaConf

from segmentation.data.image.transforms import Augmentation
from tests.data.image.david_files import CONF

NAMES = sorted(path.stem for path in (CONF / "augmentation").glob("*.yaml"))


def entries_of(name: str, ignore_index: int = 255) -> list[dict[str, Any]]:
    """What `augmentation.transforms` lists, with the data set's ignore index filled in."""
    content = {"dataset": {"ignore_index": ignore_index}, "augmentation": OmegaConf.load(_file_of(name))}
    resolved: Any = OmegaConf.to_container(OmegaConf.create(content), resolve=True)
    return list(resolved["augmentation"]["transforms"])


def augmentation(name: str, ignore_index: int = 255) -> Augmentation:
    made: Augmentation = instantiate({"_target_": _target(name), "transforms": entries_of(name, ignore_index)})
    return made


def always(entry: dict[str, Any]) -> Augmentation:
    """One transform alone, every time."""
    return Augmentation([instantiate({**entry, "p": 1.0}, _convert_="all")])


def _file_of(name: str) -> str:
    return str(CONF / "augmentation" / f"{name}.yaml")


def _target(name: str) -> str:
    return str(OmegaConf.load(_file_of(name))._target_)
