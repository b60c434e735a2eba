"""Sections of blocks in one HTML file that needs nothing else: no network, and of scripts only its own."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from segmentation.reports.blocks import Bars, Code, Definitions, Heading, Headline, Listing, Table, Text
from segmentation.reports.charts import Charts, ParallelCoordinates
from segmentation.reports.confusion import Confusion
from segmentation.reports.pictures import Pictures, embedded

LARGEST = 9_500_000  # bytes of a page: mail and chat programs mostly take 10 MB

Block = (
    Text
    | Heading
    | Listing
    | Code
    | Definitions
    | Headline
    | Table
    | Bars
    | Charts
    | ParallelCoordinates
    | Confusion
    | Pictures
)


@dataclass(frozen=True)
class Section:
    title: str
    blocks: Sequence[Block]


def page(title: str, sections: Sequence[Section], largest: int = LARGEST) -> str:
    """The HTML text; whatever is told in it is escaped. Pictures are made as small as `largest` bytes ask for."""
    template = _environment().get_template("page.html.j2")
    pictures = [
        picture
        for section in sections
        for block in section.blocks
        if isinstance(block, Pictures)
        for _, picture in block.pictures
    ]

    anchored = list(zip(anchors([section.title for section in sections]), sections, strict=True))

    def rendered(uris: Sequence[str]) -> str:
        return template.render(title=title, sections=anchored, next_uri=iter(uris).__next__)

    without = len(rendered([""] * len(pictures)).encode())
    return rendered(embedded(pictures, largest - without))


def anchors(titles: Sequence[str]) -> Iterator[str]:
    """What links to a section: of its title what an address may hold, with a number where that was there before."""
    taken = {"content"}
    for title in titles:
        words = re.sub(r"\W+", "-", title.lower()).strip("-") or "section"
        numbered = (words if number == 1 else f"{words}-{number}" for number in itertools.count(1))
        anchor = next(anchor for anchor in numbered if anchor not in taken)
        taken.add(anchor)
        yield anchor


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
