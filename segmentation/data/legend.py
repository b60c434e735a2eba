"""Which colour is which class: a strip to be put below a picture."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segmentation.classes import Classes, Color

BACKGROUND: Color = (250, 250, 250)
INK: Color = (30, 30, 30)
IGNORED: Color = (255, 255, 255)
WRONG: Color = (230, 30, 30)
MARGIN = 8
TEXT_SIZE = 15
Entry = tuple[str, Color]


def entries(classes: Classes, present: np.ndarray, ignored: Color = IGNORED) -> list[Entry]:
    """Of the ids that are `present`, in their order; what is `ignored` last."""
    named = [(classes.names[i], classes.colors[i]) for i in present if i < len(classes)]
    return [*named, ("ignored", ignored)] if classes.ignore_index in present else named


def legend(named: Sequence[Entry], width: int, text_size: int = TEXT_SIZE) -> np.ndarray:
    """RGB `[h, width, 3]` uint8, as high as the entries need in rows of `width` pixels."""
    return _drawn(tuple(named), width, text_size)


@lru_cache(maxsize=32)
def _drawn(named: tuple[Entry, ...], width: int, text_size: int) -> np.ndarray:
    font = ImageFont.load_default(text_size)
    line = text_size + MARGIN
    rows = _flow(named, width - 2 * MARGIN, font, text_size)
    canvas = Image.new("RGB", (width, line * len(rows) + MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    for number, row in enumerate(rows):
        top = number * line
        for left, name, color in row:
            box = (MARGIN + left, top + 2, MARGIN + left + text_size, top + 2 + text_size)
            draw.rectangle(box, fill=color, outline=INK)
            draw.text((box[2] + 5, top), name, fill=INK, font=font)
    return np.asarray(canvas)


def _flow(
    named: Sequence[Entry], width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text_size: int
) -> list[list[tuple[int, str, Color]]]:
    """Entries with their left edges, as many in a row as fit into `width` pixels."""
    rows: list[list[tuple[int, str, Color]]] = [[]]
    left = 0
    for name, color in named:
        needed = text_size + 5 + round(font.getlength(name)) + 2 * MARGIN
        if left + needed > width and rows[-1]:
            rows.append([])
            left = 0
        rows[-1].append((left, name, color))
        left += needed
    return rows
