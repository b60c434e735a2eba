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

MOST_PICTURES = 60  # the least sure
MOST_COLUMNS = 12  # classes that have a column of the page's table, the most frequent; summary.csv has all


@dataclass(frozen=True)
class PredictedInput:
    """A picture, or a video: `frames` is how many, None of a picture. `size` is (height, width) and `counts` `[C + 1]`
    int the pixels of each class, of all frames, the last being what is ignored. `confidence` is the mean probability of
    the class that was said, None where it is not known. `results` are the files by their kinds, below the page's
    folder, with "/" between folders.
    """

    key: str
    size: tuple[int, int]
    counts: np.ndarray
    frames: int | None = None
    confidence: float | None = None
    results: Mapping[str, str] = field(default_factory=dict)


def summary_csv(inputs: Sequence[PredictedInput], classes: Classes) -> str:
    """A row for each input; shares are of all its pixels, and of what is ignored there is one too."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    shares = [f"share/{name}" for name in classes.names]
    writer.writerow(["input", "height", "width", "frames", "confidence", *shares, "share/ignored"])
    for each in inputs:
        known = [each.confidence, *(each.counts / max(each.counts.sum(), 1)).tolist()]
        numbers = ("" if number is None else f"{number:.6f}" for number in known)
        writer.writerow([each.key, *each.size, each.frames or "", *numbers])
    return text.getvalue()


def predictions_page(
    title: str,
    inputs: Sequence[PredictedInput],
    classes: Classes,
    picture_of: Callable[[PredictedInput], np.ndarray | None],
    made_of: Sequence[tuple[str, str]] = (),
    scores: Mapping[str, float] | None = None,
    unreadable: Sequence[str] = (),
) -> str:
    """HTML. `picture_of` gives a small RGB picture, and is asked for those alone that are shown; `made_of` are names
    and values of what it was predicted with, `scores` those against labels, by their names.
    """
    pictures = list(_pictures(inputs, picture_of))
    shown = "All of them" if len(inputs) <= MOST_PICTURES else f"{MOST_PICTURES} of {len(inputs)}"
    known = any(each.confidence is not None for each in inputs)
    order = "those first of which the model is least sure" if known else "in the order of their names"
    sections: list[tuple[str, list[Block]]] = [
        ("In short", [_headline(inputs, scores, unreadable), Definitions(made_of)]),
        ("Not read", [Listing(unreadable)] if unreadable else []),
        ("Scores", [_scores(scores)] if scores else []),
        ("Classes", [_shares(inputs, classes)] if inputs else []),
        ("Pictures", [Text(f"{shown}, {order}."), Pictures(pictures)] if pictures else []),
        ("Inputs", [_table(inputs, classes)] if inputs else []),
    ]
    return page(title, [Section(name, blocks) for name, blocks in sections if blocks])


def _headline(
    inputs: Sequence[PredictedInput], scores: Mapping[str, float] | None, unreadable: Sequence[str]
) -> Headline:
    videos = [each for each in inputs if each.frames is not None]
    figures = [Figure("pictures", str(len(inputs) - len(videos)))]
    if videos:
        figures.append(Figure("videos", str(len(videos)), f"{sum(each.frames or 0 for each in videos)} frames"))
    if unreadable:
        figures.append(Figure("not read", str(len(unreadable))))
    sure = [(each.confidence, each.counts.sum()) for each in inputs if each.confidence is not None]
    if sure:
        values, weights = zip(*sure, strict=True)
        figures.append(Figure("mean confidence", f"{np.average(values, weights=weights):.3f}", "over all pixels"))
    if scores and "mIoU" in scores:
        figures.append(Figure("mIoU", score(scores["mIoU"]).told))
    return Headline(figures)


def _scores(scores: Mapping[str, float]) -> Table:
    return Table(["score", "value"], [[name, score(value)] for name, value in scores.items()], sortable=True)


def _total(inputs: Sequence[PredictedInput]) -> np.ndarray:
    return np.sum([each.counts for each in inputs], axis=0)


def _shares(inputs: Sequence[PredictedInput], classes: Classes) -> Bars:
    """Of the pixels of all inputs, the most frequent first."""
    total = _total(inputs)
    names = [*classes.names, "ignored"]
    rows = [
        (
            names[place],
            {"share of pixels": Bar(float(total[place] / total.sum()), share_text(total[place], total.sum()))},
        )
        for place in np.argsort(-total, kind="stable")
        if total[place]
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


def _table(inputs: Sequence[PredictedInput], classes: Classes) -> Table:
    total = _total(inputs)
    columns = [place for place in np.argsort(-total[:-1], kind="stable")[:MOST_COLUMNS].tolist() if total[place]]
    has_videos = any(each.frames is not None for each in inputs)
    header = ["input", "results", "size", *(["frames"] if has_videos else []), "confidence"]
    rows = [_row(each, columns, has_videos) for each in inputs]
    return Table(
        [*header, *(classes.names[place] for place in columns)],
        rows,
        f"Shares of each input's pixels; all classes are in summary.csv. {len(inputs)} inputs",
        sortable=True,
    )


def _row(each: PredictedInput, columns: Sequence[int], has_videos: bool) -> list[Cell]:
    pixels = each.counts.sum()
    frames = [Number(each.frames, str(each.frames))] if has_videos else []
    shares = [
        Number(float(each.counts[place] / max(pixels, 1)), share_text(each.counts[place], pixels)) for place in columns
    ]
    size = Number(each.size[0] * each.size[1], f"{each.size[1]}\N{MULTIPLICATION SIGN}{each.size[0]}")
    links = Links([(kind, quote(place)) for kind, place in each.results.items()])
    return [each.key, links, size, *frames, score(each.confidence), *shares]
