"""The layout of one video: what stands where along the street, and what moves."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from segmentation.data.image.layouts.demo.figures import (
    bench,
    board,
    car,
    column,
    container,
    lamp,
    litter_bin,
    lots,
    pedestrian,
    plant,
    sign,
)
from segmentation.data.image.layouts.demo.scene import (
    DASH,
    GRAIN_PER_METRE,
    GRAIN_TILE,
    LANE,
    NEAR,
    PERIOD,
    ROAD,
    ROAD_LINE,
    SIDEWALK,
    VEGETATION,
    WEATHERS,
    WHITE,
    Color,
    Figure,
    Part,
    Street,
    Thing,
    Weather,
    boxes,
    choose,
    floor,
    mix,
    shade,
    shadow,
    soft_noise,
)


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


def walkers(rng: np.random.Generator, side: int, kerbs: tuple[float, float], walk: float, zebra: float) -> list[Thing]:
    """Pedestrians along one sidewalk, and some who reach it over the crossing before the camera is there."""
    things, kerb, breadth = [], max(side * x for x in kerbs) * side, kerbs[1] - kerbs[0] + 1.5
    for z in np.arange(0, PERIOD, 4.8) + rng.uniform(-2, 2, 20):
        pace, x = rng.choice([-1, 1]) * rng.uniform(0.1, 0.16), kerb + side * rng.uniform(1.0, walk - 0.5)
        things.append(Thing(pedestrian(rng, 0.12), float(x), float(z), speed=float(pace)))
    for z in zebra + rng.uniform(0.4, 2.6, 2):
        haste, x = -side * rng.uniform(0.1, 0.17), kerb + side * rng.uniform(0.5, 1.2)
        things.append(Thing(pedestrian(rng, 0.26), float(x), float(z), crossing=float(haste), breadth=breadth))
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
    things += [Thing([dash], 0.0, float(z), DASH / 2) for z in np.arange(0, PERIOD, DASH) if abs(z - zebra) > 3.5]
    return [*things, Thing([crossing], 0.0, zebra, 3.0)]


def strips(rng: np.random.Generator, left: float, right: float, walk: float, paving: Color) -> Figure:
    """Grass, sidewalks with kerbs, the road and its edge lines, in bands of depth so that the haze grows smoothly."""
    grey, grass, kerb = float(rng.uniform(78, 112)), choose(rng, ((92, 118, 58),)), mix(paving, WHITE, 0.45)
    across: list[tuple[int, Color, ArrayLike, ArrayLike]] = [
        (VEGETATION, grass, -90, 90),
        (SIDEWALK, paving, left - walk, right + walk),
        (SIDEWALK, kerb, left - 0.18, right + 0.18),
        (ROAD, (grey, grey, grey + 4), left, right),
        (ROAD_LINE, WHITE, [left + 0.2, right - 0.36], [left + 0.36, right - 0.2]),
    ]
    bands = list(pairwise(np.geomspace(NEAR, 600, 18)))
    return Figure([floor(label, color, boxes(a, b, near, far)) for near, far in bands for label, color, a, b in across])


@lru_cache(maxsize=4)
def lay_street(seed: int, video: int) -> Street:
    """The layout of one video."""
    rng = np.random.default_rng([seed, video])
    preset = WEATHERS[video % len(WEATHERS)]
    clearness = float(rng.uniform(0.8, 1.25))
    weather = replace(preset, zenith=choose(rng, [preset.zenith]), visibility=preset.visibility * clearness)
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
        things += furniture(rng, side, kerb, walk, weather) + walkers(rng, side, (left, right), walk, zebra)
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
