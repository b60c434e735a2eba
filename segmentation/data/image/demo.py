"""A drawn data set of street scenes in the DAVID layout, so that training can start without a download.

Each video is a drive along one street, seen through a pinhole camera that looks along +z: x points right, y up; lengths
are metres, speeds metres per frame. The street repeats every `PERIOD` metres, so a video may be of any length. All that
stands on it is made once of flat `Part`s, then painted far to near at twice the size, each part into the image and the
labels alike; at the end the image is averaged and the labels are subsampled.
"""

import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

Color = tuple[float, float, float]
Size = tuple[int, int]  # height, width
Row = tuple[Color, float, np.ndarray]  # a colour, its brightness and outlines [M, K, 2] of (along, up)

DAVID_CLASSES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("traffic_sign", (220, 220, 0)),
    ("building", (70, 70, 70)),
    ("fence", (190, 153, 153)),
    ("other", (250, 170, 160)),
    ("pedestrian", (220, 20, 60)),
    ("pole", (153, 153, 153)),
    ("road_line", (157, 234, 50)),
    ("road", (128, 64, 128)),
    ("sidewalk", (244, 35, 232)),
    ("vegetation", (107, 142, 35)),
    ("car", (0, 0, 142)),
    ("wall", (102, 102, 156)),
    ("void", (0, 0, 0)),
)
SIGN, BUILDING, FENCE, OTHER, PEDESTRIAN, POLE, ROAD_LINE, ROAD, SIDEWALK, VEGETATION, CAR, WALL, VOID = range(13)

OVERSAMPLING = 2
PERIOD = 96.0  # metres after which the street repeats
BEHIND = 16.0  # metres that a long thing may reach back behind the camera
NEAR, FAR = 0.5, 78.0  # metres: what is nearer is cut off, what is farther belongs to the backdrop
LANE, DASH = 3.4, 6.0  # metres: the width of a lane, the distance between dashes
ACROSS, ALONG = (1.0, 0.0), (0.0, 1.0)  # directions in the ground plane (x, z)
GRAIN_TILE, GRAIN_PER_METRE = 40, 10
GRAIN_OF_CLASS = np.zeros(len(DAVID_CLASSES), np.float32)
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
    crossing: float = 0.0  # metres to the side for each metre that the camera still has to go

    def place(self, frame: int, travelled: float) -> tuple[float, float]:
        """Its x, and its distance ahead of the camera from -BEHIND to PERIOD - BEHIND."""
        z = self.z + self.speed * frame + self.surge * math.sin(frame / 6 + self.z)
        ahead = (z - travelled + BEHIND) % PERIOD - BEHIND
        return self.x + min(max(self.crossing * ahead, -8.0), 8.0), ahead


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


def boxes(left: object, right: object, bottom: object, top: object) -> np.ndarray:
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
    red, green, blue = np.clip(colors[rng.integers(len(colors))] + rng.normal(0, spread, 3), 8, 250).tolist()
    return red, green, blue


def soft_noise(rng: np.random.Generator, size: Size, cells: Size, octaves: int) -> np.ndarray:
    """Cloudy noise `[H, W]` float32, mostly within -1 to 1: octaves of doubling fineness."""
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        grid = rng.standard_normal((cells[0] << octave, cells[1] << octave), dtype=np.float32)
        total += cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC) / 2**octave
    return total / 2


# What lines the street: lots reach from z = 0 to their length, along the edge of the sidewalk at x = 0.


def front(rng: np.random.Generator, length: float, height: float, color: Color, weather: Weather) -> list[Row]:
    """A house front of plaster: shop windows and doors below, rows of windows above."""
    bays = max(1, round(length / 2.8))
    sills, middles = np.meshgrid(np.arange(0, height - 2, 3.0), (np.arange(bays) + 0.5) * length / bays)
    low, half = np.where(sills == 0, 0.25, sills + 0.9), np.where(sills == 0, 1.05, 0.65)
    panes = boxes(middles - half + 0.13, middles + half - 0.13, low + 0.13, sills + 2.4)
    lit = rng.random(len(panes)) < weather.lit
    return [
        (color, 1.0, boxes(0, length, 0, height)),
        (mix(color, WHITE, 0.6), 1.0, boxes(middles - half, middles + half, low, sills + 2.5)),
        (mix(GLASS, weather.zenith, 0.2), 1.0, panes[~lit]),
        ((255, 216, 140), 1.15, panes[lit]),
        (
            mix(color, GLASS, 0.35),
            1.0,
            boxes(0, length, np.array([2.7, height - 0.35]), np.array([2.95, height + 0.1])),
        ),
    ]


def house(rng: np.random.Generator, side: int, x: float, length: float, light: float, weather: Weather) -> list[Part]:
    color, roof, floors, depth = choose(rng, PLASTER), choose(rng, ROOFS), int(rng.integers(2, 5)), 8.0
    height, half = 3.0 * floors + 0.5, side * depth / 2
    parts = cutout(BUILDING, front(rng, length, height, color, weather), light, x, direction=ALONG)
    if floors < 4:
        slope = [(x, height, 0), (x + half, height + 4, 0), (x + half, height + 4, length), (x, height, length)]
        gable = shape((0, height), (depth, height), (depth / 2, height + 4))
        parts += [Part(np.array([slope]), shade(roof, light), BUILDING)]
        parts += cutout(BUILDING, [(color, 0.85, gable)], x=x, direction=(side, 0.0))
    return parts + cutout(BUILDING, front(rng, depth, height, color, weather), 0.85, x, direction=(side, 0.0))


def plant(rng: np.random.Generator, x: float, z: float, width: float, height: float, stem: float = 0.0) -> list[Part]:
    """A bush or, on a stem, a tree: ragged clumps, the upper ones lighter, with leaves scattered over them."""
    color, stretch, centre = choose(rng, LEAVES), np.array([width / 2, height / 2]), np.array([0, stem + height * 0.4])
    spots = rng.uniform(-0.6, 0.6, (6, 2))
    spots = spots[np.argsort(spots[:, 1])]
    clumps = [ngon(14, 0, 0, 0.52 + 0.06 * rng.standard_normal(14)) + spot for spot in spots]
    leaves = (spots[rng.integers(6, size=40)] + rng.normal(0, 0.24, (40, 2)))[:, None] + ngon(5, 0, 0, 0.07)
    rows = [(color, 0.95 + 0.4 * spot[1], clump * stretch + centre) for spot, clump in zip(spots, clumps, strict=True)]
    trunk = [(BARK, 1.0, shape((-0.2, 0), (0.2, 0), (0.12, stem + 1), (-0.12, stem + 1)))] if stem else []
    scattered = [(color, 0.62, leaves[:18] * stretch + centre), (color, 1.38, leaves[18:] * stretch + centre)]
    return cutout(VEGETATION, trunk + rows, x=x, z=z) + cutout(VEGETATION, scattered, x=x, z=z, within=45)


def trees(rng: np.random.Generator, side: int, length: float) -> list[Part]:
    parts = []
    for z in np.arange(length - 1, 0, -4.0):
        size = rng.uniform(3.2, 5.0)
        parts += plant(rng, side * rng.uniform(2.5, 4), float(z), size * 1.1, size, stem=size * 0.35)
    return parts


def hedge(rng: np.random.Generator, side: int, length: float) -> list[Part]:
    return [p for z in np.arange(length - 0.5, 0, -1.7) for p in plant(rng, side * 1.0, z, 2.4, rng.uniform(1.4, 2.2))]


def fence(rng: np.random.Generator, length: float, light: float) -> list[Part]:
    """Pickets, posts and rails that one sees through; the label is the whole panel."""
    color, height = choose(rng, RAILINGS), float(rng.uniform(1.8, 2.3))
    pickets, posts = np.arange(0, length - 0.1, 0.27), np.arange(0, length, 2.0)
    veil = [(mix(color, (90, 100, 90), 0.5), 1.0, boxes(0, length, 0, height))]
    rails = (color, 0.9, boxes(0, length, np.array([0.25, height - 0.4]), np.array([0.4, height - 0.25])))
    bars = [(color, 1.0, boxes(pickets, pickets + 0.1, 0, height - 0.05)), rails]
    bars.append((color, 1.05, boxes(posts, posts + 0.2, 0, height + 0.05)))
    return cutout(FENCE, veil, light, direction=ALONG, alpha=0.5) + cutout(FENCE, bars, light, direction=ALONG)


def wall(rng: np.random.Generator, length: float, light: float) -> list[Part]:
    """Courses of bricks with joints of mortar, under a cap of stone."""
    color, height = choose(rng, BRICKS), float(rng.uniform(2.1, 2.8))
    courses = np.arange(0.3, height, 0.3)
    across, level = np.meshgrid(np.arange(0, length - 1, 0.8), courses)
    across = across + 0.4 * (np.rint(level / 0.3) % 2)
    mortar = mix(color, WHITE, 0.4)
    joints = [
        (mortar, 1.0, boxes(0, length, courses, courses + 0.05)),
        (mortar, 1.0, boxes(across, across + 0.06, level - 0.3, level)),
    ]
    parts = cutout(WALL, [(color, 1.0, boxes(0, length, 0, height))], light, direction=ALONG)
    parts += cutout(WALL, joints, light, direction=ALONG, within=28)
    return parts + cutout(
        WALL, [((198, 192, 182), 1.0, boxes(0, length, height - 0.12, height + 0.1))], light, direction=ALONG
    )


def lots(rng: np.random.Generator, side: int, edge: float, light: float, weather: Weather) -> list[Thing]:
    """Twelve lots along one side: every second one a house at the sidewalk, between them fences, walls and hedges."""
    cuts = np.arange(13) * PERIOD / 12 + np.array([0, *rng.uniform(-1.2, 1.2, 11), 0])
    start, things = int(rng.integers(6)), []
    for index, (near, far) in enumerate(pairwise(cuts.tolist())):
        kind, length = ("", "wall", "fence", "hedge", "wall", "fence")[(index + start) % 6], far - near
        behind = (
            house(rng, side, side * 4.0, length, light, weather) if rng.random() < 0.6 else trees(rng, side, length)
        )
        if kind == "":
            parts = house(rng, side, side * 0.2, length, light, weather)
        elif kind == "hedge":
            parts = behind + hedge(rng, side, length)
        else:
            parts = behind + (fence if kind == "fence" else wall)(rng, length, light)
        things.append(Thing([Figure(parts)], edge, near, length))
    return things


# What stands and moves on the street


def lamp(side: int, weather: Weather) -> list[Part]:
    arm, light = -side * 1.7, (255, 232, 170) if weather.lit > 0.2 else (206, 210, 212)
    return cutout(POLE, [
        (STEEL, 1.0, shape((-0.1, 0), (0.1, 0), (0.07, 6.6), (-0.07, 6.6))),
        (STEEL, 0.75, boxes(-0.18, 0.18, 0, 0.9)),
        (STEEL, 1.0, shape((0, 6.3), (arm, 6.9), (arm, 7.05), (0, 6.6))),
        (light, 1.1, boxes(arm - 0.4, arm + 0.4, 6.75, 7.0)),
    ])  # fmt: skip


def sign(rng: np.random.Generator) -> list[Part]:
    """One or two plates on a post."""
    kinds = rng.permutation(len(PLATES))[: int(rng.integers(1, 3))]
    parts = cutout(POLE, [(STEEL, 1.0, boxes(-0.07, 0.07, 0, 2.1 + 0.9 * len(kinds)))])
    for y, kind in zip((2.5, 3.4), kinds, strict=False):
        corners, turn, rim, face, symbol = PLATES[kind]
        mark = boxes(-0.24, 0.24, y - 0.07, y + 0.07) if rng.random() < 0.5 else boxes(-0.07, 0.07, y - 0.22, y + 0.22)
        plate, inner = (ngon(corners, 0, y, radius, turn) for radius in (0.48, 0.35))
        parts += cutout(SIGN, [(rim, 1.0, plate), (face, 1.0, inner), (symbol, 1.0, mark)])
    return parts


def board(rng: np.random.Generator) -> list[Part]:
    """A direction board on two posts, with lines for its lettering."""
    rows = np.array([3.0, 3.35, 3.7])
    lines = boxes(-0.75, rng.uniform(-0.1, 0.3, 3), rows - 0.06, rows + 0.06)
    posts = cutout(POLE, [(STEEL, 1.0, boxes(np.array([-0.7, 0.5]), np.array([-0.5, 0.7]), 0, 3.8))])
    face = (BLUE, GREEN)[int(rng.integers(2))]
    outlines = (boxes(-1.0, 1.0, 2.65, 4.05), boxes(-0.93, 0.93, 2.72, 3.98), lines, ngon(3, 0.62, 3.35, 0.24))
    return posts + cutout(SIGN, [(c, 1.0, o) for c, o in zip((WHITE, face, WHITE, WHITE), outlines, strict=True)])


def column(rng: np.random.Generator) -> list[Part]:
    """An advertising column: round by its shading, with posters, under a green cap."""
    rows: list[Row] = []
    for strip, light in enumerate((0.72, 0.98, 1.1, 0.95, 0.7)):
        left = -0.65 + 0.26 * strip
        rows.append(((226, 214, 186), light, boxes(left, left + 0.26, 0, 2.7)))
        rows += [(choose(rng, CLOTHES), light, boxes(left + 0.02, left + 0.25, y, y + 0.9)) for y in (0.5, 1.55)]
    rows.append(((34, 92, 76), 1.0, shape((-0.8, 2.65), (0.8, 2.65), (0.45, 3.0), (0, 3.3), (-0.45, 3.0))))
    return shadow(0.8) + cutout(OTHER, rows)


def litter_bin() -> list[Part]:
    return shadow(0.4) + cutout(OTHER, [
        (ORANGE, 1.0, shape((-0.3, 0), (0.3, 0), (0.38, 1.05), (-0.38, 1.05))),
        (ORANGE, 0.75, boxes(-0.32, -0.12, 0.05, 1.0)),
        ((60, 60, 64), 1.0, shape((-0.42, 1.0), (0.42, 1.0), (0.3, 1.25), (-0.3, 1.25))),
    ])  # fmt: skip


def bench() -> list[Part]:
    legs, planks = np.array([-0.8, 0.7]), np.array([0.38, 0.6, 0.82])
    rows = [
        (BLACK, 1.0, boxes(legs, legs + 0.1, 0, 0.9)),
        ((176, 110, 56), 1.0, boxes(-0.95, 0.95, planks, planks + 0.16)),
    ]
    return shadow(0.9) + cutout(OTHER, rows)


def container(rng: np.random.Generator, side: int) -> list[Part]:
    """A ribbed skip with a lid."""
    color, ribs = choose(rng, ((20, 130, 130), ORANGE)), np.linspace(-0.75, 0.65, 5)
    flank = cutout(OTHER, [(color, 0.65, boxes(0, 1.4, 0.1, 1.5))], x=-side * 0.85, direction=ALONG)
    rows = [(color, 1.0, boxes(-0.85, 0.85, 0.1, 1.5)), (color, 0.75, boxes(ribs, ribs + 0.1, 0.15, 1.25))]
    return shadow(1.0, far=1.5) + flank + cutout(OTHER, [*rows, (color, 1.2, boxes(-0.92, 0.92, 1.3, 1.55))])


def pedestrian(rng: np.random.Generator, stride: float) -> list[Figure]:
    """The poses of one walker: legs and arms swing by up to `stride` metres."""
    coat, trousers, skin, hair = (choose(rng, colors) for colors in (CLOTHES, CLOTHES[:4], SKINS, HAIRS))
    size, phase, poses = float(rng.uniform(0.95, 1.12)), rng.uniform(0, 6), []
    chest = shape((-0.2, 0.8), (0.2, 0.8), (0.17, 1.1), (0.23, 1.45), (0, 1.53), (-0.23, 1.45), (-0.17, 1.1))
    for s in stride * np.sin(phase + 2 * np.pi * np.arange(7) / 7):
        rows: list[Row] = [
            (trousers, 0.8, shape((-0.16, 0.88), (0.02, 0.88), (-0.03 - s, 0.05), (-0.17 - s, 0.05))),
            (trousers, 1.0, shape((-0.02, 0.88), (0.16, 0.88), (0.17 + s, 0.05), (0.03 + s, 0.05))),
            (BLACK, 1.0, boxes(np.array([-0.19 - s, s]), np.array([-s, 0.19 + s]), 0, 0.09)),
            (coat, 0.75, shape((-0.25, 1.42), (-0.15, 1.42), (-0.2 + s, 0.82), (-0.31 + s, 0.82))),
            (coat, 0.75, shape((0.15, 1.42), (0.25, 1.42), (0.31 - s, 0.82), (0.2 - s, 0.82))),
            (coat, 1.0, chest),
            (hair, 1.0, ngon(12, 0, 1.69, 0.16)),
            (skin, 1.0, ngon(10, 0, 1.645, 0.13)),
        ]
        rows = [(color, light, size * outline) for color, light, outline in rows]
        poses.append(Figure(shadow(0.35) + cutout(PEDESTRIAN, rows)))
    return poses


def car(rng: np.random.Generator, x: float, oncoming: bool, weather: Weather) -> list[Part]:
    """A car or a van seen from behind, or from the front if it is oncoming."""
    color, van, half, length = choose(rng, PAINTS), rng.random() < 0.25, 0.88, 4.3
    belt, roof, lean = (1.05, 1.95, 0.06) if van else (0.92, 1.48, 0.18)  # the cabin leans inwards from belt to roof
    near, far, flank = 0.9 if oncoming and not van else 0.12, length - 0.5, math.copysign(half, -x)
    top, inset, front_end, rear_end = half * (1 - lean), flank * (1 - lean), near + 2.5 * lean, far - 2.5 * lean
    side = [(flank, belt, near), (flank, belt, far), (inset, roof, rear_end), (inset, roof, front_end)]
    face = [(-half, belt, near), (half, belt, near), (top, roof, front_end), (-top, roof, front_end)]
    tyres, hubs = (
        np.concatenate([ngon(12, axle, 0.36, radius) for axle in (0.85, length - 0.85)]) for radius in (0.36, 0.2)
    )
    parts = shadow(half + 0.15, -0.3, length + 0.3)
    parts += cutout(CAR, [(BLACK, 1.0, boxes(np.array([-0.84, 0.52]), np.array([-0.52, 0.84]), 0, 0.5))], z=0.2)
    rows = [(color, 0.78, boxes(0, length, 0.28, belt)), (BLACK, 1.0, tyres), (STEEL, 1.0, hubs)]
    parts += cutout(CAR, rows, x=flank, direction=ALONG)
    parts.append(floor(CAR, shade(color, 1.15), boxes(-half, half, 0, length), belt))
    parts.append(floor(CAR, shade(color, 1.15), boxes(-top, top, front_end, rear_end), roof))
    for corners, light in ((np.array([side]), 0.85), (np.array([face]), 0.95)):
        middle = corners.mean(1)
        parts.append(Part(corners, shade(color, light), CAR))
        parts.append(Part(middle + (corners - middle) * (0.86, 0.76, 0.86), mix(GLASS, weather.zenith, 0.25), CAR))
    lamps, ends = (255, 250, 220) if oncoming else (220, 24, 22), np.array([-half + 0.03, half - 0.37])
    rows = [
        (color, 1.0, boxes(-half, half, 0.3, belt)),
        ((52, 54, 58), 1.0, boxes(-half, half, 0.26, 0.46)),
        (WHITE, 1.0, boxes(-0.26, 0.26, 0.5, 0.62)),
        (lamps, 1.2 if weather.lit > 0.2 else 1.0, boxes(ends, ends + 0.34, belt - 0.3, belt - 0.1)),
        (BLACK if oncoming else color, 0.9, boxes(-0.42, 0.42, belt - 0.3, belt - 0.14)),
    ]
    return parts + cutout(CAR, rows)


# Layout


def furniture(rng: np.random.Generator, side: int, kerb: float, walk: float, weather: Weather) -> list[Thing]:
    """What stands on one sidewalk, in a fixed order, so that no stretch of the street lacks a class for long."""
    inner, start, things = walk - 0.9, int(rng.integers(10)), []
    makers: tuple[tuple[Callable[[], list[Part]], float], ...] = (  # with metres from the kerb
        (lambda: sign(rng), 0.5),
        (lambda: lamp(side, weather), 0.5),
        (litter_bin, 0.5),
        (lambda: shadow(1.2) + plant(rng, 0, 0, rng.uniform(2.4, 3.0), rng.uniform(2.8, 3.4), 2.9), 0.7),
        (lambda: column(rng), inner),
        (lambda: sign(rng), 0.5),
        (lambda: lamp(side, weather), 0.5),
        (lambda: container(rng, side), inner),
        (lambda: board(rng), 0.8),
        (bench, inner),
    )
    for index, z in enumerate(np.arange(0, PERIOD, 4.0)):
        make, offset = makers[(index + start) % len(makers)]
        things.append(Thing([Figure(make())], kerb + side * offset, float(z + rng.uniform(-1, 1)) % PERIOD))
    return things


def walkers(rng: np.random.Generator, side: int, kerb: float, walk: float, zebra: float) -> list[Thing]:
    """Pedestrians along one sidewalk, and some who reach it over the crossing before the camera is there."""
    things = []
    for z in np.arange(0, PERIOD, 4.8) + rng.uniform(-2, 2, 20):
        pace, x = rng.choice([-1, 1]) * rng.uniform(0.1, 0.16), kerb + side * rng.uniform(1.0, walk - 0.5)
        things.append(Thing(pedestrian(rng, 0.12), float(x), float(z), speed=float(pace)))
    for z in zebra + rng.uniform(0.4, 2.6, 2):
        haste, x = -side * rng.uniform(0.1, 0.17), kerb + side * rng.uniform(0.5, 1.2)
        things.append(Thing(pedestrian(rng, 0.26), float(x), float(z), crossing=float(haste)))
    return things


def lane(rng: np.random.Generator, x: float, speed: float, cars: int, first: float, weather: Weather) -> list[Thing]:
    """Cars in one lane, all as fast on the whole, with room for each to swing; parked ones if they have no speed."""
    surge = 1.4 if speed else 0.0
    places = first + np.arange(cars) * PERIOD / cars
    return [Thing([Figure(car(rng, x, speed <= 0, weather))], x, float(z), 4.3, speed, surge) for z in places]


def markings(left: float, right: float, walk: float, dividers: np.ndarray, zebra: float, paving: Color) -> list[Thing]:
    """Dashed lines, the stripes of the crossing and the joints of the paving."""
    stripes = np.arange(left + 0.7, right - 0.8, 1.0)
    edges = np.array([left - walk, right])
    joint = Figure([floor(SIDEWALK, shade(paving, 0.8), boxes(edges, edges + walk, 0, 0.07), within=30)])
    dash = Figure([floor(ROAD_LINE, WHITE, boxes(dividers - 0.09, dividers + 0.09, 0, DASH / 2))])
    crossing = Figure([floor(ROAD_LINE, WHITE, boxes(stripes, stripes + 0.5, 0, 3))])
    things = [Thing([joint], 0.0, float(z)) for z in np.arange(0, PERIOD, 2.0)]
    things += [Thing([dash], 0.0, float(z), DASH / 2) for z in np.arange(0, PERIOD, DASH)]
    return [*things, Thing([crossing], 0.0, zebra, 3.0)]


def strips(rng: np.random.Generator, left: float, right: float, walk: float, paving: Color) -> Figure:
    """Grass, sidewalks with kerbs, the road and its edge lines, in bands of depth so that the haze grows smoothly."""
    grey, grass, kerb = float(rng.uniform(78, 112)), choose(rng, ((92, 118, 58),)), mix(paving, WHITE, 0.45)
    across: list[tuple[int, Color, object, object]] = [
        (VEGETATION, grass, -90, 90),
        (SIDEWALK, paving, left - walk, right + walk),
        (SIDEWALK, kerb, left - 0.18, right + 0.18),
        (ROAD, (grey, grey, grey + 4), left, right),
        (ROAD_LINE, WHITE, np.array([left + 0.2, right - 0.36]), np.array([left + 0.36, right - 0.2])),
    ]
    bands = list(pairwise(np.geomspace(NEAR, 600, 18)))
    return Figure([floor(label, color, boxes(a, b, near, far)) for near, far in bands for label, color, a, b in across])


@lru_cache(maxsize=4)
def lay_street(seed: int, video: int) -> Street:
    """The layout of one video."""
    rng = np.random.default_rng([seed, video])
    preset = WEATHERS[video % len(WEATHERS)]
    weather = replace(
        preset, zenith=choose(rng, [preset.zenith]), visibility=preset.visibility * rng.uniform(0.8, 1.25)
    )
    speed, walk, zebra = float(rng.uniform(0.7, 1.1)), float(rng.uniform(2.8, 3.6)), float(rng.uniform(18, 40))
    lanes, parking, sunny_side = int(rng.integers(1, 3)), bool(rng.random() < 0.5), int(rng.choice([-1, 1]))
    left, right = -(lanes + 0.5) * LANE - 0.4 - 2.1 * parking, LANE / 2 + float(rng.uniform(0.4, 0.8))
    paving = choose(rng, ((176, 170, 162), (164, 160, 160), (184, 168, 150)))
    edging, things = [], lane(rng, 0.0, speed, 3, float(rng.uniform(9, 13)), weather)
    for number in range(1, lanes + 1):
        pace = -rng.uniform(0.6, 1.0) if number == lanes else speed * rng.uniform(1.05, 1.2)
        things += lane(rng, -number * LANE, float(pace), 4, float(rng.uniform(0, 20)), weather)
    if parking:
        things += lane(rng, left + 1.15, 0.0, 8, float(rng.uniform(0, 8)), weather)
    for side, kerb in ((-1, left), (1, right)):
        light = 1 + weather.sun * (0.25 if side == sunny_side else -0.6)
        edging += lots(rng, side, kerb + side * walk, light, weather)
        things += furniture(rng, side, kerb, walk, weather) + walkers(rng, side, kerb, walk, zebra)
    painted = markings(left, right, walk, -LANE * (np.arange(lanes) + 0.5), zebra, paving)
    eye, horizon = float(rng.uniform(1.45, 1.9)), float(rng.uniform(0.43, 0.49))
    layers = (tuple(painted), tuple(edging), tuple(things))
    return Street(weather, speed, eye, horizon, strips(rng, left, right, walk, paving), layers, grain(rng))


def grain(rng: np.random.Generator) -> np.ndarray:
    """The texture of asphalt, with patches."""
    size = GRAIN_TILE * GRAIN_PER_METRE
    texture = 0.6 * rng.standard_normal((size, size), dtype=np.float32)
    texture += 0.5 * soft_noise(rng, (size, size), (20, 20), 3)
    for left, top in rng.integers(0, size - 80, (6, 2)):
        texture[top : top + int(rng.integers(20, 80)), left : left + int(rng.integers(10, 25))] -= 1.0
    return texture


# Pictures


def sky(rng: np.random.Generator, weather: Weather, size: Size) -> np.ndarray:
    """A gradient from zenith to horizon, clouds, and the sun where it shines."""
    share = np.linspace(0, 1, size[0])[:, None, None] ** 1.4
    picture = np.asarray(weather.zenith) * (1 - share) + np.asarray(weather.horizon) * share
    clear = weather.sun > 0.2
    cloud = np.clip(soft_noise(rng, size, (3, 4), 5) * 1.3 + (-0.2 if clear else 0.25), 0, 1)[..., None]
    tone = mix(weather.horizon, WHITE, 0.6) if clear else mix(weather.zenith, weather.horizon, 0.75)
    picture = picture + (np.asarray(tone) - picture) * 0.75 * cloud
    if clear:
        rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
        column, row = size[1] * rng.uniform(0.3, 0.7), size[0] * rng.uniform(0.15, 0.5)
        distance = np.hypot(columns - column, rows - row)[..., None] / size[1]
        glow = np.clip(np.exp(-distance / 0.06) * 0.7 + (distance < 0.022), 0, 1)
        picture += (np.array([255, 246, 214]) - picture) * glow
    return picture.clip(0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def backdrop(seed: int, video: int, size: Size) -> View:
    """What a camera sees that is far or the same in every frame: sky, a skyline of houses and trees, the ground."""
    street, rng = lay_street(seed, video), np.random.default_rng([seed, video, 2**31])
    height, width = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    image, labels = np.zeros((height, width, 3), np.uint8), np.full((height, width), VOID, np.uint8)
    view = View(image, labels, 0.62 * width, street.horizon * height, street.eye, street.weather)
    view.image[: round(view.horizon)] = sky(rng, street.weather, (round(view.horizon), width))
    for x in np.arange(-75, 75, 8.0):
        house_front = front(rng, 8.0, 3.0 * int(rng.integers(2, 6)), choose(rng, PLASTER), street.weather)
        if rng.random() < 0.6:
            view.paint(Figure(cutout(BUILDING, house_front, 0.9)), x, FAR + 4)
        view.paint(Figure(plant(rng, x + rng.uniform(-3, 3), FAR, rng.uniform(6, 10), rng.uniform(5, 8))))
    view.paint(street.ground)
    return view


def develop(view: View, street: Street, travelled: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The painted view at its final size, with the ground's texture, the light and rain of the weather, and noise."""
    labels = np.ascontiguousarray(view.labels[::OVERSAMPLING, ::OVERSAMPLING])
    height, width = labels.shape
    image = cv2.resize(view.image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    focal, horizon = view.focal / OVERSAMPLING, view.horizon / OVERSAMPLING
    top = int(horizon) + 1
    z = (focal * view.eye / (np.arange(top, height) - horizon))[:, None].astype(np.float32)
    x = ((np.arange(width) - width / 2) / focal).astype(np.float32) * z
    down = np.broadcast_to(z + np.float32(travelled), x.shape)
    across, down = (axis * GRAIN_PER_METRE % len(street.grain) for axis in (x, down))
    texture = cv2.remap(street.grain, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    image[top:] *= 1 + (texture * GRAIN_OF_CLASS[labels[top:]] * np.exp(-z / 20))[..., None]
    if street.weather.rain:
        mirrored = cv2.blur(image[(top - 1 - np.arange(height - top)).clip(0)], (3, 9))
        wet = np.isin(labels[top:], (ROAD, ROAD_LINE))[..., None] * np.float32(0.3)
        image[top:] += (mirrored - image[top:]) * wet
        image += rain(rng, (height, width))[..., None]
    image *= np.asarray(street.weather.tint, np.float32)
    image += rng.standard_normal(image.shape, dtype=np.float32) * 3.0
    return image.clip(0, 255).astype(np.uint8), labels


def rain(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Slanting streaks `[H, W]` of added light, float32."""
    streaks = np.zeros(size, np.uint8)
    feet = rng.integers(0, size[::-1], (size[1] // 2, 2))
    falls = np.stack([feet, feet + np.array([size[0] // 80, -size[0] // 16])], 1).astype(np.int32)
    return cv2.polylines(streaks, list(falls), False, 255, 1, cv2.LINE_AA) * np.float32(0.1)


def draw_frame(video: int, frame: int, size: Size = (240, 320), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One frame: the RGB image `[H, W, 3]` and the class ids `[H, W]`, both uint8, a pure function of the arguments."""
    street, start = lay_street(seed, video), backdrop(seed, video, size)
    view = replace(start, image=start.image.copy(), labels=start.labels.copy())
    travelled = street.speed * frame
    for layer in street.layers:
        placed = sorted(((*thing.place(frame, travelled), thing) for thing in layer), key=lambda place: -place[1])
        for x, z, thing in placed:
            if z < FAR and z + thing.length > 1.0:
                view.paint(thing.poses[frame % len(thing.poses)], x, z)
    return develop(view, street, travelled, np.random.default_rng([seed, video, frame]))


def draw_demo(
    root: Path,
    videos: int = 10,
    frames: int = 20,
    size: Size = (240, 320),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write `root/Images/Video_000/v000_0000.png` and so on, and the same under `Labels` in the colours of DAVID.

    A `root` that already holds anything is left as it is. The data set is drawn beside `root` and renamed at the end,
    so that an interrupted run leaves nothing; if another process finishes first, its data set stays.
    `progress(drawn, total)` is called after each frame.
    """
    if root.exists() and any(root.iterdir()):
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    palette = np.array([color for _, color in DAVID_CLASSES], np.uint8)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}-", dir=root.parent) as scratch:
        draft = Path(scratch) / root.name
        for video in range(videos):
            folders = [draft / kind / f"Video_{video:03d}" for kind in ("Images", "Labels")]
            for folder in folders:
                folder.mkdir(parents=True)
            for frame in range(frames):
                image, labels = draw_frame(video, frame, size, seed)
                for folder, picture in zip(folders, (image, palette[labels]), strict=True):
                    write_png(folder / f"v{video:03d}_{frame:04d}.png", picture)
                if progress is not None:
                    progress(video * frames + frame + 1, videos * frames)
        try:
            draft.rename(root)
        except OSError:  # not empty any more: another process was quicker
            if not any(root.glob("*")):
                raise


def write_png(path: Path, image: np.ndarray) -> None:
    if not cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise OSError(f"cannot write {path}")
