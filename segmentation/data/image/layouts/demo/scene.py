"""What a street is made of: flat coloured polygons, a pinhole camera that paints them, weather and outlines.

The camera looks along +z: x points right, y up; lengths are metres, speeds metres per frame. Every part is painted at
twice the size into the image and the labels alike.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike

Color = tuple[float, float, float]
Size = tuple[int, int]  # height, width
Row = tuple[Color, float, np.ndarray]  # a colour, its brightness and outlines [M, K, 2] of (along, up)

NAMES = (
    "traffic_sign",
    "building",
    "fence",
    "other",
    "pedestrian",
    "pole",
    "road_line",
    "road",
    "sidewalk",
    "vegetation",
    "car",
    "wall",
    "void",
)  # DAVID's classes, by id
SIGN, BUILDING, FENCE, OTHER, PEDESTRIAN, POLE, ROAD_LINE, ROAD, SIDEWALK, VEGETATION, CAR, WALL, VOID = range(13)

OVERSAMPLING = 2
PERIOD = 96.0  # metres after which the street repeats
BEHIND = 16.0  # metres that a long thing may reach back behind the camera
NEAR, FAR = 0.5, 78.0  # metres: what is nearer is cut off, what is farther belongs to the backdrop
LANE, DASH = 3.4, 6.0  # metres: the width of a lane, the distance between dashes
ACROSS, ALONG = (1.0, 0.0), (0.0, 1.0)  # directions in the ground plane (x, z)
GRAIN_TILE, GRAIN_PER_METRE = 40, 10
GRAIN_OF_CLASS = np.zeros(len(NAMES), np.float32)
GRAIN_OF_CLASS[[ROAD, ROAD_LINE, SIDEWALK]] = 0.13, 0.08, 0.09

PLASTER = ((214, 186, 142), (196, 120, 92), (168, 172, 178), (226, 214, 190), (150, 164, 180), (184, 150, 128))
ROOFS = ((128, 62, 48), (84, 74, 76), (104, 88, 78))
LEAVES = ((62, 104, 40), (84, 122, 46), (52, 92, 52))
BRICKS = ((150, 84, 68), (172, 160, 144), (128, 92, 80))
RAILINGS = ((44, 62, 54), (232, 232, 224), (122, 84, 54))
PAINTS = ((180, 32, 36), (34, 70, 140), (226, 226, 224), (40, 42, 46), (150, 154, 160), (196, 150, 40), (40, 104, 84))
CLOTHES = ((190, 52, 48), (44, 78, 150), (60, 60, 66), (70, 130, 90), (226, 196, 80), (214, 210, 204), (150, 80, 140))
SKINS = ((238, 190, 156), (224, 168, 130), (176, 120, 86), (120, 80, 58))
HAIRS = ((40, 30, 26), (96, 64, 36), (190, 156, 90), (130, 126, 122))
STEEL, GLASS, BLACK, WHITE, BARK = (120, 126, 130), (46, 58, 72), (26, 26, 28), (240, 240, 236), (86, 68, 52)
TIMBER = (176, 110, 56)
RED, BLUE, GREEN, YELLOW, ORANGE = (208, 20, 28), (16, 84, 190), (10, 120, 70), (250, 202, 20), (238, 122, 24)
PLATES: tuple[tuple[int, float, Color, Color, Color], ...] = (  # of traffic signs: corners, turn, rim, face, symbol
    (20, 0, RED, WHITE, BLACK),
    (3, 0, RED, YELLOW, BLACK),
    (8, math.pi / 8, WHITE, RED, WHITE),
    (20, 0, WHITE, BLUE, WHITE),
    (4, math.pi / 4, WHITE, BLUE, WHITE),
    (4, 0, WHITE, YELLOW, YELLOW),
)


@dataclass(frozen=True)
class Weather:
    """Sky colours at the top and at the horizon, the tint of the light, how far one sees (metres) and what falls."""

    zenith: Color
    horizon: Color
    tint: Color
    visibility: float
    sun: float = 0.0  # contrast between the lit and the shaded side of the street, 0-1
    lit: float = 0.04  # share of the windows with a light on
    rain: bool = False


SUNNY = Weather((66, 124, 204), (196, 220, 238), (1.1, 1.05, 0.95), 420.0, sun=0.45)
CLOUDY = Weather((140, 150, 165), (210, 213, 216), (0.94, 0.96, 0.98), 200.0, sun=0.1)
RAIN = Weather((112, 122, 134), (172, 178, 184), (0.78, 0.83, 0.88), 90.0, lit=0.3, rain=True)
DUSK = Weather((70, 84, 146), (252, 178, 116), (0.92, 0.74, 0.68), 240.0, sun=0.4, lit=0.45)
WEATHERS = (SUNNY, RAIN, CLOUDY, SUNNY, DUSK)


@dataclass(frozen=True)
class Part:
    """Polygons of one colour; without a label they change the image only (a shadow)."""

    points: np.ndarray  # [M, K, 3]
    color: Color
    label: int | None
    alpha: float = 1.0
    within: float = FAR  # metres beyond which it is too fine to be painted

    @cached_property
    def depth(self) -> float:
        return float(self.points[..., 2].mean())


@dataclass(frozen=True)
class Figure:
    """Parts that are painted in this order; their corners are projected all at once, which is most of the speed."""

    parts: Sequence[Part]

    @cached_property
    def corners(self) -> np.ndarray:
        return np.concatenate([part.points.reshape(-1, 3) for part in self.parts])


@dataclass(frozen=True)
class Thing:
    """Something on the street at (x, z): its poses, one a frame, and how it moves."""

    poses: Sequence[Figure]
    x: float
    z: float
    length: float = 0.0  # metres that it reaches beyond z
    speed: float = 0.0
    surge: float = 0.0  # metres that it swings to and fro about its even motion
    crossing: float = 0.0  # metres to the side for each metre that the camera still has to go,
    breadth: float = 0.0  # at most so many

    def place(self, frame: int, travelled: float) -> tuple[float, float]:
        """Its x, and its distance ahead of the camera from -BEHIND to PERIOD - BEHIND."""
        z = self.z + self.speed * frame + self.surge * math.sin(frame / 6 + self.z)
        ahead = (z - travelled + BEHIND) % PERIOD - BEHIND
        return self.x + min(max(self.crossing * ahead, -self.breadth), self.breadth), ahead


@dataclass(frozen=True)
class Street:
    """All that one video shows."""

    weather: Weather
    speed: float  # of the camera
    eye: float  # metres above the road
    horizon: float  # share of the height
    ground: Figure  # what stays as it is while the camera moves: grass, sidewalks, road
    layers: tuple[tuple[Thing, ...], ...]  # markings, then what lines the street, then what stands and moves on it
    grain: np.ndarray  # texture of the ground, a square tile of `GRAIN_TILE` metres, float32 around 0


@dataclass(frozen=True)
class View:
    """A picture in the making: the camera and what has been painted so far."""

    image: np.ndarray  # [H, W, 3] uint8
    labels: np.ndarray  # [H, W] uint8
    focal: float  # pixels
    horizon: float  # row of the vanishing point; its column is the middle
    eye: float
    weather: Weather

    def paint(self, figure: Figure, x: float = 0.0, z: float = 0.0) -> None:
        """Paint a figure moved to (x, z), hazier with depth. Clamping z cuts rightly what runs along the street."""
        scale = self.focal / np.maximum(figure.corners[:, 2] + z, NEAR)
        pixels = np.empty((len(scale), 2), np.int32)
        pixels[:, 0] = (figure.corners[:, 0] + x) * scale + self.image.shape[1] / 2
        pixels[:, 1] = (self.eye - figure.corners[:, 1]) * scale + self.horizon
        stop = 0
        for part in figure.parts:
            start, stop = stop, stop + part.points.size // 3
            if z > part.within:
                continue
            outlines = list(pixels[start:stop].reshape(*part.points.shape[:2], 2))
            clear = math.exp(-max(part.depth + z, NEAR) / self.weather.visibility)
            color = [c * clear + h * (1 - clear) for c, h in zip(part.color, self.weather.horizon, strict=True)]
            self._fill(outlines, color, part.alpha)
            if part.label is not None:
                cv2.fillPoly(self.labels, outlines, part.label)

    def _fill(self, outlines: list[np.ndarray], color: list[float], alpha: float) -> None:
        if alpha == 1:
            cv2.fillPoly(self.image, outlines, color)
            return
        left, top, width, height = cv2.boundingRect(np.concatenate(outlines))
        area = self.image[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
        before = area.copy()
        cv2.fillPoly(self.image, outlines, color)
        if area.size:
            area[:] = cv2.addWeighted(area, alpha, before, 1 - alpha, 0)


# Outlines, colours and noise


def boxes(left: ArrayLike, right: ArrayLike, bottom: ArrayLike, top: ArrayLike) -> np.ndarray:
    """Rectangles `[M, 4, 2]` of numbers or arrays that broadcast together."""
    a, b, c, d = (side.ravel() for side in np.broadcast_arrays(left, right, bottom, top))
    return np.stack([a, c, b, c, b, d, a, d], -1).reshape(-1, 4, 2).astype(float)


def shape(*corners: tuple[float, float]) -> np.ndarray:
    return np.array([corners])


def ngon(corners: int, x: float, y: float, radius: float | np.ndarray, turn: float = 0.0) -> np.ndarray:
    """A regular polygon `[1, corners, 2]` with a corner on top; one radius for each corner makes it irregular."""
    angle = turn + 2 * np.pi * np.arange(corners) / corners
    return np.stack([x + radius * np.sin(angle), y + radius * np.cos(angle)], -1)[None]


def cutout(
    label: int,
    rows: Iterable[Row],
    light: float = 1.0,
    x: float = 0.0,
    z: float = 0.0,
    direction: tuple[float, float] = ACROSS,
    alpha: float = 1.0,
    within: float = FAR,
) -> list[Part]:
    """Rows set upright from (x, z) in a direction of the ground plane."""
    parts = []
    for color, brightness, outlines in rows:
        if not len(outlines):
            continue
        along, up = outlines[..., 0], outlines[..., 1]
        points = np.stack([x + along * direction[0], up, z + along * direction[1]], -1)
        parts.append(Part(points, shade(color, light * brightness), label, alpha, within))
    return parts


def floor(
    label: int | None, color: Color, outlines: np.ndarray, y: float = 0.0, alpha: float = 1.0, within: float = FAR
) -> Part:
    """Outlines of (x, z) laid flat."""
    return Part(np.insert(outlines, 1, y, axis=-1), color, label, alpha, within)


def shadow(half: float, near: float = -0.25, far: float = 0.4) -> list[Part]:
    return [floor(None, (14, 16, 24), boxes(-half, half, near, far), alpha=0.4)]


def shade(color: Color, light: float) -> Color:
    red, green, blue = (min(channel * light, 255.0) for channel in color)
    return red, green, blue


def mix(first: Color, second: Color, share: float) -> Color:
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def choose(rng: np.random.Generator, colors: Sequence[Color], spread: float = 8.0) -> Color:
    """One of the colours, varied a little."""
    red, green, blue = np.clip(colors[int(rng.integers(len(colors)))] + rng.normal(0, spread, 3), 8, 250).tolist()
    return red, green, blue


def soft_noise(rng: np.random.Generator, size: Size, cells: Size, octaves: int) -> np.ndarray:
    """Cloudy noise `[H, W]` float32, mostly within -1 to 1: octaves of doubling fineness."""
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        grid = rng.standard_normal((cells[0] << octave, cells[1] << octave), dtype=np.float32)
        total += cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC) / 2**octave
    return total / 2
