from base64 import b64decode

import numpy as np

from segmentation.reports.blocks import (
    Bar,
    Bars,
    Cell,
    Code,
    Definitions,
    Figure,
    Headline,
    Listing,
    Number,
    Table,
    Text,
)
from segmentation.reports.page import LARGEST, Block, Section, page
from segmentation.reports.pictures import Pictures
from tests.data.image.david_files import decoded
from tests.reports.parsed import Parsed
from tests.reports.sample import picture


def parsed(*blocks: Block) -> Parsed:
    return Parsed(page("A page", [Section("A section", blocks)]))


def test_what_is_told_is_escaped() -> None:
    html = page("<b>", [Section("<script>", [Text("a < b & c", "fault"), Listing(["<img>"]), Table(["<"], [["&"]])])])
    found = Parsed(html)
    assert [attributes for attributes in found.of("script") if attributes] == []
    assert len(found.of("script")) == 1
    assert [image for image in found.of("img") if "src" in image] == []
    assert {"<b>", "<script>", "a < b & c", "<img>", "<", "&"} <= set(found.texts)


def test_a_page_needs_no_other_file() -> None:
    found = parsed(Pictures([("a", np.zeros((4, 6, 3), np.uint8))]))
    assert not {"link", "iframe"} & {name for name, _ in found.tags}
    assert all((attributes.get("src") or "data:").startswith("data:") for _, attributes in found.tags)
    assert any("default-src 'none'" in (meta.get("content") or "") for meta in found.of("meta"))
    assert "prefers-color-scheme: dark" in page("", [])


def test_pictures_come_out_in_their_colours() -> None:
    half_red = np.zeros((40, 60, 3), np.uint8)
    half_red[:, :30, 0] = 255
    image = parsed(Pictures([("left is red", half_red)])).of("img")[0]
    assert image["alt"] == "left is red"
    content = b64decode((image["src"] or "").removeprefix("data:image/jpeg;base64,"))
    shown = decoded(content)
    np.testing.assert_allclose(shown[:, :24], half_red[:, :24], atol=6)
    np.testing.assert_allclose(shown[:, 36:], half_red[:, 36:], atol=6)


def test_bars_are_as_long_as_their_values() -> None:
    rows = [("road", {"train": Bar(2, "two"), "val": Bar(1, "one")}), ("car", {"val": Bar(0, "none")})]
    found = parsed(Bars(rows, {"road": (1, 2, 3)}))
    bars = [attributes for attributes in found.of("div") if "bar " in (attributes.get("class") or "")]
    assert [(bar["class"], bar["style"]) for bar in bars] == [
        ("bar series-0", "width: 100.00%"),
        ("bar series-1", "width: 50.00%"),
        ("bar series-1", "width: 0.00%"),
    ]
    assert [span["style"] for span in found.of("span") if span.get("style")] == ["background: rgb(1, 2, 3)"]
    assert {"two", "one", "none"} <= set(found.texts)
    assert found.texts.count("train") == 2, "in the legend and beside the bar"
    assert found.texts.count("val") == 3


def test_bars_of_one_series_do_not_repeat_its_name() -> None:
    assert "IoU" not in parsed(Bars([("road", {"IoU": Bar(1, "one")})])).texts


def test_bars_of_nothing_are_no_error() -> None:
    parsed(Bars([]), Bars([("a", {"": Bar(0, "0")}), ("b", {"": Bar(float("nan"), "-")})]))


def test_long_listings_fold_up_behind_their_first_lines() -> None:
    found = parsed(Listing([f"line {number}" for number in range(7)], most=5))
    assert len(found.of("li")) == 7
    assert "2 more" in found.texts
    assert not parsed(Listing(["a"], most=5)).of("details")


def test_table_cells_stand_in_their_rows() -> None:
    found = parsed(Table(["", "train", "val"], [["images", "3", "4"], ["groups", "1", "2"]]))
    assert len(found.of("tr")) == 3
    assert [header["scope"] for header in found.of("th")] == ["col"] * 3 + ["row"] * 2
    assert found.texts[-7:] == ["images", "3", "4", "groups", "1", "2", "Close"]


def test_whiskers_reach_over_the_interval() -> None:
    found = parsed(Bars([("road", {"IoU": Bar(0.5, "half", (0.25, 0.75))})], whole=1))
    (whisker,) = [div for div in found.of("div") if div.get("class") == "whisker"]
    assert whisker["style"] == "left: 25.00%; right: calc(100% - 75.00%)"


def test_a_bar_is_no_shorter_for_a_wide_interval() -> None:
    found = parsed(Bars([("road", {"IoU": Bar(1, "one", (0, 4))})]))
    (bar,) = [div for div in found.of("div") if "bar " in (div.get("class") or "")]
    assert bar["style"] == "width: 25.00%"


def test_numbers_carry_their_value_for_sorting_and_absent_ones_are_dashes() -> None:
    row: list[Cell] = ["road", Number(0.25, "25 %"), Number(None, ""), Number(float("nan"), "nan")]
    found = parsed(Table(["", "a", "b", "c"], [row], sortable=True))
    assert [cell.get("data-value") for cell in found.of("td")] == ["0.25", "", ""]
    assert found.texts[-4:-1] == ["25 %", "\N{EN DASH}", "\N{EN DASH}"]


def test_numbers_and_words_of_a_page_are_told() -> None:
    found = parsed(Headline([Figure("mIoU", "0.5", "a note")]), Definitions([("data", "CamVid")]), Code("a && b"))
    assert {"mIoU", "0.5", "a note", "data", "CamVid", "a && b"} <= set(found.texts)


def test_every_section_is_a_region_that_its_heading_names_and_the_contents_link_to() -> None:
    found = Parsed(page("", [Section(title, [Text("")]) for title in ("One", "Two & more", "Three")]))
    anchors = [heading["id"] for heading in found.of("h2")]
    assert anchors == ["one", "two-more", "three"]
    assert [section["aria-labelledby"] for section in found.of("section")] == anchors
    assert [link["href"] for link in found.of("a")] == ["#content", *(f"#{anchor}" for anchor in anchors)]
    assert len(found.of("main")) == 1


def test_sections_of_titles_that_look_alike_have_their_own_anchors() -> None:
    found = Parsed(page("", [Section(title, [Text("")]) for title in ("lr=0.1", "lr-0.1", "Content", "\N{EM DASH}")]))
    anchors = [heading["id"] for heading in found.of("h2")]
    assert anchors == ["lr-0-1", "lr-0-1-2", "content-2", "section"]
    assert [link["href"] for link in found.of("a")][1:] == [f"#{anchor}" for anchor in anchors]


def test_pictures_are_made_small_enough_for_the_page() -> None:
    pictures = Pictures([(str(number), picture(np.random.default_rng(number))) for number in range(6)])
    whole, small = (page("", [Section("", [pictures])], largest) for largest in (LARGEST, 400_000))
    assert len(small.encode()) <= 400_000 < len(whole.encode())
    images = Parsed(small).of("img")[:-1]
    assert [image["alt"] for image in images] == [str(number) for number in range(6)]
    shown = decoded(b64decode((images[0]["src"] or "").removeprefix("data:image/jpeg;base64,")))
    assert shown.shape[1] > 200


def test_where_no_size_is_small_enough_the_pictures_are_still_there() -> None:
    images = Parsed(page("", [Section("", [Pictures([("a", picture(np.random.default_rng(0)))])])], largest=1)).of(
        "img"
    )
    shown = decoded(b64decode((images[0]["src"] or "").removeprefix("data:image/jpeg;base64,")))
    assert shown.shape == (54, 246, 3)


def test_pictures_keep_their_captions_across_groups() -> None:
    red, blue = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 255
    found = parsed(Pictures([("red", red)]), Pictures([("blue", blue)], "of blue", folded=True))
    images = {image["alt"]: image["src"] or "" for image in found.of("img") if "src" in image}
    colors = [decoded(b64decode(images[name].split(",")[1])).mean(axis=(0, 1)) for name in ("red", "blue")]
    assert colors[0][0] > 200 > 50 > colors[0][2]
    assert colors[1][2] > 200 > 50 > colors[1][0]
