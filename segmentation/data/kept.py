"""Arrays that were computed from a data set, kept on disk until its files change."""

import logging
import os
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from segmentation.data.cache import make_room, size_of
from segmentation.data.fingerprint import cache_folder
from segmentation.runtime.files import write_atomically

log = logging.getLogger("segmentation")


def read_arrays(name: str) -> dict[str, np.ndarray] | None:
    """What `keep_arrays` kept under `name`, a fingerprint is part of; None where there is nothing or it is damaged."""
    try:
        with np.load(_place(name), allow_pickle=False) as kept:
            return dict(kept)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def keep_arrays(name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """A cache that cannot be written costs time, not the run."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:  # a file object: given a name, numpy appends its own suffix
            np.savez(file, allow_pickle=False, **arrays)

    try:
        write_atomically(_place(name), write)
    except OSError as error:
        log.warning("%s could not be kept (%s); it is computed again next time", _place(name), error)


def keep_within(folder: str, names: Iterable[str], most: int) -> None:
    """Of what is kept below `folder`, remove what was used longest ago until all is at most `most` bytes. What is kept
    under `names` is in use and stays.
    """
    in_use = {_place(name) for name in names}
    with suppress(OSError):  # a cache that cannot be cleaned is no reason to stop
        for path in in_use:
            if path.exists():
                os.utime(path)
        others = [path for path in (cache_folder() / folder).glob("*.npz") if path not in in_use]
        make_room(others, most - sum(map(size_of, in_use)))


def _place(name: str) -> Path:
    return cache_folder() / f"{name}.npz"
