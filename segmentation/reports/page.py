"""A page of tables, bars and pictures in one HTML file that needs nothing else: no network, no scripts."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import cv2
import jinja2
import numpy as np

JPEG_QUALITY = 88


@dataclass(frozen=True)
class Text:
    """A paragraph; `badge` is a word before it: fault, warning and note have colours."""

    kind: ClassVar[str] = "text"
    text: str
    badge: str = ""


@dataclass(frozen=True)
class Listing:
    """One line each, the first `most` in sight and the others to unfold."""

    kind: ClassVar[str] = "listing"
    lines: Sequence[str]
    most: int = 5


@dataclass(frozen=True)
class Table:
    """The first column to the left, the others to the right."""

    kind: ClassVar[str] = "table"
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Bars:
    """Horizontal bars: `rows` holds a label and, by series, a value of at least 0 with the text that tells it.

    `colors` gives a label a swatch (RGB).
    """

    kind: ClassVar[str] = "bars"
    rows: Sequence[tuple[str, Mapping[str, tuple[float, str]]]]
    colors: Mapping[str, tuple[int, int, int]] | None = None

    @cached_property
    def series(self) -> list[str]:
        return list(dict.fromkeys(name for _, values in self.rows for name in values))

    @cached_property
    def most(self) -> float:
        return max((value for _, values in self.rows for value, _ in values.values()), default=0) or 1


@dataclass(frozen=True)
class Pictures:
    """RGB pictures `[h, w, 3]` uint8 with what stands below each."""

    kind: ClassVar[str] = "pictures"
    pictures: Sequence[tuple[str, np.ndarray]]

    def embedded(self) -> list[tuple[str, str]]:
        return [(caption, data_uri(picture)) for caption, picture in self.pictures]


Block = Text | Listing | Table | Bars | Pictures


@dataclass(frozen=True)
class Section:
    title: str
    blocks: Sequence[Block]


def page(title: str, sections: Sequence[Section]) -> str:
    """The HTML text; whatever is told in it is escaped."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("page.html.j2").render(title=title, sections=sections)


def data_uri(picture: np.ndarray) -> str:
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return "data:image/jpeg;base64," + b64encode(encoded.tobytes()).decode()
