"""Files that a command is given: one, a folder with all below it, or a pattern."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from glob import has_magic
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from segmentation.data.folders import composed
from segmentation.errors import UserError


class GivenFiles(NamedTuple):
    """In the order of their names. `base` is the folder that keys begin below; `unlisted` tells in a line each of the
    folders that cannot be read, `passed_over` is how many files of a folder have other suffixes.
    """

    base: Path
    files: tuple[Path, ...]
    unlisted: tuple[str, ...] = ()
    passed_over: int = 0


def search(given: str, suffixes: Sequence[str], otherwise: str, leave_out: Path | None = None) -> GivenFiles:
    """Files with one of the `suffixes` (lower case, with the dot): everything below a folder, what fits a pattern
    (`DATA/**/*.png`), or one file. Nothing hidden is looked at, nor what is in the folder `leave_out`: where results go
    may be below the input.

    Raises `UserError` where there is nothing, `otherwise` saying what that is, and where `leave_out` is the very folder
    that is searched.
    """
    known = ", ".join(suffixes)
    found = _found(given, tuple(suffixes), known, otherwise, None if leave_out is None else leave_out.resolve())
    if leave_out is not None and found.base.resolve() == leave_out.resolve() and Path(given) not in found.files:
        raise UserError(f"input={given} and output={leave_out} are one folder: give the results a folder of their own")
    if not found.files and not found.unlisted:
        raise UserError(f"input={given} holds {otherwise}: known are {known}")
    return found


def _found(given: str, suffixes: tuple[str, ...], known: str, otherwise: str, leave_out: Path | None) -> GivenFiles:
    place = Path(given)
    if place.is_dir():
        return _below(place, suffixes, leave_out)
    if place.exists():
        if not place.name.lower().endswith(suffixes):
            raise UserError(f"input={given} is {otherwise} by its name: known are {known}")
        return GivenFiles(place.parent, (place,))
    if not has_magic(given):
        raise UserError(f"input={given}: there is no such file, folder or pattern")
    fixed = list(takewhile(lambda part: not has_magic(part), place.parts[:-1]))
    base, pattern = Path(*fixed), str(Path(*place.parts[len(fixed) :]))
    found = (path for path in sorted(base.glob(pattern)) if path.is_file() and path.name.lower().endswith(suffixes))
    return GivenFiles(
        base, tuple(path for path in found if not _is_hidden(path.relative_to(base)) and _kept(path, leave_out))
    )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _below(folder: Path, suffixes: tuple[str, ...], leave_out: Path | None) -> GivenFiles:
    files: list[Path] = []
    faults: list[str] = []
    others = 0

    def cannot_list(error: OSError) -> None:
        faults.append(f"{error.filename} cannot be read ({error.strerror})")

    for place, inner, names in os.walk(folder, onerror=cannot_list, followlinks=True):
        inner[:] = sorted(
            name for name in inner if not name.startswith(".") and Path(place, name).resolve() != leave_out
        )
        shown = [name for name in names if not name.startswith(".")]
        known = [Path(place, name) for name in shown if name.lower().endswith(suffixes)]
        files, others = files + known, others + len(shown) - len(known)
    return GivenFiles(folder, tuple(sorted(files)), tuple(faults), others)


def _kept(path: Path, leave_out: Path | None) -> bool:
    return leave_out is None or not path.resolve().is_relative_to(leave_out)


def keys_of(paths: Sequence[Path], takes_folder: Callable[[Path], bool] = lambda path: False) -> list[str]:
    """Of paths below one folder: without their suffixes where that leaves them apart from each other and, of those that
    `takes_folder` for their results, from the folders that there are.
    """
    names = [composed(path.as_posix()) for path in paths]
    stems = [name.removesuffix(path.suffix) for name, path in zip(names, paths, strict=True)]
    repeated = {stem for stem, times in Counter(stems).items() if times > 1} | set(names)
    folders = {composed(parent.as_posix()) for path in paths for parent in path.parents}
    return [
        name if stem in repeated or (stem in folders and takes_folder(path)) else stem
        for name, stem, path in zip(names, stems, paths, strict=True)
    ]
