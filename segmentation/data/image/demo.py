"""A drawn data set of street scenes in the DAVID layout, so that training can start without a download.

Each video is a drive along one street, seen through a pinhole camera that looks along +z: x points right, y up; lengths
are metres, speeds metres per frame. The street repeats every `PERIOD` metres, so a video may be of any length. Lots and
things are painted far to near at twice the size, each polygon into the image and the labels alike; then the image is
averaged and the labels are subsampled. The layout of a street depends on (seed, video) only, the look of a thing on its
own seed, the noise of a picture on (seed, video, frame).
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

Color = tuple[float, float, float]
Size = tuple[int, int]  # height, width

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
PERIOD = 120.0  # metres after which the street repeats
NEAR, FAR = 0.5, 104.0  # metres: what is nearer is cut off, what is farther belongs to the backdrop
BEHIND = 16.0  # metres that a long thing may reach back behind the camera
LANE = 3.4  # metres
GRAIN_TILE, GRAIN_PER_METRE = 40, 10
GRAIN_OF_CLASS = np.zeros(len(DAVID_CLASSES), np.float32)
GRAIN_OF_CLASS[[ROAD, ROAD_LINE, SIDEWALK]] = 0.13, 0.08, 0.09

PLASTER = ((214, 186, 142), (196, 120, 92), (168, 172, 178), (226, 214, 190), (150, 164, 180), (184, 150, 128))
ROOFS = ((128, 62, 48), (84, 74, 76), (104, 88, 78))
LEAVES = ((62, 104, 40), (84, 122, 46), (52, 92, 52))
BRICKS = ((150, 84, 68), (172, 160, 144), (128, 92, 80))
RAILINGS = ((44, 62, 54), (232, 232, 224), (122, 84, 54))
PAINTS = ((180, 32, 36), (34, 70, 140), (226, 226, 224), (40, 42, 46), (150, 154, 160), (196, 150, 40), (40, 104, 84))
CLOTHES = ((190, 52, 48), (44, 78, 150), (226, 196, 80), (60, 60, 66), (70, 130, 90), (214, 210, 204), (150, 80, 140))
SKINS = ((238, 190, 156), (224, 168, 130), (176, 120, 86), (120, 80, 58))
HAIRS = ((40, 30, 26), (96, 64, 36), (190, 156, 90), (130, 126, 122))
STEEL, GLASS, TYRE, WHITE = (120, 126, 130), (46, 58, 72), (26, 26, 28), (240, 240, 236)


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
class View:
    """A picture in the making: the camera and what has been painted so far."""

    image: np.ndarray  # [H, W, 3] uint8
    labels: np.ndarray  # [H, W] uint8
    focal: float  # pixels
    horizon: float  # row of the vanishing point; its column is the middle
    eye: float  # metres above the road
    weather: Weather
    sunny_side: int = 1  # the side of the street (-1 left, 1 right) that the sun shines on
    sway: float = 0.0  # metres to the right of the middle of the lane

    def project(self, points: np.ndarray) -> np.ndarray:
        """Metres `[..., 3]` -> pixels `[..., 2]`. Clamping z cuts rightly through whatever runs parallel to z."""
        scale = self.focal / np.maximum(points[..., 2], NEAR)
        columns = self.image.shape[1] / 2 + (points[..., 0] - self.sway) * scale
        return np.rint(np.stack([columns, self.horizon + (self.eye - points[..., 1]) * scale], -1)).astype(np.int32)

    def fill(self, points: np.ndarray, color: Color, label: int | None, light: float = 1.0, alpha: float = 1.0) -> None:
        """Paint one polygon `[N, 3]` or many `[M, N, 3]`, hazier with depth; without a label, into the image only."""
        if not points.size:
            return
        clear = float(np.exp(-np.maximum(points[..., 2], NEAR).mean() / self.weather.visibility))
        rgb = [c * light * clear + h * (1 - clear) for c, h in zip(color, self.weather.horizon, strict=True)]
        outlines = list(np.ascontiguousarray(self.project(points)).reshape(-1, points.shape[-2], 2))
        if alpha == 1:
            cv2.fillPoly(self.image, outlines, rgb)
        else:
            left, top, width, height = cv2.boundingRect(np.concatenate(outlines))
            part = self.image[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
            before = part.copy()
            cv2.fillPoly(self.image, outlines, rgb)
            if part.size:
                part[:] = cv2.addWeighted(part, alpha, before, 1 - alpha, 0)
        if label is not None:
            cv2.fillPoly(self.labels, outlines, label)

    def solid(self, corners: np.ndarray, color: Color, label: int, light: float = 1.0) -> None:
        """Paint the silhouette of a convex body given by its corners `[N, 3]`."""
        self.fill(corners[cv2.convexHull(self.project(corners), returnPoints=False)[:, 0]], color, label, light)

    def light(self, side: int) -> float:
        """Brightness of the fronts on one side of the street."""
        return 1 + self.weather.sun * (0.25 if side == self.sunny_side else -0.6)


@dataclass(frozen=True)
class Thing:
    """Something compact on the street, painted by `draw(view, thing, x, z, frame)`."""

    draw: Callable[[View, "Thing", float, float, int], None]
    x: float
    z: float
    seed: int
    speed: float = 0.0
    length: float = 0.0  # metres that it reaches beyond z
    surge: float = 0.0  # metres that it swings to and fro about its even motion
    crossing: float = 0.0  # metres to the side for each metre that the camera still has to go

    @property
    def side(self) -> int:
        return 1 if self.x > 0 else -1


@dataclass(frozen=True)
class Lot:
    """A stretch of one side of the street: what stands at its edge, and a house or trees behind."""

    side: int  # -1 left, 1 right
    edge: float  # x of the line between sidewalk and lot
    z: float
    length: float
    front: str  # "fence", "wall", "hedge", or "" where the house stands at the edge
    house: bool
    seed: int


@dataclass(frozen=True)
class Street:
    """All that one video shows."""

    weather: Weather
    sunny_side: int
    speed: float  # of the camera
    eye: float
    horizon: float  # share of the height
    kerbs: tuple[float, float]  # x of the left and the right one
    walk: float  # width of a sidewalk
    dividers: tuple[float, ...]  # x of the dashed lines
    zebras: tuple[float, ...]  # z of the crossings
    asphalt: Color
    paving: Color
    grass: Color
    lots: tuple[Lot, ...]
    things: tuple[Thing, ...]
    grain: np.ndarray  # texture of the ground, a square tile of `GRAIN_TILE` metres, float32 around 0


# Shapes, colours and noise


def upright(x: float, z: float, outline: Sequence[tuple[float, float]] | np.ndarray) -> np.ndarray:
    """An outline `[..., 2]` of (right, up), set upright at (x, z) so that it faces the camera."""
    flat = np.asarray(outline, float)
    return np.concatenate([flat + (x, 0.0), np.full((*flat.shape[:-1], 1), z)], -1)


def box(left: float, right: float, bottom: float, top: float) -> list[tuple[float, float]]:
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def ground(left: float, right: float, near: float, far: float) -> np.ndarray:
    return np.array([(left, 0.0, near), (right, 0.0, near), (right, 0.0, far), (left, 0.0, far)])


def ngon(corners: int, x: float, y: float, radius: float | np.ndarray, turn: float = 0.0) -> np.ndarray:
    """A regular polygon `[corners, 2]` with a corner on top; one radius for each corner makes it irregular."""
    angle = turn + 2 * np.pi * np.arange(corners) / corners
    return np.stack([x + radius * np.sin(angle), y + radius * np.cos(angle)], -1)


def panels(start: Sequence[float], along: Sequence[float], spans: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Upright rectangles `[N, 4, 3]`: `spans` `[N, 2]` in metres from `start` along a direction, `heights` `[N, 2]`."""
    points = np.asarray(start) + spans[:, [0, 1, 1, 0], None] * np.asarray(along)
    points[..., 1] = heights[:, [0, 0, 1, 1]]
    return points


def block(left: float, right: float, bottom: float, top: float, near: float, far: float, taper: float = 0) -> np.ndarray:
    """The corners `[8, 3]` of a box whose top is narrower by `taper` at each side, twice that at each end."""
    base = [(x, bottom, z) for x in (left, right) for z in (near, far)]
    return np.array(base + [(x, top, z) for x in (left + taper, right - taper) for z in (near + 2 * taper, far - 3 * taper)])


def mix(first: Color, second: Color, share: float) -> Color:
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def choose(rng: np.random.Generator, colors: Sequence[Color], spread: float = 10.0) -> Color:
    """One of the colours, varied a little."""
    red, green, blue = np.clip(colors[rng.integers(len(colors))] + rng.normal(0, spread, 3), 8, 250).tolist()
    return red, green, blue


def soft_noise(rng: np.random.Generator, shape: Size, cells: Size, octaves: int) -> np.ndarray:
    """Cloudy noise `[H, W]` float32, mostly within -1 to 1: octaves of doubling fineness."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        grid = rng.standard_normal((cells[0] << octave, cells[1] << octave), dtype=np.float32)
        total += cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC) / 2**octave
    return total / 2


# Lots


def draw_front(view: View, rng: np.random.Generator, start: Sequence[float], along: Sequence[float], length: float,
               height: float, color: Color, light: float) -> None:
    """A house front of plaster: a row of shop windows and doors below, rows of windows above."""
    bays, floors = max(1, round(length / 2.9)), max(1, round(height / 3))
    edges = np.linspace(0, length, bays + 1)
    for section in panels(start, along, np.stack([edges[:-1], edges[1:]], -1), np.tile([0.0, height], (bays, 1))):
        view.fill(section, color, BUILDING, light)
    sills = np.tile(np.arange(floors) * 3.0, bays)[:, None]
    middles = np.repeat((edges[:-1] + edges[1:]) / 2, floors)[:, None]
    half = np.where(sills == 0, 1.05, 0.65)
    spans = np.concatenate([middles - half, middles + half], -1)
    heights = np.concatenate([sills + np.where(sills == 0, 0.25, 0.9), sills + 2.5], -1)
    view.fill(panels(start, along, spans, heights), mix(color, WHITE, 0.6), BUILDING, light)
    glass = panels(start, along, spans + (0.13, -0.13), heights + (0.13, -0.13))
    lit = rng.random(len(glass)) < view.weather.lit
    view.fill(glass[~lit], mix(GLASS, view.weather.zenith, 0.2), BUILDING, light)
    view.fill(glass[lit], (255, 216, 140), BUILDING, 1.15)
    trims = np.array([[2.75, 3.0], [height - 0.35, height + 0.1]])
    view.fill(panels(start, along, np.tile([0.0, length], (2, 1)), trims), mix(color, GLASS, 0.35), BUILDING, light)


def draw_house(view: View, rng: np.random.Generator, lot: Lot, x: float, z: float) -> None:
    color, roof = choose(rng, PLASTER), choose(rng, ROOFS)
    floors, depth, end = int(rng.integers(2, 6)), 9.0, z + lot.length
    height, light = 3.0 * floors + 0.5, view.light(lot.side)
    back, middle = x + lot.side * depth, x + lot.side * depth / 2
    if floors < 4:
        top = height + 4.5
        view.fill(np.array([(x, height, z), (middle, top, z), (middle, top, end), (x, height, end)]), roof, BUILDING, light)
        view.fill(np.array([(x, height, z), (back, height, z), (middle, top, z)]), color, BUILDING, 0.85)
    draw_front(view, rng, (x, 0, z), (0, 0, 1), lot.length, height, color, light)
    if z > NEAR:
        draw_front(view, rng, (x, 0, z), (lot.side, 0, 0), depth, height, color, 0.85)


def draw_leaves(view: View, rng: np.random.Generator, x: float, y: float, z: float, width: float, height: float) -> None:
    """A crown or a bush around (x, y): ragged clumps, the upper ones lighter, with leaves scattered over them."""
    color = choose(rng, LEAVES, 8)
    spots = rng.uniform(-0.62, 0.62, (7, 2))
    for right, up in spots[np.argsort(spots[:, 1])]:
        clump = ngon(15, 0, 0, 0.5 + 0.07 * rng.standard_normal(15)) + (right, up)
        view.fill(upright(x, z, clump * (width / 2, height / 2) + (0, y)), color, VEGETATION, 0.95 + 0.4 * up)
    if z < 45:
        leaves = spots[rng.integers(7, size=36)] + rng.normal(0, 0.26, (36, 2))
        for part, light in ((leaves[:16], 0.62), (leaves[16:], 1.38)):
            scattered = part[:, None] + ngon(5, 0, 0, 0.075)
            view.fill(upright(x, z, scattered * (width / 2, height / 2) + (0, y)), color, VEGETATION, light)


def draw_greenery(view: View, rng: np.random.Generator, lot: Lot, z: float, tall: bool) -> None:
    """A row of trees, or of bushes, along the lot, far ones first."""
    for place in np.arange(lot.length - 1, 0, -4.0 if tall else -1.6) + z:
        height = rng.uniform(4.5, 8) if tall else rng.uniform(1.3, 2.1)
        width, x = height * rng.uniform(0.6, 0.8) if tall else 2.2, lot.edge + lot.side * (rng.uniform(2, 4) if tall else 0.9)
        if 1.0 < place < FAR:
            draw_trunk(view, x, place, height * 0.6 if tall else 0)
            draw_leaves(view, rng, x, height * (0.65 if tall else 0.45), place, width, height * (0.8 if tall else 1.1))


def draw_trunk(view: View, x: float, z: float, height: float) -> None:
    view.fill(upright(x, z, [(-0.2, 0), (0.2, 0), (0.12, height), (-0.12, height)]), (86, 68, 52), VEGETATION)


def draw_fence(view: View, rng: np.random.Generator, lot: Lot, z: float) -> None:
    """Pickets and rails that one sees through; the label is the whole panel."""
    color, height, light = choose(rng, RAILINGS, 6), rng.uniform(1.5, 1.9), view.light(lot.side)
    start, along = (lot.edge, 0, z), (0, 0, 1)
    whole = np.array([[0.0, lot.length]])
    view.fill(panels(start, along, whole, np.array([[0.0, height]]))[0], mix(color, (90, 100, 90), 0.5), FENCE, light, 0.45)
    for first in np.arange(0.0, lot.length - 0.1, 2.0):
        feet = np.arange(first, min(first + 2, lot.length) - 0.1, 0.25)
        thickness = np.where(feet == first, 0.2, 0.09)
        tops = np.where(feet == first, height, height - 0.06)
        view.fill(panels(start, along, np.stack([feet, feet + thickness], -1), np.stack([0 * tops, tops], -1)), color, FENCE, light)
    rails = np.array([[0.25, 0.4], [height - 0.4, height - 0.25]])
    view.fill(panels(start, along, np.repeat(whole, 2, 0), rails), color, FENCE, light * 0.9)


def draw_wall(view: View, rng: np.random.Generator, lot: Lot, z: float) -> None:
    """Courses of bricks with joints of mortar under a cap of stone."""
    color, height, light = choose(rng, BRICKS, 6), rng.uniform(1.9, 2.5), view.light(lot.side)
    start, along, mortar = (lot.edge, 0, z), (0, 0, 1), mix(color, WHITE, 0.4)
    levels = np.arange(0, height - 0.1, 0.3)
    for first in np.arange(0.0, lot.length, 3.0):
        last = min(first + 3, lot.length)
        view.fill(panels(start, along, np.array([[first, last]]), np.array([[0.0, height]]))[0], color, WALL, light * rng.uniform(0.93, 1.03))
        if z + first < 40:
            courses = np.stack([levels, levels + 0.05], -1)
            view.fill(panels(start, along, np.tile([first, last], (len(levels), 1)), courses), mortar, WALL, light)
            joints = np.array([(s, y) for i, y in enumerate(levels) for s in np.arange(first + 0.4 * (i % 2), last, 0.8)])
            view.fill(panels(start, along, joints[:, :1] + (0, 0.06), joints[:, 1:] + (0, 0.3)), mortar, WALL, light)
    cap = panels(start, along, np.array([[0.0, lot.length]]), np.array([[height - 0.12, height + 0.1]]))
    view.fill(cap[0], (196, 190, 180), WALL, light)


def draw_lot(view: View, lot: Lot, z: float) -> None:
    rng = np.random.default_rng(lot.seed)
    if lot.house:
        draw_house(view, rng, lot, lot.edge + lot.side * (4.0 if lot.front else 0.2), z)
    else:
        draw_greenery(view, rng, lot, z, tall=True)
    if lot.front == "hedge":
        draw_greenery(view, rng, lot, z, tall=False)
    elif lot.front:
        (draw_fence if lot.front == "fence" else draw_wall)(view, rng, lot, z)


# Things


def shade_below(view: View, left: float, right: float, near: float, far: float) -> None:
    view.fill(ground(left, right, near, far), (14, 16, 24), None, alpha=0.3 + 0.4 * view.weather.sun)


def draw_tree(view: View, thing: Thing, x: float, z: float, frame: int) -> None:
    rng = np.random.default_rng(thing.seed)
    shade_below(view, x - 1.2, x + 1.2, z - 0.5, z + 0.6)
    draw_trunk(view, x, z, 3.2)
    draw_leaves(view, rng, x, 4.3, z, rng.uniform(2.4, 3.2), rng.uniform(3.0, 3.8))


def draw_lamp(view: View, thing: Thing, x: float, z: float, frame: int) -> None:
    thick, arm, side = max(0.11, 1.2 * z / view.focal), 1.7, -thing.side
    view.fill(upright(x, z, [(-thick, 0), (thick, 0), (thick * 0.7, 6.6), (-thick * 0.7, 6.6)]), STEEL, POLE)
    view.fill(upright(x, z, box(-thick * 1.6, thick * 1.6, 0, 0.9)), STEEL, POLE, 0.75)
    view.fill(upright(x, z, [(0, 6.3), (side * arm, 6.9), (side * arm, 6.9 + thick * 1.4), (0, 6.6)]), STEEL, POLE)
    light: Color = (255, 232, 170) if view.weather.lit > 0.2 else (206, 210, 212)
    view.fill(upright(x + side * arm, z, box(-0.4, 0.4, 6.75, 7.0)), light, POLE, 1.1)


SIGNS: tuple[tuple[int, float, Color, Color, Color], ...] = (  # corners, turn, rim, face, symbol
    (20, 0, (214, 22, 30), (248, 246, 242), (30, 30, 34)),
    (3, 0, (214, 22, 30), (250, 206, 40), (30, 30, 34)),
    (8, np.pi / 8, (240, 236, 232), (206, 18, 28), (244, 240, 238)),
    (20, 0, (236, 240, 244), (16, 84, 190), (244, 244, 244)),
    (4, np.pi / 4, (236, 240, 244), (16, 84, 190), (244, 244, 244)),
    (4, 0, (240, 238, 230), (250, 200, 10), (250, 200, 10)),
)


def draw_sign(view: View, thing: Thing, x: float, z: float, frame: int) -> None:
    rng = np.random.default_rng(thing.seed)
    thick = max(0.07, 1.1 * z / view.focal)
    plates = int(rng.integers(1, 3))
    view.fill(upright(x, z, box(-thick, thick, 0, 2.2 + 0.95 * plates)), STEEL, POLE)
    for plate, kind in enumerate(rng.permutation(len(SIGNS))[:plates]):
        corners, turn, rim, face, symbol = SIGNS[kind]
        y, radius = 2.55 + 0.98 * plate, 0.56 if corners == 3 else 0.5
        view.fill(upright(x, z, ngon(corners, 0, y, radius, turn)), rim, SIGN)
        view.fill(upright(x, z, ngon(corners, 0, y, radius * 0.74, turn)), face, SIGN)
        marks = [box(-0.24, 0.24, y - 0.06, y + 0.06), box(-0.06, 0.06, y - 0.2, y + 0.24)]
        view.fill(upright(x, z, marks[int(rng.integers(2))]), symbol, SIGN)


def draw_board(view: View, thing: Thing, x: float, z: float, frame: int) -> None:
    """A large direction board on two posts, with lines for its lettering."""
    rng = np.random.default_rng(thing.seed)
    for post in (-0.8, 0.8):
        view.fill(upright(x + post, z, box(-0.08, 0.08, 0, 4.0)), STEEL, POLE)
    face: Color = ((16, 84, 190), (10, 120, 70))[int(rng.integers(2))]
    view.fill(upright(x, z, box(-1.2, 1.2, 2.6, 4.2)), WHITE, SIGN)
    view.fill(upright(x, z, box(-1.12, 1.12, 2.68, 4.12)), face, SIGN)
    for y in (3.0, 3.4, 3.8):
        view.fill(upright(x, z, box(-0.9, rng.uniform(-0.1, 0.6), y - 0.07, y + 0.07)), WHITE, SIGN)
    view.fill(upright(x, z, ngon(3, 0.85, 3.4, 0.28)), WHITE, SIGN)


def draw_column(view: View, thing: Thing, x: float, z: float, frame: int) -> None:
    """An advertising column with posters under a green cap."""
    rng = np.random.default_rng(thing.seed)
    shade_below(view, x - 0.8, x + 0.8, z - 0.2, z + 0.8)
    for strip, light in enumerate((0.72, 0.98, 1.1, 0.95, 0.7)):
        left = -0.65 + 0.26 * strip
        view.fill(upright(x, z, box(left, left + 0.26, 0, 2.7)), (226, 214, 186), OTHER, light)
        if 0 < strip < 4:
            for y in (0.5, 1.55):
                view.fill(upright(x, z, box(left + 0.02, left + 0.24, y, y + 0.9)), choose(rng, CLOTHES), OTHER, light)
    view.fill(upright(x, z, [(-0.8, 2.65), (0.8, 2.65), (0.45, 3.0), (0, 3.3), (-0.45, 3.0)]), (34, 92, 76), OTHER)


def draw_bin(view: View, thing: Thing, x: float, z: float, frame: int) -> None:
    shade_below(view, x - 0.4, x + 0.4, z - 0.2, z + 0.4)
    view.fill(upright(x, z, [(-0.3, 0), (0.3, 0), (0.38, 1.05), (-0.38, 1.05)]), (238, 122, 24), OTHER)
    view.fill(upright(x, z, box(-0.32, -0.12, 0.05, 1.0)), (238, 122, 24), OTHER, 0.75)
    view.fill(upright(x, z, [(-0.42, 1.0), (0.42, 1.0), (0.3, 1.25), (-0.3, 1.25)]), (60, 60, 64), OTHER)


def draw_bench(view: View, thing: Thing, x: float, z: float, frame: int) -> None:
    for leg in (-0.75, 0.75):
        view.fill(upright(x, z, box(leg - 0.06, leg + 0.06, 0, 0.9)), TYRE, OTHER)
    for y in (0.38, 0.6, 0.8):
        view.fill(upright(x, z, box(-0.95, 0.95, y, y + 0.15)), (168, 104, 52), OTHER, 0.8 + 0.3 * y)


def draw_container(view: View, thing: Thing, x: float, z: float, frame: int) -> None:
    """A ribbed skip with a lid."""
    color = choose(np.random.default_rng(thing.seed), ((20, 130, 130), (238, 122, 24)), 6)
    shade_below(view, x - 1.0, x + 1.0, z - 0.3, z + 1.6)
    view.solid(block(x - 0.85, x + 0.85, 0.1, 1.5, z, z + 1.4), color, OTHER, 0.7)
    view.fill(upright(x, z, box(-0.85, 0.85, 0.1, 1.5)), color, OTHER)
    for rib in np.linspace(-0.75, 0.65, 5):
        view.fill(upright(x, z, box(rib, rib + 0.1, 0.15, 1.25)), color, OTHER, 0.75)
    view.fill(upright(x, z, box(-0.92, 0.92, 1.3, 1.55)), color, OTHER, 1.2)


def draw_pedestrian(view: View, thing: Thing, x: float, z: float, frame: int) -> None:
    rng = np.random.default_rng(thing.seed)
    coat, trousers, skin, hair = (choose(rng, colors, 8) for colors in (CLOTHES, CLOTHES[:4], SKINS, HAIRS))
    size, step = rng.uniform(0.92, 1.08), np.sin(0.9 * frame + rng.uniform(0, 6)) * (0.26 if thing.crossing else 0.12)
    shade_below(view, x - 0.35, x + 0.35, z - 0.15, z + 0.2)
    limbs = [  # colour, brightness, outline
        (trousers, 0.8, [(-0.16, 0.88), (0.02, 0.88), (-0.03 - step, 0.05), (-0.17 - step, 0.05)]),
        (trousers, 1.0, [(-0.02, 0.88), (0.16, 0.88), (0.17 + step, 0.05), (0.03 + step, 0.05)]),
        (TYRE, 1.0, box(-0.19 - step, 0.0 - step, 0, 0.09)),
        (TYRE, 1.0, box(0.0 + step, 0.19 + step, 0, 0.09)),
        (coat, 0.75, [(-0.25, 1.42), (-0.15, 1.42), (-0.2 + step, 0.82), (-0.31 + step, 0.82)]),
        (coat, 0.75, [(0.15, 1.42), (0.25, 1.42), (0.31 - step, 0.82), (0.2 - step, 0.82)]),
        (coat, 1.0, [(-0.2, 0.8), (0.2, 0.8), (0.17, 1.1), (0.23, 1.45), (0.08, 1.52), (-0.08, 1.52), (-0.23, 1.45), (-0.17, 1.1)]),
        (skin, 0.85, box(-0.06, 0.06, 1.46, 1.56)),
        (hair, 1.0, ngon(12, 0, 1.68, 0.155)),
        (skin, 1.0, ngon(10, 0, 1.645, 0.125)),
    ]
    for color, light, outline in limbs:
        view.fill(upright(x, z, np.multiply(outline, size)), color, PEDESTRIAN, light)


def draw_car(view: View, thing: Thing, x: float, z: float, frame: int) -> None:
    """A car seen from behind, or from the front if it comes towards the camera."""
    rng = np.random.default_rng(thing.seed)
    color, van, oncoming = choose(rng, PAINTS), rng.random() < 0.25, thing.speed < 0
    half, roof, belt, end = 0.88, 1.95 if van else 1.48, 1.05 if van else 0.92, z + thing.length
    left, right, inner = x - half, x + half, x - thing.side * half
    shade_below(view, left - 0.15, right + 0.15, z - 0.3, end + 0.3)
    for tyre in (left + 0.2, right - 0.2):
        view.fill(upright(tyre, z + 0.2, box(-0.16, 0.16, 0, 0.5)), TYRE, CAR)
    view.solid(block(left, right, 0.28, belt, z, end), color, CAR, 0.78)
    for axle in (z + 0.85, end - 0.85):
        for radius, tone in ((0.36, TYRE), (0.2, STEEL)):
            wheel = ngon(12, axle, 0.36, radius)
            view.fill(np.stack([np.full(12, inner), wheel[:, 1], wheel[:, 0]], -1), tone, CAR)
    start = z + (0.9 if oncoming and not van else 0.15)
    cabin = block(left, right, belt, roof, start, end - 0.5, 0.06 if van else 0.18)
    view.solid(cabin, color, CAR, 0.9)
    face, flank = cabin[[0, 2, 6, 4]], cabin[[0, 1, 5, 4]] if thing.side > 0 else cabin[[2, 3, 7, 6]]
    for window in (flank, face):
        centre = window.mean(0)
        view.fill(centre + (window - centre) * (0.86, 0.76, 0.86), mix(GLASS, view.weather.zenith, 0.25), CAR)
    view.fill(ground(left, right, z, start) + (0, belt, 0), color, CAR, 1.15)
    view.fill(upright(x, z, box(-half, half, 0.3, belt)), color, CAR)
    view.fill(upright(x, z, box(-half, half, 0.26, 0.46)), (52, 54, 58), CAR)
    view.fill(upright(x, z, box(-0.26, 0.26, 0.5, 0.62)), WHITE, CAR)
    lamp: Color = (255, 250, 220) if oncoming else (220, 24, 22)
    for lamp_at in (-half + 0.2, half - 0.2):
        view.fill(upright(x + lamp_at, z, box(-0.17, 0.17, belt - 0.3, belt - 0.1)), lamp, CAR, 1.2 if view.weather.lit > 0.2 else 1.0)
    if oncoming:
        view.fill(upright(x, z, box(-0.42, 0.42, belt - 0.3, belt - 0.14)), TYRE, CAR)


# Layout


def lay_lots(rng: np.random.Generator, side: int, edge: float) -> list[Lot]:
    """Ten lots along one side; every deck holds each kind, so that no stretch of the street lacks a class for long."""
    deck = [("", True), ("wall", False), ("", True), ("fence", True), ("", True)] * 2
    deck[5:] = [("", True), ("wall", True), ("", True), ("fence", False), ("hedge", False)]
    order = rng.permutation(5)
    cuts = np.arange(11) * PERIOD / 10 + np.concatenate([[0], rng.uniform(-2, 2, 9), [0]])
    kinds = [deck[int(index)] for index in (*order, *(order + 5))]
    return [
        Lot(side, edge, float(near), float(far - near), front, house, int(rng.integers(2**31)))
        for (near, far), (front, house) in zip(pairwise(cuts), kinds, strict=True)
    ]


def lay_things(rng: np.random.Generator, side: int, kerb: float, walk: float) -> list[Thing]:
    """What stands and who walks on one sidewalk."""
    deck = [draw_sign, draw_lamp, draw_bin, draw_sign, draw_tree, draw_column, draw_sign, draw_lamp, draw_container, draw_board, draw_bench]
    places = np.arange(0, PERIOD, PERIOD / 33)
    things = []
    for index, z in enumerate(places):
        draw = deck[index % 11]
        offset = walk - 0.9 if draw in (draw_column, draw_container, draw_bench) else 0.5
        things.append(Thing(draw, kerb + side * offset, float(z + rng.uniform(-1, 1)), int(rng.integers(2**31))))
    for z in np.arange(12) * PERIOD / 12:
        x = kerb + side * rng.uniform(0.9, walk - 0.4)
        pace = float(rng.choice([-1, 1]) * rng.uniform(0.1, 0.16))
        things.append(Thing(draw_pedestrian, x, float(z + rng.uniform(-4, 4)), int(rng.integers(2**31)), speed=pace))
    return things


def lay_lane(rng: np.random.Generator, x: float, speed: float, gap: float, first: float) -> list[Thing]:
    """Cars in one lane, all as fast on the whole, with room for each to swing."""
    count = int(PERIOD // gap)
    surge = 0.0 if speed == 0 else 1.4
    return [
        Thing(draw_car, x, first + index * PERIOD / count, int(rng.integers(2**31)), speed, 4.3, surge)
        for index in range(count)
    ]


@lru_cache(maxsize=4)
def lay_street(seed: int, video: int) -> Street:
    rng = np.random.default_rng([seed, video])
    preset = WEATHERS[video % len(WEATHERS)]
    weather = replace(preset, zenith=choose(rng, [preset.zenith], 7), visibility=preset.visibility * rng.uniform(0.8, 1.25))
    speed, walk, lanes, parking = float(rng.uniform(0.7, 1.1)), float(rng.uniform(2.6, 3.4)), int(rng.integers(1, 3)), rng.random() < 0.6
    kerbs = (-(lanes + 0.5) * LANE - 0.4 - 2.1 * parking, LANE / 2 + float(rng.uniform(0.4, 0.8)))
    things = lay_lane(rng, 0.0, speed, 30, float(rng.uniform(9, 13)))
    for lane in range(1, lanes + 1):
        pace = -float(rng.uniform(0.6, 1.0)) if lane == lanes else speed * float(rng.uniform(1.05, 1.2))
        things += lay_lane(rng, -lane * LANE, pace, 24, float(rng.uniform(0, 20)))
    if parking:
        things += lay_lane(rng, kerbs[0] + 1.15, 0.0, 11, 2.0)
    lots: list[Lot] = []
    for side, kerb in zip((-1, 1), kerbs, strict=True):
        lots += lay_lots(rng, side, kerb + side * walk)
        things += lay_things(rng, side, kerb, walk)
    zebras = tuple((rng.uniform(15, 30) + np.array([0, 60.0])).tolist())
    for zebra in zebras:
        for side in (-1, 1, 1):
            z = zebra + float(rng.uniform(0.5, 2.5))
            things.append(Thing(draw_pedestrian, side * float(rng.uniform(2.6, 3.4)), z, int(rng.integers(2**31)), crossing=-side * float(rng.uniform(0.1, 0.17))))
    size = GRAIN_TILE * GRAIN_PER_METRE
    grain = 0.5 * soft_noise(rng, (size, size), (20, 20), 3) + 0.6 * rng.standard_normal((size, size), dtype=np.float32)
    for left, top in rng.integers(0, size - 80, (6, 2)):
        grain[top : top + int(rng.integers(20, 80)), left : left + int(rng.integers(10, 25))] -= 1.0
    grey = float(rng.uniform(78, 112))
    return Street(
        weather, int(rng.choice([-1, 1])), speed, float(rng.uniform(1.45, 1.9)), float(rng.uniform(0.42, 0.48)), kerbs, walk,
        tuple(-LANE * (lane + 0.5) for lane in range(lanes)), zebras, choose(rng, [(grey, grey, grey + 4)], 4),
        choose(rng, ((176, 170, 162), (164, 160, 160), (184, 168, 150)), 5), choose(rng, ((92, 118, 58),), 8),
        tuple(lots), tuple(things), grain,
    )  # fmt: skip


# Pictures


def draw_backdrop(view: View, rng: np.random.Generator) -> None:
    """Sky, clouds, the sun and a skyline of houses and trees beyond `FAR`."""
    weather, (height, width) = view.weather, view.labels.shape
    rows = round(view.horizon)
    share = np.linspace(0, 1, rows)[:, None, None] ** 1.4
    sky = np.asarray(weather.zenith) * (1 - share) + np.asarray(weather.horizon) * share
    cloud = np.clip(soft_noise(rng, (rows, width), (3, 4), 5) * 1.3 + (0.25 if weather.sun < 0.2 else -0.2), 0, 1)[..., None]
    white = mix(weather.horizon, (255, 255, 255), 0.6) if weather.sun > 0.2 else mix(weather.zenith, weather.horizon, 0.75)
    sky = sky * (1 - 0.75 * cloud) + np.asarray(white) * 0.75 * cloud
    if weather.sun > 0.2:
        y, x = np.mgrid[:rows, :width].astype(np.float32)
        distance = np.hypot(x - width * rng.uniform(0.3, 0.7), y - rows * rng.uniform(0.15, 0.6)) / width
        glow = np.clip(np.exp(-distance / 0.06) * 0.7 + (distance < 0.022), 0, 1)[..., None]
        sky = sky * (1 - glow) + np.array([255.0, 246, 214]) * glow
    view.image[:rows], view.image[rows:] = sky.clip(0, 255), weather.horizon
    for x in np.arange(-95, 95, 9.0):
        if rng.random() < 0.6:
            view.fill(upright(x, FAR + 6, box(-5, 5, 0, rng.uniform(6, 19))), choose(rng, PLASTER), BUILDING, 0.8)
        draw_leaves(view, rng, x + rng.uniform(-3, 3), 2.5, FAR, rng.uniform(7, 13), rng.uniform(5, 9))


@lru_cache(maxsize=4)
def start_view(seed: int, video: int, size: Size) -> View:
    """The camera of one video and its backdrop, which the frames copy."""
    street = lay_street(seed, video)
    height, width = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    image, labels = np.zeros((height, width, 3), np.uint8), np.full((height, width), VOID, np.uint8)
    view = View(image, labels, 0.62 * width, street.horizon * height, street.eye, street.weather, street.sunny_side)
    draw_backdrop(view, np.random.default_rng([seed, video, 2**31]))
    return view


def draw_ground(view: View, street: Street, travelled: float) -> None:
    """Grass, sidewalks with kerbs, the road and its markings."""
    left, right = street.kerbs
    strips: list[tuple[float, float, Color, int]] = [
        (-90, left - street.walk, street.grass, VEGETATION),
        (right + street.walk, 90, street.grass, VEGETATION),
        (left - street.walk, left, street.paving, SIDEWALK),
        (right, right + street.walk, street.paving, SIDEWALK),
        (left - 0.18, left, mix(street.paving, WHITE, 0.45), SIDEWALK),
        (right, right + 0.18, mix(street.paving, WHITE, 0.45), SIDEWALK),
        (left, right, street.asphalt, ROAD),
        (left + 0.2, left + 0.38, WHITE, ROAD_LINE),
        (right - 0.38, right - 0.2, WHITE, ROAD_LINE),
    ]
    for near, far in pairwise(np.geomspace(NEAR, 600, 18)):
        for start, end, color, label in strips:
            view.fill(ground(start, end, near, far), color, label)
    for z in np.arange(1.5 - travelled % 1.5, 36, 1.5):
        for start in (left - street.walk, right):
            view.fill(ground(start, start + street.walk, z, z + 0.06), street.paving, SIDEWALK, 0.8)
    for z in np.arange(FAR - travelled % 6, -6, -6):
        for x in street.dividers:
            view.fill(ground(x - 0.09, x + 0.09, z, z + 3), WHITE, ROAD_LINE)
    for z in (ahead(zebra, travelled) for zebra in street.zebras):
        stripes = np.stack([ground(x, x + 0.5, z, z + 3) for x in np.arange(left + 0.7, right - 0.8, 1.0)])
        view.fill(stripes, WHITE, ROAD_LINE)


def ahead(z: float, travelled: float) -> float:
    """How far ahead of the camera the street's z is, from -BEHIND to PERIOD - BEHIND."""
    return (z - travelled + BEHIND) % PERIOD - BEHIND


def draw_things(view: View, street: Street, travelled: float, frame: int) -> None:
    placed = []
    for thing in street.things:
        swing = thing.surge * float(np.sin(frame / 6 + thing.seed % 6))
        z = ahead(thing.z + thing.speed * frame + swing, travelled)
        x = thing.x
        if thing.crossing:
            x = float(np.clip(x + thing.crossing * z, street.kerbs[0] - 1, street.kerbs[1] + 1))
        if 1.2 < z + thing.length and z < FAR:
            placed.append((z, x, thing))
    for z, x, thing in sorted(placed, key=lambda place: -place[0]):
        thing.draw(view, thing, x, z, frame)


def develop(view: View, street: Street, travelled: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The painted view at its final size, with the ground's texture, the light and rain of the weather, and noise."""
    labels = np.ascontiguousarray(view.labels[::OVERSAMPLING, ::OVERSAMPLING])
    height, width = labels.shape
    image = cv2.resize(view.image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    focal, horizon = view.focal / OVERSAMPLING, view.horizon / OVERSAMPLING
    top = int(horizon) + 1
    z = (focal * view.eye / (np.arange(top, height) - horizon))[:, None]
    x = (np.arange(width) - width / 2) * z / focal + view.sway
    tile = [(axis * GRAIN_PER_METRE % len(street.grain)).astype(np.float32) for axis in (x, z + travelled + 0 * x)]
    grain = cv2.remap(street.grain, tile[0], tile[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    image[top:] *= 1 + (grain * GRAIN_OF_CLASS[labels[top:]] * np.exp(-z / 20))[..., None].astype(np.float32)
    if street.weather.rain:
        mirrored = image[top - 1 - np.arange(height - top).clip(0, top - 1)]
        wet = 0.3 * np.isin(labels[top:], (ROAD, ROAD_LINE)).astype(np.float32)[..., None]
        image[top:] += (cv2.blur(mirrored, (3, 9)) - image[top:]) * wet
        image = draw_rain(image, rng)
    image *= np.asarray(street.weather.tint, np.float32)
    image += rng.standard_normal(image.shape, dtype=np.float32) * 3.0
    return image.clip(0, 255).astype(np.uint8), labels


def draw_rain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    streaks = np.zeros((height, width), np.uint8)
    feet = rng.integers(0, (width, height), (width // 2, 2))
    falls = np.stack([feet, feet + (height // 80, -height // 16)], 1).astype(np.int32)
    cv2.polylines(streaks, list(falls), False, 255, 1, cv2.LINE_AA)
    return image + streaks[..., None] * np.float32(0.1)


def draw_frame(video: int, frame: int, size: Size = (240, 320), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One frame: the RGB image `[H, W, 3]` and the class ids `[H, W]`, both uint8, a pure function of the arguments."""
    rng = np.random.default_rng([seed, video, frame])
    street, start = lay_street(seed, video), start_view(seed, video, size)
    travelled, sway = street.speed * frame, 0.15 * float(np.sin(frame / 9 + video))
    view = replace(start, image=start.image.copy(), labels=start.labels.copy(), sway=sway)
    draw_ground(view, street, travelled)
    for z, lot in sorted(((ahead(lot.z, travelled), lot) for lot in street.lots), key=lambda place: -place[0]):
        if z < FAR and z + lot.length > NEAR:
            draw_lot(view, lot, z)
    draw_things(view, street, travelled, frame)
    return develop(view, street, travelled, rng)


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
            name = f"Video_{video:03d}"
            for kind in ("Images", "Labels"):
                (draft / kind / name).mkdir(parents=True)
            for frame in range(frames):
                image, labels = draw_frame(video, frame, size, seed)
                write_png(draft / "Images" / name / f"v{video:03d}_{frame:04d}.png", image)
                write_png(draft / "Labels" / name / f"v{video:03d}_{frame:04d}.png", palette[labels])
                if progress is not None:
                    progress(video * frames + frame + 1, videos * frames)
        try:
            draft.rename(root)
        except OSError:
            if not any(root.glob("*")):
                raise


def write_png(path: Path, image: np.ndarray) -> None:
    if not cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise OSError(f"cannot write {path}")
