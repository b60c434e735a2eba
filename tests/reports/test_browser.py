"""The pages in a headless Chromium: Debian's package, driven by playwright."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.apps.comparison.compared import grouped
from segmentation.apps.comparison.difference import compared, notes_on_all
from segmentation.apps.comparison.page import compare_page
from segmentation.apps.comparison.read import read_compared
from segmentation.apps.evaluation.label_errors import label_errors_page
from segmentation.reports.evaluation import evaluation_page
from segmentation.reports.runs import RunFacts, runs_page
from tests.counted import counted, kept_in
from tests.reports.sample import CLASSES, evaluation_facts, history, picture

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed: apt-get install chromium")

PAGES = ("evaluation", "runs", "compare", "label-errors")
Open = Callable[..., Any]
DASH = "\N{EN DASH}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the HTML files of `PAGES`."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "evaluation.html").write_text(evaluation_page(evaluation_facts()), encoding="utf-8")
    runs = [
        RunFacts(str(job), "finished", {"lr": lr, "loss": loss}, {"val/mIoU": score}, history(8))
        for job, (lr, loss, score) in enumerate([(1e-4, "dice", 0.41), (1e-3, "focal", 0.52), (1e-2, "auto", None)])
    ]
    html = runs_page("Runs", runs, "val/mIoU", "max", ["model=unet"], ["run=3 is no run folder"])
    (folder / "runs.html").write_text(html, encoding="utf-8")
    (folder / "compare.html").write_text(comparison_of(folder), encoding="utf-8")
    drawn = [(f"{number}. image: labelled road", picture(np.random.default_rng(number))) for number in range(3)]
    (folder / "label-errors.html").write_text(label_errors_page("CamVid", drawn), encoding="utf-8")
    return folder


def comparison_of(folder: Path) -> str:
    """Of runs whose names, options and costs take some room."""
    runs = [
        kept_in(
            folder / f"2026-01-31_12-00-0{number}", counted(("road", "car"), right=right), f"weights: {'x' * 90}{right}"
        )
        for number, right in enumerate((0.7, 0.8))
    ]
    found, notes = read_compared([str(run) for run in runs], "val")
    groups = grouped(found)
    baseline, other = groups
    comparison = compared(baseline, other, 200, 0)
    drawn = [("image_1", picture(np.random.default_rng(0)))]
    return compare_page("val", groups, [comparison], [drawn], [*notes_on_all([comparison]), *notes])


@pytest.fixture
def shown(browser: Any, pages: Path) -> Iterator[Open]:
    """`shown("evaluation", color_scheme="dark")`: the page; that it had something to complain of fails the test."""
    complaints: list[str] = []
    contexts = []

    def show(name: str, **options: Any) -> Any:
        context = browser.new_context(**options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url[:80]))
        page.on("request", lambda request: complaints.extend(re.findall("^http.*", request.url)))
        page.goto((pages / f"{name}.html").as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert complaints == []


def column(page: Any, caption: str, number: int) -> list[str]:
    return page.locator(f"table:has(caption:text-is('{caption}')) tbody tr > :nth-child({number})").all_inner_texts()


def header(page: Any, caption: str, name: str) -> Any:
    return page.locator(
        f"table:has(caption:text-is('{caption}')) th", has=page.get_by_role("button", name=name, exact=True)
    )


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_renders_in_the_scheme_that_is_asked_for(shown: Open, name: str, scheme: str) -> None:
    page = shown(name, color_scheme=scheme)
    assert page.locator("h2").count() >= (1 if name == "label-errors" else 3)
    assert (
        page.evaluate("getComputedStyle(document.body).backgroundColor")
        == {
            "light": "rgb(255, 255, 255)",
            "dark": "rgb(22, 24, 28)",
        }[scheme]
    )


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(shown: Open, name: str, scheme: str) -> None:
    """WCAG 2.2 asks for a contrast of 4.5."""
    page = shown(name, color_scheme=scheme)
    page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    weakest = page.evaluate(
        """() => {
        const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const light = (colors) => {
            for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
            const linear = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) =>
                value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        };
        let weakest = [99, ""];
        for (const element of document.querySelectorAll("main *, header *")) {
            const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
            if (!own || !element.checkVisibility() || element.closest("title")) continue;
            const behind = [];
            for (let node = element; node; node = node.parentElement) {
                behind.unshift(getComputedStyle(node).backgroundColor);
            }
            const style = getComputedStyle(element);
            const ends = [light(behind), light([...behind, element.closest("svg") ? style.fill : style.color])];
            const contrast = (Math.max(...ends) + 0.05) / (Math.min(...ends) + 0.05);
            if (contrast < weakest[0]) weakest = [contrast, element.outerHTML.slice(0, 120)];
        }
        return weakest;
    }"""
    )
    assert weakest[0] >= 4.5, weakest


def test_all_pictures_load(shown: Open) -> None:
    page = shown("evaluation")
    page.locator("details.group summary").first.click()
    widths = page.evaluate("[...document.querySelectorAll('.pictures img')].map((image) => image.naturalWidth)")
    assert len(widths) == 8
    assert min(widths) > 100
    assert page.locator("details.group img").first.is_visible()


def test_a_click_on_a_header_sorts_and_dashes_stay_last(shown: Open) -> None:
    page = shown("evaluation")
    caption = "Scores by class"
    head = header(page, caption, "IoU")
    assert head.get_attribute("aria-sort") is None
    head.get_by_role("button").click()
    values = column(page, caption, 2)
    assert values == [*sorted(values[:-1]), DASH]
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    values = column(page, caption, 2)
    assert values == [*sorted(values[:-1], reverse=True), DASH]
    assert head.get_attribute("aria-sort") == "descending"
    header(page, caption, "class").get_by_role("button").click()
    assert column(page, caption, 1) == sorted(CLASSES.names)
    assert head.get_attribute("aria-sort") is None


def test_numbers_sort_as_numbers_by_the_keyboard(shown: Open) -> None:
    page = shown("evaluation")
    caption = "Confusions, the largest share of a class first"
    header(page, caption, "pixels").get_by_role("button").focus()
    page.keyboard.press("Enter")
    counts = [int(text.replace(",", "")) for text in column(page, caption, 3)]
    assert counts == sorted(counts)
    page.keyboard.press("Space")
    assert [int(text.replace(",", "")) for text in column(page, caption, 3)] == counts[::-1]


def test_the_matrix_shows_shares_or_counts(shown: Open) -> None:
    page = shown("evaluation")
    cell = page.locator(".confusion td.hit").first
    percent, count = cell.locator(".share"), cell.locator(".count")
    assert (percent.is_visible(), count.is_visible()) == (True, False)
    page.get_by_label("percent of the row").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="pixels").is_checked()
    assert (percent.is_visible(), count.is_visible()) == (False, True)
    assert count.inner_text().endswith("M")


def test_cells_of_the_matrix_are_told_in_words_to_mouse_and_keyboard(shown: Open) -> None:
    page = shown("evaluation")
    told = page.locator(".confusion .readout")
    cells = page.locator(".confusion tbody tr").nth(1).locator("td")
    cells.nth(1).hover()
    assert re.fullmatch(r"[\d,]+ pixels of building were read right: [\d.]+ % of building", told.inner_text())
    page.locator(".confusion tbody td").first.focus()
    for key in ("ArrowUp", "ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert told.inner_text().endswith("of building")
    assert "read as pole" in told.inner_text()
    assert told.get_attribute("aria-live") == "polite"
    assert page.locator(".confusion td[tabindex='0']").count() == 1


def test_points_of_a_chart_tell_their_numbers(shown: Open) -> None:
    page = shown("evaluation")
    chart = page.locator("#training ~ .charts figure").first
    chart.locator("circle").first.hover()
    assert re.fullmatch(r"train: [\d.]+ at epoch 1", chart.locator(".readout").inner_text())
    chart.locator("summary").click()
    assert chart.locator("tbody tr").count() == 24


def test_a_picture_is_enlarged_and_escape_brings_back(shown: Open) -> None:
    page = shown("evaluation")
    buttons, dialog = page.locator(".pictures button"), page.locator("dialog")
    captions = page.locator(".pictures figcaption").all_inner_texts()
    buttons.nth(1).click()
    assert dialog.locator("figcaption").inner_text() == captions[1]
    page.keyboard.press("ArrowRight")
    assert dialog.locator("img").get_attribute("alt") == captions[2]
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert buttons.nth(1).evaluate("(button) => button === document.activeElement")
    page.keyboard.press("Enter")
    assert dialog.is_visible()


def test_the_first_tab_leads_to_the_content(shown: Open) -> None:
    page = shown("evaluation")
    page.keyboard.press("Tab")
    assert page.locator(".skip").evaluate("(link) => link.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    assert page.locator("main").evaluate("(main) => main === document.activeElement")


def test_without_scripts_all_but_sorting_and_enlarging_is_there(shown: Open) -> None:
    page = shown("evaluation", java_script_enabled=False)
    assert page.locator("main button").count() == 0
    page.get_by_role("radio", name="pixels").check()
    assert page.locator(".confusion td.hit .count").first.is_visible()
    assert page.locator(".confusion tbody td").first.get_attribute("title")
    assert page.locator("svg path.line").first.is_visible()


@pytest.mark.parametrize("name", PAGES)
def test_a_narrow_screen_scrolls_one_way_only(shown: Open, name: str) -> None:
    page = shown(name, viewport={"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("name", PAGES)
def test_what_scrolls_by_itself_has_a_name_and_takes_the_focus(shown: Open, name: str) -> None:
    page = shown(name, viewport={"width": 360, "height": 700})
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll(".scroll:has(> table)")].filter((box) =>
            box.scrollWidth > box.clientWidth
            && !box.closest(".confusion") && !(box.tabIndex === 0 && box.ariaLabel)).map((box) => box.textContent)"""
    )
    assert unnamed == []


def test_runs_sort_and_their_lines_are_told(shown: Open) -> None:
    page = shown("runs")
    caption = "Scores and options by run"
    assert column(page, caption, 3) == ["0.5200", "0.4100", DASH]
    header(page, caption, "lr").get_by_role("button").click()
    assert column(page, caption, 4) == ["0.0001", "0.001", "0.01"]
    lines = page.locator("path.course")
    lines.nth(2).focus()
    assert page.locator(".parallel .readout").inner_text() == "1: lr 0.001, loss focal, val/mIoU 0.52"
    opacities = lines.evaluate_all("(paths) => paths.map((path) => getComputedStyle(path).opacity)")
    assert opacities == ["0.15", "0.15", "1"]
    colors = lines.evaluate_all("(paths) => new Set(paths.map((path) => getComputedStyle(path).stroke)).size")
    assert colors == 3
