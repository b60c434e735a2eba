"""Finding the files of a data set in its folders."""

import os
import unicodedata
from collections.abc import Collection
from pathlib import Path

from segmentation.data.faults import FileFault
from segmentation.errors import UserError

PART_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
Found = tuple[dict[str, Path], list[str]]


def data_folder(root: str) -> Path:
    """Raises `UserError` for a root that is missing, no folder, unreadable or empty."""
    folder = Path(root)
    try:
        if not any(folder.iterdir()):
            raise UserError(f"dataset.root={root} is empty: set dataset.root to the folder of the data")
    except OSError as error:
        raise UserError(
            f"dataset.root={root} cannot be read ({error.strerror}): set dataset.root to the folder of the data"
        ) from error
    return folder


def folders(parent: Path) -> list[Path]:
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def find_folder(parent: Path, *names: str) -> Path | None:
    """The folder in `parent` of the first of these names that is there, in any case."""
    if not parent.is_dir():
        return None
    there = {entry.name.lower(): entry for entry in reversed(folders(parent))}
    return next((there[name.lower()] for name in names if name.lower() in there), None)


def files_by_stem(folder: Path, suffixes: Collection[str], below: bool = False) -> Found:
    """Files with one of the `suffixes` (lower case, with the dot) by stem, and the faults: two of one stem, and folders
    that cannot be read. With those in sub-folders (`below`), the key is `sub/stem`. What is hidden or has another
    suffix is passed over. Keys are `composed`.
    """
    found: dict[str, Path] = {}
    faults: list[str] = []

    def cannot_list(error: OSError) -> None:
        faults.append(f"{error.filename} cannot be read ({error.strerror})")

    for place, inner, names in os.walk(folder, onerror=cannot_list, followlinks=True):
        inner[:] = sorted(name for name in inner if below and not name.startswith("."))
        parent = Path(place)
        before = "" if parent == folder else f"{parent.relative_to(folder).as_posix()}/"
        for name in sorted(names):  # as text: of ten thousands of files paths would take most of the time
            stem, _, suffix = name.rpartition(".")
            if not stem or name.startswith(".") or f".{suffix.lower()}" not in suffixes:
                continue
            key = composed(before + stem)
            if key in found:
                told = f"{parent} holds {found[key].name} and {name}: two files of one name"
                faults.append(FileFault(told, found[key], parent / name))
            found[key] = parent / name
    return found, faults


def composed(name: str) -> str:
    """Letters with accents as one character each: some systems write two, and both look the same."""
    return unicodedata.normalize("NFC", name)


def stem_below(path: Path, folder: Path) -> str:
    """`sub/0001` of `folder/sub/0001.png`."""
    return path.relative_to(folder).with_suffix("").as_posix()
