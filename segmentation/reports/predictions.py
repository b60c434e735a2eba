"""What was predicted of many inputs, as one page and as one table: class shares, how sure, and where it is."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from urllib.parse import quote

import numpy as np

from segmentation.classes import Classes
from segmentation.reports.blocks import (
    Bar,
    Bars,
    Cell,
    Definitions,
    Figure,
    Headline,
    Links,
    Listing,
    Number,
    Table,
    Text,
    score,
    share_text,
)
from segmentation.reports.page import Block, Section, page
from segmentation.reports.pictures import Pictures
from segmentation.reports.words import Words

PICTURES = Words("picture", "pictures", "pixel", "pixels")
MM2 = 1e6  # in a square metre
MOST_PICTURES = 60  # the least sure
MOST_COLUMNS = 12  # classes that have a column of the page's table, the most frequent; summary.csv has all


@dataclass(frozen=True)
class PredictedInput:
    """A picture, a video or a mesh: `frames` is how many, None of all others. `size` is (height, width), None of a
    mesh; `counts` `[C + 1]` int the pixels (of all frames) or the faces of each class, the last being what is ignored,
    and `areas` those of the faces in mm2, None of all others. `confidence` is the mean probability of the class that
    was said, None where it is not known. `results` are the files by their kinds, below the page's folder, with "/"
    between folders.
    """

    key: str
    size: tuple[int, int] | None
    counts: np.ndarray
    frames: int | None = None
    confidence: float | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    areas: np.ndarray | None = None

    @property
    def measured(self) -> dict[str, np.ndarray]:
        """What each class has, `[C + 1]`, by what it is of."""
        return {"pixels": self.counts} if self.areas is None else {"faces": self.counts, "area": self.areas}


def summary_csv(inputs: Sequence[PredictedInput], classes: Classes, words: Words = PICTURES) -> str:
    """A row for each input; shares are of all its pixels or faces, of meshes by area too, and of what is ignored there
    is one too.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [*classes.names, "ignored"]
    sizes, kinds = (["height", "width", "frames"], ["share"])
    if words is not PICTURES:
        sizes, kinds = ["faces", "area_m2"], ["share", "share_by_area"]
    writer.writerow(["input", *sizes, "confidence", *(f"{kind}/{name}" for kind in kinds for name in names)])
    for each in inputs:
        size = [*each.size, each.frames or ""] if each.size else [each.counts.sum(), f"{_square_metres(each):.6f}"]
        shares = [share for counts in each.measured.values() for share in (counts / max(counts.sum(), 1)).tolist()]
        numbers = ("" if number is None else f"{number:.6f}" for number in (each.confidence, *shares))
        writer.writerow([each.key, *size, *numbers])
    return text.getvalue()


def _square_metres(each: PredictedInput) -> float:
    return 0.0 if each.areas is None else float(each.areas.sum() / MM2)


def predictions_page(
    title: str,
    inputs: Sequence[PredictedInput],
    classes: Classes,
    picture_of: Callable[[PredictedInput], np.ndarray | None],
    made_of: Sequence[tuple[str, str]] = (),
    scores: Mapping[str, float] | None = None,
    unreadable: Sequence[str] = (),
    words: Words = PICTURES,
) -> str:
    """HTML. `picture_of` gives a small RGB picture, and is asked for those alone that are shown; `made_of` are names
    and values of what it was predicted with, `scores` those against labels, by their names. `words`: what there is one
    of in each input.
    """
    pictures = list(_pictures(inputs, picture_of))
    shown = "All of them" if len(inputs) <= MOST_PICTURES else f"{MOST_PICTURES} of {len(inputs)}"
    known = any(each.confidence is not None for each in inputs)
    order = "those first of which the model is least sure" if known else "in the order of their names"
    sections: list[tuple[str, list[Block]]] = [
        ("In short", [_headline(inputs, scores, unreadable, words), Definitions(made_of)]),
        ("Not read", [Listing(unreadable)] if unreadable else []),
        ("Scores", [_scores(scores)] if scores else []),
        ("Classes", [_shares(inputs, classes)] if inputs else []),
        ("Pictures", [Text(f"{shown}, {order}."), Pictures(pictures)] if pictures else []),
        ("Inputs", [_table(inputs, classes, words)] if inputs else []),
    ]
    return page(title, [Section(name, blocks) for name, blocks in sections if blocks])


def _headline(
    inputs: Sequence[PredictedInput], scores: Mapping[str, float] | None, unreadable: Sequence[str], words: Words
) -> Headline:
    videos = [each for each in inputs if each.frames is not None]
    figures = [Figure(words.samples, str(len(inputs) - len(videos)))]
    if videos:
        figures.append(Figure("videos", str(len(videos)), f"{sum(each.frames or 0 for each in videos)} frames"))
    if unreadable:
        figures.append(Figure("not read", str(len(unreadable))))
    sure = [(each.confidence, each.counts.sum()) for each in inputs if each.confidence is not None]
    if sure:
        values, weights = zip(*sure, strict=True)
        figures.append(
            Figure("mean confidence", f"{np.average(values, weights=weights):.3f}", f"over all {words.places}")
        )
    if scores and "mIoU" in scores:
        figures.append(Figure("mIoU", score(scores["mIoU"]).told))
    return Headline(figures)


def _scores(scores: Mapping[str, float]) -> Table:
    return Table(["score", "value"], [[name, score(value)] for name, value in scores.items()], sortable=True)


def _totals(inputs: Sequence[PredictedInput]) -> dict[str, np.ndarray]:
    """As `PredictedInput.measured`, of all inputs."""
    return {of: np.sum([each.measured[of] for each in inputs], axis=0) for of in inputs[0].measured}


def _shares(inputs: Sequence[PredictedInput], classes: Classes) -> Bars:
    """Of all inputs, the most frequent first."""
    totals = _totals(inputs)
    names, frequent = [*classes.names, "ignored"], next(iter(totals.values()))
    rows = [
        (
            names[place],
            {
                f"share of {of}": Bar(float(total[place] / total.sum()), share_text(total[place], total.sum()))
                for of, total in totals.items()
            },
        )
        for place in np.argsort(-frequent, kind="stable")
        if frequent[place]
    ]
    return Bars(rows, colors=dict(zip(classes.names, classes.colors, strict=True)))


def _pictures(
    inputs: Sequence[PredictedInput], picture_of: Callable[[PredictedInput], np.ndarray | None]
) -> Iterator[tuple[str, np.ndarray]]:
    least_sure = sorted(inputs, key=lambda each: 2.0 if each.confidence is None else each.confidence)
    for each in least_sure[:MOST_PICTURES]:
        picture = picture_of(each)
        if picture is not None:
            yield each.key if each.confidence is None else f"{each.key} ({each.confidence:.3f})", picture


def _table(inputs: Sequence[PredictedInput], classes: Classes, words: Words) -> Table:
    total = next(iter(_totals(inputs).values()))
    columns = [place for place in np.argsort(-total[:-1], kind="stable")[:MOST_COLUMNS].tolist() if total[place]]
    has_videos = any(each.frames is not None for each in inputs)
    sizes = ["size"] if words is PICTURES else ["faces", "area, m\u00b2"]
    header = ["input", "results", *sizes, *(["frames"] if has_videos else []), "confidence"]
    rows = [_row(each, columns, has_videos) for each in inputs]
    return Table(
        [*header, *(classes.names[place] for place in columns)],
        rows,
        f"Shares of each input's {words.places}; all classes are in summary.csv. {len(inputs)} inputs",
        sortable=True,
    )


def _row(each: PredictedInput, columns: Sequence[int], has_videos: bool) -> list[Cell]:
    places = each.counts.sum()
    frames = [Number(each.frames, str(each.frames))] if has_videos else []
    shares = [
        Number(float(each.counts[place] / max(places, 1)), share_text(each.counts[place], places)) for place in columns
    ]
    links = Links([(kind, quote(place)) for kind, place in each.results.items()])
    return [each.key, links, *_size(each), *frames, score(each.confidence), *shares]


def _size(each: PredictedInput) -> list[Cell]:
    if each.size is None:
        area = _square_metres(each)
        return [Number(int(each.counts.sum()), f"{each.counts.sum():,}"), Number(area, f"{area:,.1f}")]
    height, width = each.size
    return [Number(height * width, f"{width}\N{MULTIPLICATION SIGN}{height}")]
