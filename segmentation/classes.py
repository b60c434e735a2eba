"""What a class list is, everywhere: names, colours and the value that means "nothing to learn here"."""

import colorsys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from segmentation.errors import UserError

Color = tuple[int, int, int]
LARGEST_ID = 255  # of the 8 bits of a mask: ids of classes and, above them, of what is ignored


@dataclass(frozen=True)
class Classes:
    """Class i is called `names[i]` and drawn in `colors[i]` (RGB, 0-255).

    Pixels of value `ignore_index` take part in no loss and no metric. Raises `UserError` for repeated names or
    colours, colours outside 0-255 and an ignore index that is also a class.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]
    ignore_index: int = 255

    def __post_init__(self) -> None:
        if not self.names:
            raise UserError("the class list is empty: name at least one class under dataset.classes")
        if len(self.colors) != len(self.names):
            raise UserError(f"{len(self.names)} class names but {len(self.colors)} colours: each class needs its own")
        for what, values in (("name", self.names), ("colour", self.colors)):
            repeated = sorted({value for value in values if values.count(value) > 1})
            if repeated:
                raise UserError(f"class {what} {repeated[0]} is used twice in dataset.classes: make it unique")
        for name, color in zip(self.names, self.colors, strict=True):
            if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
                raise UserError(f"colour {list(color)} of class {name}: expected three numbers from 0 to 255 (RGB)")
        if 0 <= self.ignore_index < len(self.names):
            remedy = f"set dataset.ignore_index to {len(self.names)} or above"
            if len(self.names) > LARGEST_ID:
                remedy = f"{len(self.names)} classes are too many for masks of 8 bits, which have room for {LARGEST_ID}"
            raise UserError(f"ignore index {self.ignore_index} is also class {self.names[self.ignore_index]}: {remedy}")

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def from_entries(cls, entries: Iterable[Mapping[str, Any] | str], ignore_index: int = 255) -> "Classes":
        """From `[{"name": "road", "color": [128, 64, 128]}, ...]`, the form of the YAML and of `classes.json`.

        A class without a colour, or given by its name alone, gets one of its own.
        """
        rows = [_name_and_color(row) for row in entries]
        others = default_colors({color for _, color in rows if color})
        colors = tuple(color or next(others) for _, color in rows)
        return cls(tuple(name for name, _ in rows), colors, int(ignore_index))

    def to_entries(self) -> list[dict[str, Any]]:
        """The inverse of `from_entries`, for `classes.json`."""
        return [
            {"id": index, "name": name, "color": list(color)}
            for index, (name, color) in enumerate(zip(self.names, self.colors, strict=True))
        ]

    def without(self, name: str) -> "Classes":
        """The list less one class; the classes behind it move up by one id."""
        kept = [index for index, other in enumerate(self.names) if other != name]
        if len(kept) == len(self.names):
            raise UserError(f"there is no class {name} to leave out: the classes are {', '.join(self.names)}")
        return Classes(
            tuple(self.names[index] for index in kept), tuple(self.colors[index] for index in kept), self.ignore_index
        )

    def paint(self, labels: np.ndarray, ignored: Color = (255, 255, 255)) -> np.ndarray:
        """Class ids `[H, W]` (integer) -> RGB `[H, W, 3]` uint8; whatever is no class becomes `ignored`."""
        table = np.array([*self.colors, ignored], np.uint8)
        unsigned = labels.view(f"u{labels.itemsize}")  # what is below 0 is then above all classes
        places = np.minimum(unsigned, min(len(self), np.iinfo(unsigned.dtype).max)).astype(np.intp)
        return np.take(table, places, axis=0)


def default_colors(taken: Collection[Color] = ()) -> Iterator[Color]:
    """Colours that differ from each other and from those `taken`, always in the same order; more than there can be
    class ids.

    Black first, which is mostly the background; then hues in steps of the golden angle, so that each lies far from
    those before it. White is not among them: it stands for what is ignored.
    """
    given = {*taken, (255, 255, 255)}
    candidates = ((0, 0, 0) if place == 0 else _hue(place) for place in count())
    for color in candidates:
        if color not in given:
            given.add(color)
            yield color


def _hue(place: int) -> Color:
    """Bright, deep and pale ones in turn; the golden angle is the same for hues as for leaves on a stem."""
    saturation, value = ((0.80, 0.95), (0.85, 0.60), (0.45, 0.90))[place // 8 % 3]
    red, green, blue = colorsys.hsv_to_rgb(place * 0.61803398875 % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _name_and_color(row: Any) -> tuple[str, Color | None]:
    entry = {"name": row} if isinstance(row, str) else row
    try:
        color = entry.get("color")
        channels = None if color is None else [int(channel) for channel in color]
        name = str(entry["name"]).strip()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{row} in dataset.classes: expected {{name: road, color: [128, 64, 128]}} or a name"
        ) from error
    if not name:
        raise UserError(f"{row!r} in dataset.classes: a class needs a name")
    return name, None if channels is None else tuple(channels)  # type: ignore[return-value]  # three: see Classes
