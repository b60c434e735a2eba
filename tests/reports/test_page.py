from base64 import b64decode
from collections.abc import Sequence
from html.parser import HTMLParser

import numpy as np

from segmentation.reports.page import Bars, Block, Listing, Pictures, Section, Table, Text, page
from tests.data.image.david_files import decoded

VOID_TAGS = {"meta", "img", "br", "link", "input", "hr"}


class Parsed(HTMLParser):
    """Tags with their attributes, the text, and whether every tag is closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def parsed(*blocks: Block) -> Parsed:
    return Parsed(page("A page", [Section("A section", blocks)]))


def test_what_is_told_is_escaped() -> None:
    html = page("<b>", [Section("<script>", [Text("a < b & c", "fault"), Listing(["<img>"]), Table(["<"], [["&"]])])])
    found = Parsed(html)
    assert not found.of("script")
    assert not found.of("img")
    assert {"<b>", "<script>", "a < b & c", "<img>", "<", "&"} <= set(found.texts)


def test_a_page_needs_no_other_file_and_no_script() -> None:
    found = parsed(Pictures([("a", np.zeros((4, 6, 3), np.uint8))]))
    assert not {"script", "link", "iframe"} & {name for name, _ in found.tags}
    assert all((attributes.get("src") or "data:").startswith("data:") for _, attributes in found.tags)
    assert "prefers-color-scheme: dark" in page("", [])


def test_pictures_come_out_in_their_colours() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30, 0] = 255
    (image,) = parsed(Pictures([("left is red", picture)])).of("img")
    assert image["alt"] == "left is red"
    content = b64decode((image["src"] or "").removeprefix("data:image/jpeg;base64,"))
    shown = decoded(content)
    np.testing.assert_allclose(shown[:, :24], picture[:, :24], atol=6)
    np.testing.assert_allclose(shown[:, 36:], picture[:, 36:], atol=6)


def test_bars_are_as_long_as_their_values() -> None:
    rows = [("road", {"train": (2.0, "two"), "val": (1.0, "one")}), ("car", {"val": (0.0, "none")})]
    found = parsed(Bars(rows, {"road": (1, 2, 3)}))
    bars = [attributes for attributes in found.of("div") if "bar " in (attributes.get("class") or "")]
    assert [(bar["class"], bar["style"]) for bar in bars] == [
        ("bar series-0", "width: 100.00%"),
        ("bar series-1", "width: 50.00%"),
        ("bar series-1", "width: 0.00%"),
    ]
    assert [attributes["style"] for attributes in found.of("span") if attributes.get("style")] == [
        "background: rgb(1, 2, 3)"
    ]
    assert {"train", "val", "two", "one", "none"} <= set(found.texts)


def test_bars_of_nothing_are_no_error() -> None:
    parsed(Bars([]), Bars([("a", {"": (0.0, "0")})]))


def test_long_listings_fold_up_behind_their_first_lines() -> None:
    found = parsed(Listing([f"line {number}" for number in range(7)], most=5))
    assert len(found.of("li")) == 7
    assert "2 more" in found.texts
    assert not parsed(Listing(["a"], most=5)).of("details")


def test_table_cells_stand_in_their_rows() -> None:
    found = parsed(Table(["", "train", "val"], [["images", "3", "4"], ["groups", "1", "2"]]))
    assert len(found.of("tr")) == 3
    assert len(found.of("th")) == 3
    assert found.texts[-6:] == ["images", "3", "4", "groups", "1", "2"]
