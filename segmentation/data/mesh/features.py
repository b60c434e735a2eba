"""What a model is told of each face: shape, size and place. R faces, all at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import numpy as np

from segmentation.errors import UserError, near

WIDTHS = {
    **{"corners": 9, "angles": 3, "normal": 3, "area": 1, "slope": 1, "height": 1, "roughness": 1},
    **{"log_sides": 3, "log_area": 1},
}
SHORTEST = 1e-4  # m: what is shorter, or smaller than its square, has the same logarithm


@dataclass(frozen=True)
class FaceFeatures:
    """Which numbers describe a face, in this order:

    - those of `names`: `corners` x y z of each corner less the centre of the cluster (m), `angles` at the corners
      (rad), `normal` of unit length, `area` (m2), `slope` between the face and the level, whichever way it faces (rad,
      0 to pi/2), `height` above the ground plane (m), `roughness`, the standard deviation of the heights around (m),
      `log_sides` and `log_area`, natural logarithms of the sides from each corner to the next (of m) and of the area
      (of m2): frames of windows and roofs differ by orders of magnitude;
    - `frequencies` of a Fourier encoding of the centroid's place in the mesh: sine and cosine of x, y and z, 6 numbers
      for each of the wavelengths `wavelength` (m), half of it, a quarter, ... (after Tancik et al. 2020, arXiv
      2006.10739);
    - `extra`: numbers that the files tell, by name.

    Raises `UserError` for a name that there is not.
    """

    names: Sequence[str] = ("corners", "angles", "normal", "area")
    frequencies: int = 0
    wavelength: float = 64.0
    extra: Sequence[str] = ()

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in WIDTHS]
        if unknown:
            hint = near(unknown[0], WIDTHS, f"choose among {', '.join(WIDTHS)}")
            raise UserError(f"dataset.features names {unknown[0]}, which is no feature; {hint}")

    @property
    def width(self) -> int:
        """How many numbers describe a face."""
        return sum(WIDTHS[name] for name in self.names) + 6 * self.frequencies + len(self.extra)

    def __call__(self, corners: np.ndarray, centre: np.ndarray, around: np.ndarray, extra: np.ndarray) -> np.ndarray:
        """`[R, width]` float32 of faces with `corners` `[R, 3, 3]` (m, from the middle of the mesh), in clusters with
        the `centre` `[R, 3]`; `around` `[R, 2]` has height and roughness, `extra` `[R, E]` the numbers of the files.

        A face without area has angles of 0 or pi and a normal and slope of 0.
        """
        edges = np.roll(corners, -1, axis=1) - corners  # from each corner to the next
        cross = np.cross(edges[:, 0], edges[:, 1])
        twice_area = np.linalg.norm(cross, axis=1, keepdims=True)
        normal = np.divide(cross, twice_area, out=np.zeros_like(cross), where=twice_area > 0)
        cosines = 0 - np.einsum("rcx,rcx->rc", edges, np.roll(edges, 1, axis=1))  # times both lengths; never -0
        sides = np.linalg.norm(edges, axis=2)
        parts = {
            "corners": (corners - centre[:, None]).reshape(-1, 9),
            "angles": np.arctan2(twice_area, cosines),
            "normal": normal,
            "area": twice_area / 2,
            "slope": np.arctan2(np.hypot(normal[:, 0], normal[:, 1]), np.abs(normal[:, 2]))[:, None],
            "height": around[:, :1],
            "roughness": around[:, 1:],
            "log_sides": np.log(np.maximum(sides, SHORTEST)),
            "log_area": np.log(np.maximum(twice_area / 2, SHORTEST**2)),
        }
        chosen = [parts[name] for name in self.names]
        features = np.concatenate([*chosen, self._waves(corners.mean(axis=1)), extra], axis=1)
        return features.astype(np.float32, copy=False)

    def _waves(self, centroid: np.ndarray) -> np.ndarray:
        """`[R, 6 * frequencies]`: the sines of x, y and z, their cosines, then those of the next wavelength."""
        turns = 2 * pi / self.wavelength * 2.0 ** np.arange(self.frequencies)
        phases = centroid[:, None] * turns[:, None].astype(centroid.dtype)
        return np.stack([np.sin(phases), np.cos(phases)], axis=2).reshape(len(centroid), -1)


def areas(corners: np.ndarray) -> np.ndarray:
    """`[R]` in m2, of corners `[R, 3, 3]`."""
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(np.linalg.norm(cross, axis=1) / 2)
