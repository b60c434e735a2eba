"""TIFFs with a place on a map."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile

SCALE, TIE_POINT, TRANSFORMATION, KEYS = 33550, 33922, 34264, 34735


def write_georeferenced(
    path: Path,
    pixels: np.ndarray,
    epsg: int = 25832,
    is_point: bool = False,
    transformation: Sequence[float] | None = None,
) -> Path:
    """Pixels of 0.5 by 0.25 m; the first is at (500000, 5300000). `transformation` (16 numbers) puts it elsewhere."""
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2 if is_point else 1, 3072, 0, 1, epsg)
    placed = (
        [(SCALE, "d", 3, (0.5, 0.25, 0.0), True), (TIE_POINT, "d", 6, (0, 0, 0, 500000.0, 5300000.0, 0), True)]
        if transformation is None
        else [(TRANSFORMATION, "d", 16, tuple(transformation), True)]
    )
    tifffile.imwrite(path, pixels, extratags=[*placed, (KEYS, "H", len(keys), keys, True)])
    return path
