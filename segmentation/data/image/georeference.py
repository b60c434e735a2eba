"""Where on a map the pixels of a TIFF lie, as GeoTIFF has it (OGC 19-008r4)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from segmentation.data.image.files import TIFF, tiff_faults

PIXEL_SCALE, TIE_POINT, TRANSFORMATION = 33550, 33922, 34264
TAGS = (PIXEL_SCALE, TIE_POINT, TRANSFORMATION, 34735, 34736, 34737)  # the last three hold the GeoKeys
PIXEL_IS_POINT = 2
USER_DEFINED = 32767
Tag = tuple[int, int, int, Any, bool]


@dataclass(frozen=True)
class MapPlace:
    """`affine` `[2, 3]` takes (column, row, 1) to (x, y) on the map, (0, 0) being the first pixel's outer corner.

    `epsg` is the number of the map's coordinate system, None where it has none. `tags` write the same into another
    TIFF of the same size.
    """

    affine: np.ndarray
    epsg: int | None
    tags: tuple[Tag, ...]

    def of(self, points: np.ndarray) -> np.ndarray:
        """`[N, 2]` (column, row) -> `[N, 2]` (x, y), float64."""
        return points @ self.affine[:, :2].T + self.affine[:, 2]


def map_place(path: Path) -> MapPlace | None:
    """None for what is no TIFF, or has no place. Raises `UserError` where it cannot be read."""
    if path.suffix.lower() not in TIFF:
        return None
    with tiff_faults(path), tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        keys = tiff.geotiff_metadata or {}
        affine = _affine(keys)
        if affine is None:
            return None
        if keys.get("GTRasterTypeGeoKey") == PIXEL_IS_POINT:  # places are those of the pixels' centres
            affine[:, 2] -= affine[:, :2] @ (0.5, 0.5)
        tags = [page.tags[code] for code in TAGS if code in page.tags]
        return MapPlace(
            affine, _epsg(keys), tuple((tag.code, int(tag.dtype), tag.count, tag.value, True) for tag in tags)
        )


def _affine(keys: dict[str, Any]) -> np.ndarray | None:
    if "ModelTransformation" in keys:
        return np.array(keys["ModelTransformation"], np.float64).reshape(4, 4)[:2, [0, 1, 3]]
    if "ModelPixelScale" not in keys or "ModelTiepoint" not in keys:
        return None
    scale_x, scale_y = keys["ModelPixelScale"][:2]
    column, row, _, x, y, _ = keys["ModelTiepoint"][:6]
    return np.array([[scale_x, 0, x - column * scale_x], [0, -scale_y, y + row * scale_y]], np.float64)


def _epsg(keys: dict[str, Any]) -> int | None:
    code = int(keys.get("ProjectedCSTypeGeoKey", keys.get("GeographicTypeGeoKey", USER_DEFINED)))
    return code if 0 < code < USER_DEFINED else None
