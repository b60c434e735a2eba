"""What training makes of a mesh: the augmentation group of the configuration for meshes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from segmentation.errors import UserError

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue (ITU-R BT.601)
MIDDLE = 127.5


@dataclass(frozen=True)
class MeshAugmentation:
    """All drawn anew for each sample.

    `rotate`: around x, y and z, up to so many degrees either way; the ground turns with the mesh. `scale`: the range of
    a factor for the whole mesh. `noise`: standard deviation of what each vertex moves, in m, in x, y and z. `flip`: how
    likely x and y are mirrored. `brightness`, `contrast` (about mid grey) and `saturation` of the textures are
    multiplied by up to 1 plus or minus these. Raises `UserError` for values that cannot be.
    """

    rotate: Sequence[float] = (0.0, 0.0, 180.0)
    scale: Sequence[float] = (1.0, 1.0)
    noise: float = 0.0
    flip: Sequence[float] = (0.5, 0.5)
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        wrong = {
            f"rotate={list(self.rotate)}: expected degrees around x, y and z, 0 to 180": len(self.rotate) != 3
            or not all(0 <= degrees <= 180 for degrees in self.rotate),
            f"scale={list(self.scale)}: expected [least, most], above 0": len(self.scale) != 2
            or not 0 < self.scale[0] <= self.scale[1],
            f"noise={self.noise}: expected metres, from 0 on": self.noise < 0,
            f"flip={list(self.flip)}: expected the chances of x and y, 0 to 1": len(self.flip) != 2
            or not all(0 <= chance <= 1 for chance in self.flip),
            "brightness, contrast and saturation: expected 0 to 1": not all(
                0 <= value <= 1 for value in (self.brightness, self.contrast, self.saturation)
            ),
        }
        if any(wrong.values()):
            raise UserError("augmentation." + next(told for told, is_so in wrong.items() if is_so))

    def move(self, vertices: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float, bool]:
        """Vertices `[V, 3]` float32 in m, the factor of all lengths, and whether the mesh is mirrored: then faces
        have to wind the other way round, or their normals would point inwards.
        """
        degrees, factor = rng.uniform(-1, 1, 3) * self.rotate, float(rng.uniform(self.scale[0], self.scale[1]))
        mirror = np.where(rng.random(2) < self.flip, -1.0, 1.0)
        matrix = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * np.append(mirror, 1.0) * factor
        moved = vertices @ matrix.T.astype(np.float32)
        if self.noise:
            moved += rng.normal(0, self.noise, vertices.shape).astype(np.float32)
        return moved, factor, bool(mirror.prod() < 0)

    def recolor(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """`[..., 3]` uint8, all of them alike."""
        strength = np.array([self.brightness, self.contrast, self.saturation])
        brightness, contrast, saturation = (1 + rng.uniform(-1, 1, 3) * strength).astype(np.float32)
        if not strength.any():
            return pixels
        colors = pixels.astype(np.float32)
        grey = (colors @ GREY)[..., None]
        colors = ((grey + (colors - grey) * saturation) * brightness - MIDDLE) * contrast + MIDDLE
        return np.clip(np.rint(colors), 0, 255).astype(np.uint8)
