"""Frames of a drive along a street: a pure function of seed, video and frame."""

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np

from segmentation.data.image.layouts.demo.figures import front, plant
from segmentation.data.image.layouts.demo.scene import (
    BUILDING,
    FAR,
    GRAIN_OF_CLASS,
    GRAIN_PER_METRE,
    OVERSAMPLING,
    PLASTER,
    ROAD,
    ROAD_LINE,
    VOID,
    WHITE,
    Figure,
    Size,
    Street,
    View,
    Weather,
    choose,
    cutout,
    mix,
    soft_noise,
)
from segmentation.data.image.layouts.demo.street import lay_street


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
    street, start = lay_street(seed, video), backdrop(seed, video, (size[0], size[1]))
    view = replace(start, image=start.image.copy(), labels=start.labels.copy())
    travelled = street.speed * frame
    for layer in street.layers:
        placed = sorted(((*thing.place(frame, travelled), thing) for thing in layer), key=lambda place: -place[1])
        for x, z, thing in placed:
            if z < FAR and z + thing.length > 1.0:
                view.paint(thing.poses[frame % len(thing.poses)], x, z)
    return develop(view, street, travelled, np.random.default_rng([seed, video, frame]))
