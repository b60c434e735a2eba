"""Pictures side by side, each with its title, and a legend below."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segmentation.data.legend import BACKGROUND, INK, MARGIN, TEXT_SIZE, Entry, legend

PANEL_WIDTH = 400
TALLEST = 2  # of a panel's height, in widths of a column: higher pictures become narrower
SHORTEST_SIDE = 48  # of a panel
TITLE_WIDTH = 130
Panel = tuple[str, np.ndarray]  # a title and RGB `[h, w, 3]` uint8


def side_by_side(
    panels: Sequence[Panel], named: Sequence[Entry], columns: int | None = None, width: int = PANEL_WIDTH
) -> np.ndarray:
    """In rows of `columns` (None: one row) of up to `width`, each as high as its highest panel, the legend below."""
    columns = columns or len(panels)
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    sizes = [[_panel_size(panel.shape, width) for _, panel in row] for row in rows]
    width = max(TITLE_WIDTH, *(size[0] for row in sizes for size in row))
    heights = [max(size[1] for size in row) for row in sizes]
    font = ImageFont.load_default(TEXT_SIZE)
    total, line = MARGIN + (width + MARGIN) * columns, TEXT_SIZE + MARGIN
    canvas = Image.new("RGB", (total, sum(line + height + MARGIN for height in heights)), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    top = 0
    for row, row_sizes, height in zip(rows, sizes, heights, strict=True):
        for place, ((title, panel), size) in enumerate(zip(row, row_sizes, strict=True)):
            left = MARGIN + place * (width + MARGIN)
            draw.text((left, top + 3), title, fill=INK, font=font)
            canvas.paste(Image.fromarray(panel).resize(size, Image.Resampling.NEAREST), (left, top + line))
        top += line + height + MARGIN
    return np.concatenate([np.asarray(canvas), legend(named, total)])


def _panel_size(shape: tuple[int, ...], width: int) -> tuple[int, int]:
    """(width, height) of the panel of a picture `[h, w, 3]` in a column of this width, slivers are stretched."""
    scale = min(width / shape[1], TALLEST * width / shape[0])
    return max(round(shape[1] * scale), SHORTEST_SIDE), max(round(shape[0] * scale), SHORTEST_SIDE)
