"""The run folder: where everything that a run leaves behind lies. The names are a contract."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from segmentation.errors import UserError

Content = TypeVar("Content")
FEW = 3  # names that a message gives


@dataclass(frozen=True)
class RunFolder:
    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def hydra(self) -> Path:
        return self.path / ".hydra"

    @property
    def splits(self) -> Path:
        return self.path / "splits.json"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def classes(self) -> Path:
        return self.path / "classes.json"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def history(self) -> Path:
        return self.path / "history.json"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def curves(self) -> Path:
        return self.path / "curves.png"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def visualizations(self) -> Path:
        return self.path / "visualizations"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation"

    @property
    def export(self) -> Path:
        return self.path / "export"

    def checkpoint(self, name: str) -> Path:
        """`last`, `best`, `average` or `epoch_007`: the file under checkpoints/."""
        return self.checkpoints / f"{name}.pt"

    def find_checkpoint(self, choice: str) -> Path:
        """A name such as `best`, or the path of any checkpoint file. Raises `UserError` when there is none."""
        named = self.checkpoint(choice)
        path = named if named.is_file() else Path(choice)
        if path.is_file():
            return path
        raise UserError(
            f"checkpoint={choice} is neither in {self.checkpoints} nor a file: "
            f"choose {', '.join(self.present_checkpoints()) or 'another run, this one has no checkpoint yet'}"
        )

    def present_checkpoints(self) -> list[str]:
        """The names of those that are there."""
        return sorted(file.stem for file in self.checkpoints.glob("[!.]*.pt"))  # a crash leaves .pending.pt

    @contextmanager
    def held(self) -> Iterator[None]:
        """For one process alone; the system lets go of it when the process ends, however it ends.

        Raises `UserError` while another process holds the folder.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path / ".lock", blocking=False):
                yield
        except Timeout as error:
            raise UserError(
                f"another process is training in {self.path}: wait for it or stop it, or give another hydra.run.dir"
            ) from error

    @classmethod
    def existing(cls, path: str | Path, option: str = "run") -> "RunFolder":
        """Raises `UserError` when `path`, given as this option, is not the folder of a run."""
        folder = cls(Path(path))
        if not folder.config.is_file():
            configs = [path for depth in ("[!.]*", "*/[!.]*") for path in folder.path.glob(f"{depth}/config.yaml")]
            within = sorted({str(config.parent.parent) for config in configs})
            named = ", ".join([*within[:FEW], *(["..."] if len(within) > FEW else [])])
            raise UserError(
                f"{option}={path} is no run folder (it has no config.yaml): give a folder that train.py wrote"
                f"{f'; there are runs in {named}' if within else ''}"
            )
        return folder


def read_written(
    path: Path,
    read: Callable[[Path], Content],
    remedy: str = "put back the file that train.py wrote, or name another run",
) -> Content:
    """`read(path)`, of a file of a run folder. Raises `UserError` with the `remedy` when it is missing or damaged."""
    try:
        return read(path)
    except Exception as error:  # damaged text makes parsers, and those who use what they give, raise anything
        state = "damaged" if path.is_file() else "missing"
        raise UserError(f"{path} is {state}: {remedy}") from error


class LogFile(logging.FileHandler):
    """Keeps the lines to itself until `begin_log`: a start that is refused leaves the folder's log as it was."""

    def __init__(self, filename: str, encoding: str = "utf-8") -> None:
        super().__init__(filename, encoding=encoding, delay=True)
        self._waiting: list[logging.LogRecord] | None = []

    def emit(self, record: logging.LogRecord) -> None:
        if self._waiting is None:
            super().emit(record)
        else:
            self._waiting.append(record)

    def begin(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for record in waiting:
            self.emit(record)


def begin_log() -> None:
    """The run folder is this run's from now on: its log gets what was said so far, and what follows."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogFile):
            handler.begin()
