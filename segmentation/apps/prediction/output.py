"""The output folder: whose results it holds, and which of them are complete."""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from segmentation.errors import UserError
from segmentation.runtime.files import read_json, write_json

FOLDERS = ("meshes", "masks", "colour", "overlay", "probabilities", "polygons", "pseudo_labels")
FILES = ("summary.csv", "index.html", "metrics.json")
ABOUT, DONE = "predict.json", "predict.jsonl"
Row = dict[str, Any]
log = logging.getLogger("segmentation")


class Named(Protocol):
    """An input; results are named by its key."""

    @property
    def key(self) -> str: ...
    @property
    def path(self) -> Path: ...


Input = TypeVar("Input", bound=Named)


@dataclass(frozen=True)
class OutputFolder:
    """`predict.json` says by what and with which options the results were made, and `predict.jsonl` has a line for each
    input that is complete, so that a program that was killed can go on.
    """

    path: Path
    done: dict[str, Row]

    @classmethod
    def open(cls, path: Path, about: Mapping[str, Any], skip_existing: bool, overwrite: bool) -> "OutputFolder":
        """`about` is what must be the same for results to lie in one folder, as JSON has it. Raises `UserError` for a
        folder of other results, or with files of our names that predict.py did not write.
        """
        holds = [name for name in (*FOLDERS, *FILES) if (path / name).exists()]
        known = path / ABOUT
        if holds and not known.is_file():
            raise UserError(f"output={path} holds {holds[0]} that predict.py did not write: give another folder")
        if known.is_file() and overwrite:
            _clear(path)
        elif known.is_file():
            _refuse_others(path, about, skip_existing)
        path.mkdir(parents=True, exist_ok=True)
        if not known.is_file():
            write_json(known, about)
        return cls(path, _complete(path))

    def left(self, inputs: Sequence[Input]) -> list[Input]:
        """Those that are not complete; another file of a complete one's name is not."""
        left = [each for each in inputs if self.done.get(each.key, {}).get("path") != str(each.path.resolve())]
        if len(left) < len(inputs):
            log.info("%d of %d inputs are complete already", len(inputs) - len(left), len(inputs))
        return left

    def note(self, row: Row) -> None:
        """That an input is complete: `key`, `path`, `files` (from this folder) and what a summary tells. One with a
        `fault` is done again the next time.
        """
        with (self.path / DONE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.done[row["key"]] = row

    def take(self, row: Row | UserError, faults: list[str]) -> None:
        """What came of an input, a row, or why there is none; what is wrong is told, and joins the `faults`."""
        fault = str(row) if isinstance(row, UserError) else row.get("fault")
        if fault is not None:
            log.warning("%s", fault)
            faults.append(fault)
        if not isinstance(row, UserError):
            self.note(row)


def _clear(path: Path) -> None:
    """What this program wrote; the note of whose it is goes last."""
    for name in FOLDERS:
        shutil.rmtree(path / name, ignore_errors=True)
    for name in (*FILES, DONE, ABOUT):
        (path / name).unlink(missing_ok=True)


def _refuse_others(path: Path, about: Mapping[str, Any], skip_existing: bool) -> None:
    try:
        written: Mapping[str, Any] = dict(read_json(path / ABOUT))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path / ABOUT} is damaged: give another output, or overwrite=true") from error
    if not skip_existing:
        of = written.get("model") or written.get("run")
        raise UserError(
            f"output={path} holds results of {of}: give another output, skip_existing=true to go on with it, or "
            "overwrite=true to remove them"
        )
    other = next((key for key in {**written, **about} if written.get(key) != about.get(key)), None)
    if other is not None:
        was, now = (json.dumps(values.get(other), ensure_ascii=False) for values in (written, about))
        raise UserError(
            f"output={path} was written with {other}={was}, this is {now}: give the same, another output, or "
            "overwrite=true"
        )


def _complete(path: Path) -> dict[str, Row]:
    """The rows of inputs all of whose files are there. A line that was cut off is of an input that is not complete."""
    if not (path / DONE).is_file():
        return {}
    rows = []
    for line in (path / DONE).read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    whole = (row for row in rows if "fault" not in row and all((path / name).is_file() for name in row["files"]))
    return {row["key"]: row for row in whole}
