"""A short name for the state of a set of files: what was computed from them is kept under it."""

import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path


def fingerprint(paths: Iterable[Path], *more: object) -> str:
    """20 hex digits from the files' names, sizes and modification times, and from `more`; contents are not read."""
    digest = blake2b(repr(more).encode(), digest_size=10)
    for path in sorted(paths):
        status = path.stat()
        digest.update(f"{path}\n{status.st_size}\n{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/segmentation-lab`, by default under `~/.cache`; data sets may be on a read-only disk."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segmentation-lab"
