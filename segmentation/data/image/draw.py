"""Pictures of samples: image, truth, prediction and errors side by side, with a legend."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segmentation.classes import Classes, Color
from segmentation.data.batch import Batch
from segmentation.outputs import Outputs, at_size_of, labels_from

BACKGROUND: Color = (250, 250, 250)
INK: Color = (30, 30, 30)
IGNORED: Color = (255, 255, 255)
WRONG: Color = (230, 30, 30)
MARGIN = 8
TEXT_SIZE = 15
PANEL_WIDTH = 400


class ImageDrawing:
    """Draws the samples of a batch; `classes` gives the colours and the legend."""

    def __init__(self, classes: Classes) -> None:
        self.classes = classes

    def __call__(self, batch: Batch, outputs: Outputs | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """(key, RGB picture `[h, w, 3]` uint8) of each sample; without `outputs` the truth alone is shown."""
        labels = None if outputs is None else labels_from(at_size_of(outputs, batch.target)).cpu().numpy()
        images = batch.inputs.permute(0, 2, 3, 1).cpu().numpy()
        targets = batch.target.cpu().numpy()
        for index, key in enumerate(batch.keys):
            yield key, self._sample(images[index], targets[index], None if labels is None else labels[index])

    def _sample(self, image: np.ndarray, target: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        if image.shape[:2] != target.shape:
            image = cv2.resize(image, target.shape[::-1], interpolation=cv2.INTER_LINEAR)
        truth = self.classes.paint(target, IGNORED)
        panels = [("image", image), ("truth", truth)]
        if labels is None:
            panels.append(("truth over image", cv2.addWeighted(image, 0.5, truth, 0.5, 0)))
        else:
            panels.append(("prediction", self.classes.paint(labels)))
            panels.append((f"errors ({self._error_share(labels, target):.1%})", self._errors(image, target, labels)))
        present = np.union1d(target, target if labels is None else labels)
        return _side_by_side(panels, self._legend(present, with_errors=labels is not None))

    def _wrong(self, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
        return (labels != target) & (target != self.classes.ignore_index)

    def _error_share(self, labels: np.ndarray, target: np.ndarray) -> float:
        return float(self._wrong(labels, target).sum() / max((target != self.classes.ignore_index).sum(), 1))

    def _errors(self, image: np.ndarray, target: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The image in pale grey, wrong pixels in red, ignored ones in white."""
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        picture = cv2.addWeighted(grey, 0.5, np.full_like(grey, 255), 0.35, 0)
        picture[target == self.classes.ignore_index] = IGNORED
        picture[self._wrong(labels, target)] = WRONG
        return picture

    def _legend(self, present: np.ndarray, with_errors: bool) -> list[tuple[str, Color]]:
        entries = [(self.classes.names[i], self.classes.colors[i]) for i in present if i < len(self.classes)]
        if self.classes.ignore_index in present:
            entries.append(("ignored", IGNORED))
        return [*entries, ("wrong", WRONG)] if with_errors else entries


def _side_by_side(panels: Sequence[tuple[str, np.ndarray]], legend: Sequence[tuple[str, Color]]) -> np.ndarray:
    height, width = panels[0][1].shape[:2]
    size = (PANEL_WIDTH, max(round(height * PANEL_WIDTH / width), 1))
    font = ImageFont.load_default(TEXT_SIZE)
    total = MARGIN + (size[0] + MARGIN) * len(panels)
    rows = _flow(legend, total - 2 * MARGIN, font)
    line = TEXT_SIZE + MARGIN
    canvas = Image.new("RGB", (total, line + size[1] + MARGIN + line * len(rows) + MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    for index, (title, panel) in enumerate(panels):
        left = MARGIN + index * (size[0] + MARGIN)
        draw.text((left, 3), title, fill=INK, font=font)
        canvas.paste(Image.fromarray(panel).resize(size, Image.Resampling.NEAREST), (left, line))
    for row, entries in enumerate(rows):
        top = line + size[1] + MARGIN + row * line
        for left, name, color in entries:
            box = (MARGIN + left, top + 2, MARGIN + left + TEXT_SIZE, top + 2 + TEXT_SIZE)
            draw.rectangle(box, fill=color, outline=INK)
            draw.text((box[2] + 5, top), name, fill=INK, font=font)
    return np.asarray(canvas)


def _flow(
    legend: Sequence[tuple[str, Color]], width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> list[list[tuple[int, str, Color]]]:
    """Legend entries with their left edges, as many in a row as fit into `width` pixels."""
    rows: list[list[tuple[int, str, Color]]] = [[]]
    left = 0
    for name, color in legend:
        needed = TEXT_SIZE + 5 + round(font.getlength(name)) + 2 * MARGIN
        if left + needed > width and rows[-1]:
            rows.append([])
            left = 0
        rows[-1].append((left, name, color))
        left += needed
    return rows
