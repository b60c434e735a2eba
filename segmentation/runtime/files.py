"""Files that are never half written: a temporary name, a sync, then a rename."""

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, sync it and rename it; what was at `path` stays until then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any, indent: int | None = 1) -> None:
    """Standard JSON: NaN and infinities, which JSON does not know, become null. Without `indent` it is one line."""
    text = json.dumps(jsonable(value), indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_atomically(path, write)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"))  # Windows programs put a mark before the text


def jsonable(value: Any) -> Any:
    """Paths as text, tuples as lists, numbers that are not finite as None."""
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def link_or_copy(source: Path, destination: Path) -> None:
    """A second name for the same bytes where the file system has hard links, else a copy; replaces `destination`.

    Right for files that are replaced and never edited in place: giving `source` new contents leaves `destination`.
    """

    def write(temporary: Path) -> None:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)

    if destination.exists() and destination.samefile(source):
        return
    write_atomically(destination, write)
