"""The data of a run, wherever it lies now."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.build.data import build_source
from segmentation.classes import Classes
from segmentation.errors import UserError


def locate_data(run: DictConfig, root: str | None) -> bool:
    """Whether the data is there: at `root` from now on, or where it lay in training if that is None.

    Raises `UserError` for a `root` that is not there. Ask before `open_data`: the drawn data set would be drawn.
    """
    if root is not None:
        if not Path(root).exists():
            raise UserError(f"dataset.root={root} is not there: name the place where the data lies now")
        run.dataset.root = root
    lies = run.dataset.get("root")
    return lies is None or Path(lies).exists()


def open_data(run: DictConfig, classes: Classes) -> Any:
    """What `build_source` gives. Raises `UserError` where its classes are not those of the run."""
    source = build_source(run.dataset)
    if source.classes.names != classes.names:
        raise UserError(f"{source.title} has other classes than the run: {difference(source.classes, classes)}")
    return source


def difference(given: Classes, expected: Classes) -> str:
    """In words, of classes whose names are not the same."""
    missing = sorted(set(expected.names) - set(given.names))
    extra = sorted(set(given.names) - set(expected.names))
    return f"missing {missing}, extra {extra}" if missing or extra else "the same names in another order"
