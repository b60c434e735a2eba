"""The things of a street: houses, trees, fences, lamps, signs, pedestrians, cars."""

import math
from itertools import pairwise

import numpy as np

from segmentation.data.image.layouts.demo.scene import (
    ALONG,
    BARK,
    BLACK,
    BLUE,
    BRICKS,
    BUILDING,
    CAR,
    CLOTHES,
    FENCE,
    GLASS,
    GREEN,
    HAIRS,
    LEAVES,
    ORANGE,
    OTHER,
    PAINTS,
    PEDESTRIAN,
    PERIOD,
    PLASTER,
    PLATES,
    POLE,
    RAILINGS,
    RED,
    ROOFS,
    SIGN,
    SKINS,
    STEEL,
    TIMBER,
    VEGETATION,
    WALL,
    WHITE,
    Color,
    Figure,
    Part,
    Row,
    Thing,
    Weather,
    boxes,
    choose,
    cutout,
    floor,
    mix,
    ngon,
    shade,
    shadow,
    shape,
)


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
        (mix(color, GLASS, 0.35), 1.0, boxes(0, length, [2.7, height - 0.35], [2.95, height + 0.1])),
    ]


def house(rng: np.random.Generator, side: int, x: float, length: float, light: float, weather: Weather) -> list[Part]:
    """A house of 2 to 4 floors: the front along the street, the end towards the camera, a roof on the lower ones."""
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
    """A row of trees, far ones first."""
    parts = []
    for z in np.arange(length - 1, 0, -4.0):
        size = rng.uniform(3.2, 5.0)
        parts += plant(rng, side * rng.uniform(2.5, 4), float(z), size * 1.1, size, stem=size * 0.35)
    return parts


def hedge(rng: np.random.Generator, side: int, length: float) -> list[Part]:
    """A row of bushes, far ones first."""
    rows = np.arange(length - 0.5, 0, -1.7)
    return [part for z in rows for part in plant(rng, side * 1.0, float(z), 2.4, rng.uniform(1.4, 2.2))]


def fence(rng: np.random.Generator, length: float, light: float) -> list[Part]:
    """Pickets, posts and rails that one sees through; the label is the whole panel."""
    color, height = choose(rng, RAILINGS), float(rng.uniform(2.0, 2.4))
    pickets, posts = np.arange(0, length - 0.1, 0.27), np.arange(0, length, 2.0)
    veil = [(mix(color, (90, 100, 90), 0.5), 1.0, boxes(0, length, 0, height))]
    bars = [
        (color, 1.0, boxes(pickets, pickets + 0.1, 0, height - 0.05)),
        (color, 0.9, boxes(0, length, [0.25, height - 0.4], [0.4, height - 0.25])),
        (color, 1.05, boxes(posts, posts + 0.2, 0, height + 0.05)),
    ]
    return cutout(FENCE, veil, light, direction=ALONG, alpha=0.5) + cutout(FENCE, bars, light, direction=ALONG)


def wall(rng: np.random.Generator, length: float, light: float) -> list[Part]:
    """Courses of bricks with joints of mortar, under a cap of stone."""
    color, height = choose(rng, BRICKS), float(rng.uniform(1.9, 2.5))
    courses = np.arange(0.3, height, 0.3)
    across, level = np.meshgrid(np.arange(0, length - 1, 0.8), courses)
    across = across + 0.4 * (np.rint(level / 0.3) % 2)
    mortar, stone = mix(color, WHITE, 0.4), (198, 192, 182)
    joints = [
        (mortar, 1.0, boxes(0, length, courses, courses + 0.05)),
        (mortar, 1.0, boxes(across, across + 0.06, level - 0.3, level)),
    ]
    parts = cutout(WALL, [(color, 1.0, boxes(0, length, 0, height))], light, direction=ALONG)
    parts += cutout(WALL, joints, light, direction=ALONG, within=28)
    return parts + cutout(WALL, [(stone, 1.0, boxes(0, length, height - 0.12, height + 0.1))], light, direction=ALONG)


def lots(rng: np.random.Generator, side: int, edge: float, light: float, weather: Weather) -> list[Thing]:
    """Ten lots along one side: walls and fences in turn, and every fifth time a house or a hedge at the sidewalk."""
    cuts = np.arange(11) * PERIOD / 10 + np.array([0, *rng.uniform(-1.2, 1.2, 9), 0])
    start, things = int(rng.integers(5)), []
    for index, (near, far) in enumerate(pairwise(cuts.tolist())):
        kind, length = (index + start) % 5, far - near
        if kind == 0 and rng.random() < 0.65:
            parts = house(rng, side, side * 0.2, length, light, weather)
        else:
            built = rng.random() < 0.6
            parts = house(rng, side, side * 4.0, length, light, weather) if built else trees(rng, side, length)
            parts += hedge(rng, side, length) if kind == 0 else (wall, fence)[kind % 2](rng, length, light)
        things.append(Thing([Figure(parts)], edge, near, length))
    return things


# What stands and moves on the street


def lamp(side: int, weather: Weather) -> list[Part]:
    """A lamp post with an arm over the road."""
    arm, light = -side * 1.7, (255, 232, 170) if weather.lit > 0.2 else (206, 210, 212)
    rows: list[Row] = [
        (STEEL, 1.0, shape((-0.09, 0), (0.09, 0), (0.07, 6.6), (-0.07, 6.6))),
        (STEEL, 0.75, boxes(-0.15, 0.15, 0, 0.9)),
        (STEEL, 1.0, shape((0, 6.3), (arm, 6.9), (arm, 7.05), (0, 6.6))),
        (light, 1.1, boxes(arm - 0.4, arm + 0.4, 6.75, 7.0)),
    ]
    return cutout(POLE, rows)


def sign(rng: np.random.Generator) -> list[Part]:
    """One or two plates on a post."""
    kinds = rng.permutation(len(PLATES))[: int(rng.integers(1, 3))]
    parts = cutout(POLE, [(STEEL, 1.0, boxes(-0.06, 0.06, 0, 2.1 + 0.9 * len(kinds)))])
    for y, kind in zip((2.5, 3.4), kinds, strict=False):
        corners, turn, rim, face, symbol = PLATES[kind]
        mark = boxes(-0.24, 0.24, y - 0.07, y + 0.07) if rng.random() < 0.5 else boxes(-0.07, 0.07, y - 0.22, y + 0.22)
        plate, inner = (ngon(corners, 0, y, radius, turn) for radius in (0.44, 0.32))
        parts += cutout(SIGN, [(rim, 1.0, plate), (face, 1.0, inner), (symbol, 1.0, mark)])
    return parts


def board(rng: np.random.Generator) -> list[Part]:
    """A direction board on two posts, with lines for its lettering."""
    rows = np.array([3.03, 3.33, 3.63])
    lines = boxes(-0.66, rng.uniform(-0.1, 0.25, 3), rows - 0.06, rows + 0.06)
    posts = cutout(POLE, [(STEEL, 1.0, boxes([-0.65, 0.5], [-0.5, 0.65], 0, 3.8))])
    face = (BLUE, GREEN)[int(rng.integers(2))]
    outlines = (boxes(-0.85, 0.85, 2.75, 3.9), boxes(-0.78, 0.78, 2.82, 3.83), lines, ngon(3, 0.54, 3.33, 0.2))
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
    """An orange bin with a dark lid."""
    rows: list[Row] = [
        (ORANGE, 1.0, shape((-0.3, 0), (0.3, 0), (0.38, 1.05), (-0.38, 1.05))),
        (ORANGE, 0.75, boxes(-0.3, -0.12, 0.05, 1.0)),
        (BLACK, 2.3, shape((-0.42, 1.0), (0.42, 1.0), (0.3, 1.25), (-0.3, 1.25))),
    ]
    return shadow(0.4) + cutout(OTHER, rows)


def bench() -> list[Part]:
    """A bench of brown planks."""
    legs, planks = boxes([-0.8, 0.7], [-0.7, 0.8], 0, 0.9), boxes(-0.95, 0.95, [0.38, 0.6, 0.82], [0.54, 0.76, 0.98])
    return shadow(0.9) + cutout(OTHER, [(BLACK, 1.0, legs), (TIMBER, 1.0, planks)])


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
            (BLACK, 1.0, boxes([-0.19 - s, s], [-s, 0.19 + s], 0, 0.09)),
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
    parts += cutout(CAR, [(BLACK, 1.0, boxes([-0.84, 0.52], [-0.52, 0.84], 0, 0.5))], z=0.2)
    rows = [(color, 0.78, boxes(0, length, 0.28, belt)), (BLACK, 1.0, tyres), (STEEL, 1.0, hubs)]
    parts += cutout(CAR, rows, x=flank, direction=ALONG)
    parts.append(floor(CAR, shade(color, 1.15), boxes(-half, half, 0, length), belt))
    parts.append(floor(CAR, shade(color, 1.15), boxes(-top, top, front_end, rear_end), roof))
    for corners, light in ((np.array([side]), 0.85), (np.array([face]), 0.95)):
        middle = corners.mean(1)
        parts.append(Part(corners, shade(color, light), CAR))
        parts.append(Part(middle + (corners - middle) * (0.86, 0.76, 0.86), mix(GLASS, weather.zenith, 0.25), CAR))
    lamps, ends = (255, 250, 220) if oncoming else RED, np.array([-half + 0.03, half - 0.37])
    rows = [
        (color, 1.0, boxes(-half, half, 0.3, belt)),
        ((52, 54, 58), 1.0, boxes(-half, half, 0.26, 0.46)),
        (WHITE, 1.0, boxes(-0.26, 0.26, 0.5, 0.62)),
        (lamps, 1.2 if weather.lit > 0.2 else 1.0, boxes(ends, ends + 0.34, belt - 0.3, belt - 0.1)),
        (BLACK if oncoming else color, 0.9, boxes(-0.42, 0.42, belt - 0.3, belt - 0.14)),
    ]
    return parts + cutout(CAR, rows)
